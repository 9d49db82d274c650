"""Realism by a network's features: Fréchet and kernel distance, for who has its weights.

Both compare sets of feature vectors of real and of translated pictures. The features are those of
Keras's InceptionV3 after its last pooling, from a file that the user brings: no package carries it.
They are not those of the original FID, whose network is another: compare numbers of this program only
with each other.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.data.domains import evenly_spaced
from discogan_tf.errors import DataError
from discogan_tf.evaluation.measurement import Measurement, spread_interval
from discogan_tf.evaluation.view import View

# Fréchet distance falls with the number of pictures (Chong and Forsyth 2020, arXiv 1911.07023).
_ENOUGH = 1000
_INPUT_SIZE, _BATCH_SIZE = 299, 32
_WHERE = (
    "Keras's inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 is one; with a connection, "
    "keras.applications.InceptionV3(include_top=False) leaves it in ~/.keras/models"
)


def create_extractor(weights: Path):
    """A function from pictures, float32 [n, size, size, 3] in [0, 1], to features, float32 [n, 2048].

    Args:
      weights: File of Keras's InceptionV3 weights without its top layer.

    Raises:
      DataError: if there is no such file, or it is of another network.
    """
    import keras

    if not weights.is_file():
        raise DataError(f"--feature_weights={weights}: no such file. {_WHERE}.")
    try:
        network = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
        network.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"--feature_weights={weights}: not weights of InceptionV3 ({error}). {_WHERE}."
        ) from error

    @tf.function(reduce_retracing=True)
    def run(pictures):
        resized = tf.image.resize(pictures, [_INPUT_SIZE, _INPUT_SIZE], "bilinear")
        return network(2.0 * resized - 1.0, training=False)

    def extract(pictures):
        starts = range(0, len(pictures), _BATCH_SIZE)
        return np.concatenate([run(tf.constant(pictures[i : i + _BATCH_SIZE])).numpy() for i in starts])

    return extract


def measure(view: View, resamples: int, extract) -> dict[str, Measurement]:
    """Both distances of the outputs to real pictures; the floor is that of other real ones."""
    outputs, targets = extract(view.outputs), extract(view.targets)
    others = extract(evenly_spaced(view.training, len(view.outputs)))
    count = min(len(outputs), len(targets))
    few = f"of fewer than {_ENOUGH} pictures: too high, by an amount that depends on them"
    notes = {"frechet": few if count < _ENOUGH else "", "kernel": ""}
    found = {}
    for name, distance in (("frechet", frechet_distance), ("kernel", kernel_distance)):
        value = distance(outputs, targets)
        low, high = spread_interval(
            value, lambda drawn, d=distance: d(outputs[drawn], targets), len(outputs), min(resamples, 20)
        )
        found[name] = Measurement(value, count, low, high, distance(others, targets), "lower", notes[name])
    return found


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Between the normal distributions with the means and covariances of two sets (Heusel et al. 2017,
    arXiv 1706.08500, equation 6):

        |mean_1 - mean_2|^2 + tr(C_1) + tr(C_2) - 2 tr(sqrt(C_1 C_2))

    With C = X^T X of the centred features, the last trace is the sum of the singular values of
    X_1 X_2^T: exact, and for fewer pictures than features a small matrix.

    Args:
      one, other: Features, [n, d] and [m, d].
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    roots = []
    for features in (one, other):
        centred = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        # The triangle of a QR decomposition has the same covariance in no more rows than columns.
        roots.append(np.linalg.qr(centred, mode="r") if len(centred) > centred.shape[1] else centred)
    singular_values = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False)
    between = np.square(one.mean(0) - other.mean(0)).sum()
    return float(between + sum(np.square(root).sum() for root in roots) - 2 * singular_values.sum())


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x.y / d + 1)^3 (Binkowski et al. 2018,
    arXiv 1801.01401, equation 4): 0 on average where both sets are drawn from one distribution.

    Args:
      one, other: Features, [n, d] and [m, d].
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)

    def kernel(x, y):
        return (x @ y.T / one.shape[1] + 1) ** 3

    within = 0.0
    for features in (one, other):
        values, count = kernel(features, features), len(features)
        within += (values.sum() - np.trace(values)) / (count * (count - 1))
    return float(within - 2 * kernel(one, other).mean())
