"""Retrieval of hidden pairs: whether the real image nearest to a translation is its ground truth.

For domains whose images are paired, though training never saw a pair together (as in Gan
et al. 2018, arXiv 1804.04020). Nearest in pixels asks for shape and color at once. Nearest in
gradients asks for shape in the right place only: a drawing does not say the color of its photo.
"""

import numpy as np

from discogan_tf.evaluation.distances import pairwise
from discogan_tf.evaluation.measurement import Measurement, mean_of
from discogan_tf.evaluation.translations import EvalBatch

_RANKS = (1, 5)
# Standard deviation of the blur of gradients, in pixels of a 64-pixel image.
_BLUR = 1.0


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Share of inputs whose ground truth is the nearest, or among the five nearest.

    `retrieval_top_K` compares pixels and `retrieval_gradients_top_1` gradients; their reference is
    chance. Two rows need no model: `retrieval_untranslated_top_1` compares the pixels of the
    inputs themselves, and `retrieval_fixed_rule_top_1` their gradients. A translation that is
    found less often than its own input has moved or lost the shape.
    """
    if batch.pairs is None:
        return {}
    found = _of_distances("retrieval", pairwise(batch.outputs, batch.targets), batch, resamples)
    target_gradients = gradients(batch.targets)

    def top_1(name, one, other):
        return _of_distances(name, pairwise(one, other), batch, resamples, ranks=(1,))

    found |= top_1("retrieval_gradients", gradients(batch.outputs), target_gradients)
    found |= top_1("retrieval_untranslated", batch.inputs, batch.targets)
    return found | top_1("retrieval_fixed_rule", gradients(batch.inputs), target_gradients)


def ranks_of_ground_truth(distances: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """For each input, how many targets are nearer than its ground truth: [n].

    Args:
      distances: Of each input to each target, [n, m].
      pairs: Index of each input's ground truth among the targets, [n].
    """
    to_ground_truth = distances[np.arange(len(pairs)), pairs]
    return (distances < to_ground_truth[:, None]).sum(1)


def gradients(images: np.ndarray) -> np.ndarray:
    """Blurred gradient magnitude of each image's gray values, standardized: float32 [n, h, w, 1].

    Args:
      images: float32 [n, h, w, 3] in [0, 1].
    """
    from scipy.ndimage import gaussian_filter

    gray = images.mean(-1)
    vertical, horizontal = np.gradient(gray, axis=(1, 2))
    sigma = _BLUR * images.shape[1] / 64
    magnitude = gaussian_filter(np.hypot(vertical, horizontal), (0, sigma, sigma))
    centered = magnitude - magnitude.mean((1, 2), keepdims=True)
    return (centered / (centered.std((1, 2), keepdims=True) + 1e-6))[..., None]


def _of_distances(name, distances, batch, resamples, ranks=_RANKS) -> dict[str, Measurement]:
    found = ranks_of_ground_truth(distances, batch.pairs)
    return {
        f"{name}_top_{rank}": mean_of(
            (found < rank).astype(np.float64),
            resamples,
            reference=rank / distances.shape[1],
            better="higher",
        )
        for rank in ranks
    }
