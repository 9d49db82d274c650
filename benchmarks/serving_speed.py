"""Speed of one translation on the CPU in several runtimes, all with the weights of one run.

    pip install -e .[dev] torch
    python -m benchmarks.serving_speed --workdir=runs/bags_shoes

The exported graph, the training graph, PyTorch, ONNX Runtime and LiteRT. First their results are
compared. Then they are interleaved in one process, with a pause in which the threads of the one
before go to sleep. All compute in float32 with their default number of threads; PyTorch has its
images channels-last.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from discogan_tf.export.bundle import folded_signatures, write_saved_model
from discogan_tf.export.formats import FORMATS, write_format
from discogan_tf.models import create_model
from discogan_tf.models.contract import SERVING_DEFAULT as DEFAULT
from discogan_tf.networks.folding import fold
from discogan_tf.runs.checkpoints import restore_generators
from discogan_tf.runs.workdir import read_config

_PAUSE_SECS = 0.01


def create_runtimes(workdir: Path, folder: Path) -> dict:
    """Name -> a function of images, float32 [batch, size, size, 3] in [0, 1], to the same."""
    config = read_config(workdir)
    model = create_model(config, tf.float32)
    restore_generators(workdir, model)
    signatures = folded_signatures(model)["a_to_b"]
    write_saved_model(folder / "saved_model", signatures)
    exported = tf.saved_model.load(str(folder / "saved_model")).signatures[DEFAULT]
    training = tf.function(model.generators["a_to_b"])
    runtimes = {
        "training graph": lambda images: training(tf.constant(images)).numpy(),
        "exported graph": lambda images: exported(images=tf.constant(images))["translated"].numpy(),
        "PyTorch": _pytorch(fold(model.generators["a_to_b"])),
    }
    for name in FORMATS:
        runtimes[name] = FORMATS[name].load(write_format(name, signatures[DEFAULT], folder))
    return runtimes


def measure(runtimes: dict, images: np.ndarray, rounds: int) -> dict[str, list[float]]:
    """Seconds of each round of each runtime on `images`."""
    seconds = {name: [] for name in runtimes}
    for number in range(rounds + 3):
        for name, run in runtimes.items():
            time.sleep(_PAUSE_SECS)
            started = time.perf_counter()
            run(images)
            if number >= 3:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def _pytorch(folded):
    """The folded generator in PyTorch, with the same weights."""
    import torch
    from torch.nn import functional

    def convolution(layer):
        kernel, bias = layer.kernel, layer.bias
        if layer.name.startswith("decode"):
            # Depth to space: TensorFlow has the place first and then the channel, PyTorch the
            # reverse.
            order = np.arange(kernel.shape[-1]).reshape(4, -1).T.ravel()
            kernel, bias = kernel[..., order], bias[order]
        weight = torch.tensor(kernel.transpose(3, 2, 0, 1)).contiguous(
            memory_format=torch.channels_last
        )
        return weight, torch.tensor(bias)

    layers = {layer.name: convolution(layer) for layer in folded.layers if hasattr(layer, "kernel")}
    count = sum(name.startswith("encode") for name in layers)

    def convolve(x, name):
        return functional.conv2d(functional.pad(x, (1, 2, 1, 2)), *layers[name])

    def run(images):
        with torch.inference_mode():
            x = torch.from_numpy(images).permute(0, 3, 1, 2)
            for number in range(1, count + 1):
                x = functional.conv2d(x, *layers[f"encode_{number}"], stride=2, padding=1)
                x = functional.leaky_relu(x, 0.2)
            for number in range(1, count + 1):
                x = functional.pixel_shuffle(functional.relu(convolve(x, f"decode_{number}")), 2)
            return torch.sigmoid(convolve(x, "to_image")).permute(0, 2, 3, 1).numpy()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workdir", type=Path, default=Path("runs/bags_shoes"))
    parser.add_argument(
        "--rounds", type=int, default=300, help="at batch 1; a tenth of them at batch 64"
    )
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runtimes = create_runtimes(values.workdir, Path(folder))
        size = read_config(values.workdir).image_size
        images = np.random.default_rng(0).random((64, size, size, 3), np.float32)
        expected = runtimes["training graph"](images)
        one = measure(runtimes, images[:1], values.rounds)
        many = measure(runtimes, images, max(values.rounds // 10, 5))
        base = {
            "one": statistics.median(one["training graph"]),
            "many": statistics.median(many["training graph"]),
        }
        for name, run in runtimes.items():
            cuts = statistics.quantiles(one[name], n=100)
            report = {
                "runtime": name,
                "largest_difference": float(f"{np.abs(run(images) - expected).max():.1e}"),
                "batch_1_ms": {f"p{p}": round(1000 * cuts[p - 1], 2) for p in (50, 95, 99)},
                "batch_1_faster": round(base["one"] / statistics.median(one[name]), 2),
                "batch_64_images_per_sec": round(64 / statistics.median(many[name]), 1),
                "batch_64_faster": round(base["many"] / statistics.median(many[name]), 2),
            }
            print(json.dumps(report))


if __name__ == "__main__":
    main()
