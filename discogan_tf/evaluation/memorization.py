"""Memorization: whether translations are copies of training images."""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.translations import EvalBatch, indices_not_in


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Median distance to the nearest training image, over that of held-out real images.

    Targets that are training images do not count as held out. If all are, or are nearly equal to
    some, nothing is measured.

    A value well below 1 means memorization: translations are closer to training images than real
    images are. A value far above 1 means that translations resemble no real image.
    """
    held_out = batch.targets[indices_not_in(batch.targets, batch.training)]
    if not len(held_out):
        return {}
    real = float(np.median(pairwise(held_out, batch.training).min(1)))
    if not real:
        return {}
    outputs = pairwise(batch.outputs, batch.training).min(1)
    low, high = bootstrap_interval(
        lambda sample: float(np.median(outputs[sample])) / real, len(outputs), resamples
    )
    value = float(np.median(outputs)) / real
    return {
        "nearest_training": Measurement(value, len(outputs), low, high, reference=1.0, better="")
    }
