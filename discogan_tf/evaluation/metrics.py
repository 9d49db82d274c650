"""All metrics, and the score that compares checkpoints."""

import numpy as np

from discogan_tf.evaluation import (
    color,
    diversity,
    memorization,
    reconstruction,
    retrieval,
    sliced_wasserstein,
    steganography,
)
from discogan_tf.evaluation.measurement import Measurement
from discogan_tf.evaluation.translations import EvalBatch

# In the order in which users read them.
_FAMILIES = (
    sliced_wasserstein,
    color,
    diversity,
    reconstruction,
    retrieval,
    steganography,
    memorization,
)


def measure(batch: EvalBatch, resamples: int = 0) -> dict[str, Measurement]:
    """Every metric that applies and needs no more files, and `score`.

    Args:
      batch: The images of one direction.
      resamples: Samples for each bootstrap interval; 0 for none.
    """
    found = {}
    for family in _FAMILIES:
        found |= family.measure(batch, resamples)
    found["score"] = score(found)
    return found


def score(found: dict[str, Measurement]) -> Measurement:
    """The score of a checkpoint: `sliced_wasserstein` * (2 - `relation`), lower is better.

    A translation must look real and preserve what it can of the input. One that preserves no color
    must be twice as close to real images as one that preserves all of it, and one that inverts
    colors three times. Neither part alone is enough: realistic shoes that have nothing to do with
    the bag have a small distance, and a copy of the bag has a perfect color correlation. Without
    inputs to compare with, it is the distance.
    """
    realism, correlation = found["sliced_wasserstein"], found.get("relation")
    if correlation is None:
        return realism
    value = realism.value * (2 - correlation.value)
    low = high = None
    if realism.low is not None and correlation.low is not None:
        # First-order propagation of two errors taken as independent.
        spreads = [(part.high - part.low) / 2 for part in (realism, correlation)]
        spread = float(np.hypot((2 - correlation.value) * spreads[0], realism.value * spreads[1]))
        low, high = value - spread, value + spread
    return Measurement(value, realism.count, low, high, realism.reference, "lower")
