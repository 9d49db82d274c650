"""Hidden pairs: where each input has a true partner that training never saw beside it, is the partner
the real picture nearest to the translation? (Measured so by Gan et al. 2018, arXiv 1804.04020.)
"""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.evaluation.view import View

_RANKS = (1, 5)


def measure(view: View, resamples: int) -> dict[str, Measurement]:
    """Share of inputs whose partner is the nearest, or among the five nearest; the floor is chance."""
    if view.pairs is None:
        return {}
    distances = pairwise(view.outputs, view.targets)
    to_partner = distances[np.arange(len(view.pairs)), view.pairs]
    ranks = (distances < to_partner[:, None]).sum(1)
    return {
        f"retrieval_top_{rank}": mean_of(
            (ranks < rank).astype(np.float64), resamples, floor=rank / len(view.targets), better="higher"
        )
        for rank in _RANKS
    }
