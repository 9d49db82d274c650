"""Steganography: whether the reconstruction depends on details that no eye can see.

A cycle can cheat: the first generator encodes the input in its translation as a faint pattern, from
which the second reconstructs it (Chu et al. 2017, arXiv 1712.02950). Such a pattern does not
survive small changes.
"""

import numpy as np

from discogan_tf import images as pixels
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.translations import EvalBatch

# Standard deviation of the noise, in [0, 1]: four steps of 8 bits, which nobody sees.
_NOISE = 4 / 256


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Reconstruction error from perturbed translations over that from unperturbed ones.

    Perturbed are translations with noise, rounded to 8 bits. 1 is no steganography.
    """
    if batch.inverse is None:
        return {}
    noise = np.random.default_rng(0).normal(0, _NOISE, batch.outputs.shape).astype(np.float32)
    perturbed = pixels.to_float(pixels.to_uint8(batch.unrounded + noise)).numpy()
    plain = np.square(batch.inverse(batch.unrounded) - batch.inputs).mean((1, 2, 3))
    after = np.square(batch.inverse(perturbed) - batch.inputs).mean((1, 2, 3))
    if not plain.mean():
        return {}  # The reconstruction is perfect, and nothing can be divided by its error.
    low, high = bootstrap_interval(
        lambda sample: float(after[sample].mean() / plain[sample].mean()), len(plain), resamples
    )
    value = float(after.mean() / plain.mean())
    return {"steganography": Measurement(value, len(plain), low, high, reference=1.0)}
