"""Mode collapse: whether many images are translated to one."""

import numpy as np

from discogan_tf.evaluation.distances import pairwise, to_nearest_other
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval, mean_of
from discogan_tf.evaluation.translations import EvalBatch

_CLOSEST = 0.01
# Half of a step of 8 bits: closer images are the same.
_SAME = 0.00196


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Diversity and duplicates of the translations.

    `diversity`: mean distance between two translations over that between two real images of the
    target domain. `duplicates`: share of translations whose nearest neighbor is no farther than the
    1 % quantile of the nearest-neighbor distances between real images, or than half a step of 8
    bits. Nothing, for fewer than two images, or if all real images are the same.
    """
    if min(len(batch.outputs), len(batch.targets)) < 2:
        return {}
    of_targets = _mean_off_diagonal(pairwise(batch.targets, batch.targets))
    if not of_targets:
        return {}
    of_outputs = pairwise(batch.outputs, batch.outputs)
    count = len(batch.outputs)

    def ratio(sample):
        # An image that the sample holds twice has no distance to itself.
        distances, distinct = of_outputs[np.ix_(sample, sample)], sample[:, None] != sample
        return float(distances[distinct].mean() / of_targets) if distinct.any() else float("nan")

    low, high = bootstrap_interval(ratio, count, resamples)
    real = to_nearest_other(batch.targets)
    # Not the minimum: two real images may be identical, and nothing is closer than that.
    close = max(np.quantile(real, _CLOSEST), _SAME)
    is_duplicate = (to_nearest_other(batch.outputs) <= close).astype(np.float64)
    value = _mean_off_diagonal(of_outputs) / of_targets
    return {
        "diversity": Measurement(value, count, low, high, reference=1.0, better="higher"),
        "duplicates": mean_of(is_duplicate, resamples, reference=float((real <= close).mean())),
    }


def _mean_off_diagonal(distances: np.ndarray) -> float:
    count = len(distances)
    return float(distances.sum() / (count * (count - 1)))
