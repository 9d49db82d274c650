"""Memorization: whether translations are copies of training images."""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.translations import EvalBatch


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Median distance to the nearest training image, over that of held-out real images.

    Well below 1, translations are closer to training images than real ones are: memorized. Far
    above 1 they are like no real image.
    """
    outputs = pairwise(batch.outputs, batch.training).min(1)
    real = float(np.median(pairwise(batch.targets, batch.training).min(1)))
    if real == 0:  # The targets are training images themselves.
        return {}
    low, high = bootstrap_interval(
        lambda sample: float(np.median(outputs[sample])) / real, len(outputs), resamples
    )
    value = float(np.median(outputs)) / real
    return {
        "nearest_training": Measurement(value, len(outputs), low, high, reference=1.0, better="")
    }
