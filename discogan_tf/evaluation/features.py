"""Realism by the features of a network: Fréchet and kernel distance.

Both compare sets of feature vectors of real images and of translations. The features are those of
Keras's InceptionV3 after its last pooling, from a file that the user brings: no package has it.
They are not those of the original FID, which uses another network: compare these numbers only with
each other.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.errors import DataError
from discogan_tf.evaluation.measurement import Measurement, spread_interval
from discogan_tf.evaluation.translations import EvalBatch

# Fréchet distance falls with the number of images (Chong and Forsyth 2020, arXiv 1911.07023).
_ENOUGH = 1000
_INPUT_SIZE, _BATCH_SIZE = 299, 32
_WHERE = (
    "Use Keras's inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5. "
    "keras.applications.InceptionV3(include_top=False) downloads it to ~/.keras/models"
)


def create_extractor(weights: Path):
    """A function from images, float32 [n, size, size, 3] in [0, 1], to features, float32 [n, 2048].

    Args:
      weights: File of Keras's InceptionV3 weights without its top layer.

    Raises:
      DataError: if there is no such file, or it is of another network.
    """
    import keras

    if not weights.is_file():
        raise DataError(f"--feature_weights={weights}: no such file. {_WHERE}")
    try:
        network = keras.applications.InceptionV3(include_top=False, pooling="avg", weights=None)
        network.load_weights(weights)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"--feature_weights={weights}: not weights of InceptionV3 ({error}). {_WHERE}"
        ) from error

    @tf.function(reduce_retracing=True)
    def run(images):
        resized = tf.image.resize(images, [_INPUT_SIZE, _INPUT_SIZE], "bilinear")
        return network(2.0 * resized - 1.0, training=False)

    def extract(images):
        starts = range(0, len(images), _BATCH_SIZE)
        return np.concatenate(
            [run(tf.constant(images[i : i + _BATCH_SIZE])).numpy() for i in starts]
        )

    return extract


def measure(batch: EvalBatch, resamples: int, extract) -> dict[str, Measurement]:
    """Both distances of the translations to real images; the reference is of other real ones."""
    outputs, targets = extract(batch.outputs), extract(batch.targets)
    others = None if batch.other_real is None else extract(batch.other_real)
    count = min(len(outputs), len(targets))
    few = f"biased upward by fewer than {_ENOUGH} images; compare equal sample sizes only"
    notes = {"frechet": few if count < _ENOUGH else "", "kernel": ""}
    found = {}
    for name, distance in (("frechet", frechet_distance), ("kernel", kernel_distance)):
        value = distance(outputs, targets)
        low, high = spread_interval(
            value,
            lambda sample, d=distance: d(outputs[sample], targets),
            len(outputs),
            min(resamples, 20),
        )
        reference = None if others is None else distance(others, targets)
        found[name] = Measurement(value, count, low, high, reference, "lower", notes[name])
    return found


def frechet_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Fréchet distance between the normal distributions with the moments of two sets.

    Heusel et al. 2017 (arXiv 1706.08500), equation 6:

        |mean_1 - mean_2|^2 + tr(C_1) + tr(C_2) - 2 tr(sqrt(C_1 C_2))

    With C = X^T X of the centered features, the last trace is the sum of the singular values of
    X_1 X_2^T: exact, and a small matrix if there are fewer images than features.

    Args:
      one, other: Features, [n, d] and [m, d].
    """
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    roots = []
    for features in (one, other):
        centered = (features - features.mean(0)) / np.sqrt(len(features) - 1)
        # The triangle of a QR decomposition has the same covariance in no more rows than columns.
        is_tall = len(centered) > centered.shape[1]
        roots.append(np.linalg.qr(centered, mode="r") if is_tall else centered)
    singular_values = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False)
    between = np.square(one.mean(0) - other.mean(0)).sum()
    within = sum(np.square(root).sum() for root in roots)
    return float(between + within - 2 * singular_values.sum())


def kernel_distance(one: np.ndarray, other: np.ndarray) -> float:
    """Kernel distance (KID): unbiased squared MMD with the kernel (x.y / d + 1)^3.

    Binkowski et al. 2018 (arXiv 1801.01401), equation 4. It is 0 on average if both sets come from
    one distribution.

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
