"""Sliced Wasserstein distance between patches of Laplacian pyramids.

Karras et al. 2018 (arXiv 1710.10196), section 5 and their released code: 7x7 patches at random
positions of each level, normalized per channel, projected on random directions. In one dimension
the Wasserstein distance is the mean difference of the sorted values. As in their code, it is
multiplied by 1,000. The low levels hold large structures, the high ones textures.
"""

import numpy as np
import tensorflow as tf

from discogan_tf.data.domains import evenly_spaced
from discogan_tf.evaluation.measurement import Measurement, spread_interval
from discogan_tf.evaluation.translations import EvalBatch

_PATCH, _PATCHES_PER_IMAGE = 7, 128
_PROJECTIONS = 512
_SMALLEST_LEVEL = 16
# Fewer are enough for the standard deviation.
_BOOTSTRAP_PROJECTIONS, _BOOTSTRAP_RESAMPLES = 64, 10


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Distance of the translations to real images; the reference is that of other real images."""
    count = min(len(batch.outputs), len(batch.targets))
    outputs, targets = evenly_spaced(batch.outputs, count), evenly_spaced(batch.targets, count)
    levels = distances(outputs, targets)
    value = float(np.mean(list(levels.values())))
    reference = None
    if batch.other_real is not None:
        reference_count = min(count, len(batch.other_real))
        others = evenly_spaced(batch.other_real, reference_count)
        of_real = distances(others, evenly_spaced(targets, reference_count))
        reference = float(np.mean(list(of_real.values())))

    def of_sample(sample):
        found = distances(outputs[sample], targets[sample], _BOOTSTRAP_PROJECTIONS)
        return float(np.mean(list(found.values())))

    low, high = spread_interval(value, of_sample, count, _BOOTSTRAP_RESAMPLES if resamples else 0)
    note = ", ".join(f"{size} px: {distance:.0f}" for size, distance in levels.items())
    return {"sliced_wasserstein": Measurement(value, count, low, high, reference, "lower", note)}


def distances(
    one: np.ndarray, other: np.ndarray, projections: int = _PROJECTIONS
) -> dict[int, float]:
    """The distance at each level of the pyramid, times 1,000: height of the level -> distance.

    Args:
      one, other: float32 [n, size, size, 3] in [0, 1], equally many.
      projections: Number of random directions.
    """
    found = {}
    for level_one, level_other in zip(_pyramid(one), _pyramid(other), strict=True):
        sorted_one, sorted_other = (
            np.sort(_project(_descriptors(level), projections))
            for level in (level_one, level_other)
        )
        found[level_one.shape[1]] = 1000 * float(np.abs(sorted_one - sorted_other).mean())
    return found


def _descriptors(level: np.ndarray) -> np.ndarray:
    """Random patches, float32 [n * patches, 7 * 7 * 3], each channel standardized."""
    rng = np.random.default_rng(1)
    count, size = level.shape[:2]
    corners = rng.integers(0, size - _PATCH + 1, (2, count * _PATCHES_PER_IMAGE))
    images = np.repeat(np.arange(count), _PATCHES_PER_IMAGE)
    windows = np.lib.stride_tricks.sliding_window_view(level, (_PATCH, _PATCH), axis=(1, 2))
    patches = windows[images, corners[0], corners[1]]  # [n * patches, 3, 7, 7]
    # In float64: what rounding leaves of a channel that does not vary would be divided by nearly 0.
    mean = patches.mean((0, 2, 3), keepdims=True, dtype=np.float64)
    deviation = patches.std((0, 2, 3), keepdims=True, dtype=np.float64)
    patches = patches - mean.astype(np.float32)
    patches /= (deviation + 1e-8).astype(np.float32)
    return patches.reshape(len(patches), -1)


def _project(descriptors: np.ndarray, projections: int) -> np.ndarray:
    """float32 [projections, n * patches]: sorting is many times faster along rows."""
    directions = np.random.default_rng(2).normal(size=(descriptors.shape[1], projections))
    directions /= np.sqrt(np.square(directions).sum(0))
    return directions.astype(np.float32).T @ descriptors.T


def _pyramid(images: np.ndarray) -> list[np.ndarray]:
    """Laplacian pyramid (Burt and Adelson 1983): what each size adds to the next smaller one."""
    levels, current = [], tf.constant(images)
    while current.shape[1] > _SMALLEST_LEVEL:
        smaller = _blur(current)[:, ::2, ::2]
        levels.append((current - _upsample(smaller)).numpy())
        current = smaller
    return [*levels, current.numpy()]


def _blur(images: tf.Tensor, gain: float = 1.0) -> tf.Tensor:
    weights = np.array([1, 4, 6, 4, 1], np.float32) / 16
    kernel = gain * np.outer(weights, weights)[..., None, None] * np.ones((1, 1, 3, 1), np.float32)
    padded = tf.pad(images, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    return tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")


def _upsample(images: tf.Tensor) -> tf.Tensor:
    """Twice the size: zeros between the pixels, blurred."""
    count, size = images.shape[:2]
    spread = tf.reshape(images, [count, size, 1, size, 1, 3])
    spread = tf.pad(spread, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
    return _blur(tf.reshape(spread, [count, 2 * size, 2 * size, 3]), gain=4.0)
