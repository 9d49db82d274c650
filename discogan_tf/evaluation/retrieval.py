"""Retrieval of hidden pairs: whether the real image nearest to a translation is its ground truth.

For domains whose images are paired, though training never saw a pair together (as in Gan
et al. 2018, arXiv 1804.04020).
"""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.evaluation.translations import EvalBatch

_RANKS = (1, 5)


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Share of inputs whose ground truth is the nearest, or among the five nearest.

    The reference is chance.
    """
    if batch.pairs is None:
        return {}
    distances = pairwise(batch.outputs, batch.targets)
    to_ground_truth = distances[np.arange(len(batch.pairs)), batch.pairs]
    ranks = (distances < to_ground_truth[:, None]).sum(1)
    return {
        f"retrieval_top_{rank}": mean_of(
            (ranks < rank).astype(np.float64),
            resamples,
            reference=rank / len(batch.targets),
            better="higher",
        )
        for rank in _RANKS
    }
