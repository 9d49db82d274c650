"""The table of metrics, and the score by which checkpoints are compared."""

import numpy as np

from discogan_tf.evaluation import (
    diversity,
    hiding,
    memorisation,
    reconstruction,
    relation,
    retrieval,
    sliced_wasserstein,
)
from discogan_tf.evaluation.measurement import Measurement
from discogan_tf.evaluation.view import View

# In the order in which people read them.
_FAMILIES = (sliced_wasserstein, relation, diversity, reconstruction, retrieval, hiding, memorisation)


def measure(view: View, resamples: int = 0) -> dict[str, Measurement]:
    """Every metric that can be had without more files, and `score`.

    Args:
      view: The pictures of one direction.
      resamples: Samples for each bootstrap interval; 0 for none.
    """
    found = {}
    for family in _FAMILIES:
        found |= family.measure(view, resamples)
    found["score"] = score(found)
    return found


def score(found: dict[str, Measurement]) -> Measurement:
    """One number to choose a checkpoint by, lower is better: `sliced_wasserstein` * (2 - `relation`).

    A translation must look real and keep what it can of the picture. One that carries no colour over
    must look twice as real as one that carries all of it, and one that inverts colours three times.
    Neither part alone will do: the distance is small for real-looking shoes that have nothing to do
    with the bag, and the relation is perfect for a copy of the bag.
    """
    realism, carried = found["sliced_wasserstein"], found["relation"]
    value = realism.value * (2 - carried.value)
    low = high = None
    if realism.low is not None and carried.low is not None:
        # First order propagation of two errors taken for independent.
        spreads = [(part.high - part.low) / 2 for part in (realism, carried)]
        spread = float(np.hypot((2 - carried.value) * spreads[0], realism.value * spreads[1]))
        low, high = value - spread, value + spread
    return Measurement(value, realism.count, low, high, realism.floor, "lower")
