"""Memorization: whether translations are copies of training images."""

import hashlib

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.translations import EvalBatch


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Median distance to the nearest training image, over that of held-out real images.

    Targets that are training images do not count as held out. If all are, nothing is measured.

    A value well below 1 means memorization: translations are closer to training images than real
    images are. A value far above 1 means that translations resemble no real image.
    """
    trained_on = set(map(_digest, batch.training))
    held_out = [image for image in batch.targets if _digest(image) not in trained_on]
    if not held_out:
        return {}
    outputs = pairwise(batch.outputs, batch.training).min(1)
    real = float(np.median(pairwise(np.stack(held_out), batch.training).min(1)))
    low, high = bootstrap_interval(
        lambda sample: float(np.median(outputs[sample])) / real, len(outputs), resamples
    )
    value = float(np.median(outputs)) / real
    return {
        "nearest_training": Measurement(value, len(outputs), low, high, reference=1.0, better="")
    }


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()
