"""Whether many pictures are translated to one: the collapse that DiscoGAN was made against."""

import numpy as np

from discogan_tf.evaluation.distances import pairwise, to_nearest_other
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval, mean_of
from discogan_tf.evaluation.view import View

_CLOSEST = 0.01


def measure(view: View, resamples: int) -> dict[str, Measurement]:
    """`diversity`: mean distance between two outputs over that between two real pictures of their
    domain. `duplicates`: share of outputs whose nearest output is as close as only 1 % of real pictures
    are to theirs.
    """
    of_outputs = pairwise(view.outputs, view.outputs)
    of_targets = _mean_off_diagonal(pairwise(view.targets, view.targets))
    count = len(view.outputs)

    def ratio(drawn):
        # A picture drawn twice has no distance to itself.
        distances, distinct = of_outputs[np.ix_(drawn, drawn)], drawn[:, None] != drawn
        return float(distances[distinct].mean() / of_targets)

    low, high = bootstrap_interval(ratio, count, resamples)
    real = to_nearest_other(view.targets)
    # Not the very closest: two real pictures may be the same, and nothing is closer than that.
    close = np.quantile(real, _CLOSEST)
    is_duplicate = (to_nearest_other(view.outputs) <= close).astype(np.float64)
    return {
        "diversity": Measurement(
            _mean_off_diagonal(of_outputs) / of_targets, count, low, high, floor=1.0, better="higher"
        ),
        "duplicates": mean_of(is_duplicate, resamples, floor=float((real <= close).mean())),
    }


def _mean_off_diagonal(distances: np.ndarray) -> float:
    count = len(distances)
    return float(distances.sum() / (count * (count - 1)))
