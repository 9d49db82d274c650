"""Speed of the training step, beside the matrix-multiply rate of the same cores in the same run.

    python -m benchmarks.training_step --precision=bfloat16 --batch_size=64 --num_steps=10 --json

One step is one update of both sides on random pictures of 64 pixels. Steps and multiplications
alternate, and the medians are reported.
"""

import argparse
import json
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.models import create_model
from discogan_tf.training import reproducibility
from discogan_tf.training.step import create_optimizers, create_step

# Matrices that outgrow the caches, as the larger layers do.
_MATRIX_SIZE = 2048
# Forward passes that an update amounts to, a gradient by weights or by inputs counting as one. Both
# sides: each generator runs twice, with both gradients of each; each discriminator runs on real and on
# drawn pictures, with both gradients for itself and one for the generators.
_PASSES_OF_BOTH = {"generator": 12, "discriminator": 14}
# The generators alone: the discriminators run on drawn pictures, with one gradient.
_PASSES_OF_GENERATORS = {"generator": 12, "discriminator": 4}


def nominal_gflop_per_pair(model, generator_updates: int) -> float:
    """Multiplications and additions of one step, for each pair of pictures, in 10^9."""
    flop = {
        "generator": _forward_flop(next(iter(model.generators.values()))),
        "discriminator": _forward_flop(next(iter(model.discriminators.values()))),
    }
    updates = [_PASSES_OF_BOTH] + [_PASSES_OF_GENERATORS] * (generator_updates - 1)
    return sum(passes[side] * flop[side] for passes in updates for side in flop) / 1e9


def _forward_flop(network, image_size: int = 64) -> int:
    """Counted by running it once: two per weight of a kernel and place where it is applied."""
    total = 0
    for layer in network.layers:
        if not hasattr(layer, "kernel"):
            continue
        original = layer.call

        def counted(x, layer=layer, original=original):
            nonlocal total
            y = original(x)
            places = int(np.prod(y.shape[1:-1]))
            total += 2 * places * int(np.prod(layer.kernel.shape))
            return y

        layer.call = counted
    network(tf.zeros((1, image_size, image_size, 3)))
    for layer in network.layers:
        layer.__dict__.pop("call", None)
    return total


def measure(config: Config, num_steps: int) -> dict:
    """Medians and spreads of alternating steps and matrix multiplications."""
    dtype, batch_size = tf.as_dtype(config.precision), config.batch_size
    generator_updates = config.generator_updates_per_step
    keras.utils.set_random_seed(config.seed)
    model = create_model(config, dtype)
    gflop = nominal_gflop_per_pair(model, generator_updates)
    step = create_step(model, create_optimizers(model, config), config, tf.distribute.get_strategy())
    rng = np.random.default_rng(0)
    batch = {k: tf.constant(rng.random((batch_size, 64, 64, 3), np.float32)) for k in ("a", "b")}
    # As many products at a time as keep all cores busy.
    at_a_time = max(1, reproducibility.cores() // reproducibility.threads())
    matrices = [
        tf.cast(rng.random((_MATRIX_SIZE, _MATRIX_SIZE), np.float32), dtype) for _ in range(at_a_time)
    ]
    multiply = tf.function(lambda matrices: [tf.matmul(matrix, matrix) for matrix in matrices])

    def seconds(function, *arguments):
        started = time.perf_counter()
        for tensor in tf.nest.flatten(function(*arguments)):
            tensor.numpy()
        return time.perf_counter() - started

    batches = (batch,) * generator_updates
    for _ in range(2):
        seconds(step, batches), seconds(multiply, matrices)
    steps, multiplications = [], []
    for _ in range(num_steps):
        steps.append(seconds(step, batches))
        multiplications += [seconds(multiply, matrices) for _ in range(5)]
    return {
        "precision": config.precision,
        "batch_size": batch_size,
        "generator_updates_per_step": generator_updates,
        "pairs_per_sec": batch_size / statistics.median(steps),
        "pairs_per_sec_range": [batch_size / max(steps), batch_size / min(steps)],
        "matmul_gflops": at_a_time * 2 * _MATRIX_SIZE**3 / statistics.median(multiplications) / 1e9,
        "nominal_gflop_per_pair": gflop,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--num_steps", type=int, default=10)
    parser.add_argument("--generator_updates_per_step", type=int, default=1)
    parser.add_argument("--num_threads", type=int, default=0, help="as of train.py")
    parser.add_argument("--deterministic", action="store_true", help="as of train.py")
    parser.add_argument("--json", action="store_true", help="print one line of JSON, last")
    arguments = parser.parse_args()
    config = Config(
        precision=arguments.precision,
        batch_size=arguments.batch_size,
        generator_updates_per_step=arguments.generator_updates_per_step,
        num_threads=arguments.num_threads,
        deterministic=arguments.deterministic,
    )
    reproducibility.enforce(config)
    result = measure(config, arguments.num_steps)
    if arguments.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name}: {value}")


if __name__ == "__main__":
    main()
