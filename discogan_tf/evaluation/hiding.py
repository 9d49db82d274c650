"""Whether the way back reads what eyes cannot see.

A cycle can cheat: it hides the original in the translation as a faint pattern and reads it back
(Chu et al. 2017, arXiv 1712.02950). What is hidden so does not survive small changes.
"""

import numpy as np

from discogan_tf import images
from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.view import View

# Deviation of the noise, in [0, 1]: four steps of 8 bits, which nobody sees.
_NOISE = 4 / 256


def measure(view: View, resamples: int) -> dict[str, Measurement]:
    """Reconstruction error from translations perturbed and rounded to 8 bits, over that from
    translations as the network gives them. 1 is nothing hidden.
    """
    if view.back is None:
        return {}
    noise = np.random.default_rng(0).normal(0, _NOISE, view.outputs.shape).astype(np.float32)
    perturbed = images.to_float(images.to_uint8(view.unrounded + noise)).numpy()
    plain = np.square(view.back(view.unrounded) - view.inputs).mean((1, 2, 3))
    after = np.square(view.back(perturbed) - view.inputs).mean((1, 2, 3))
    if not plain.mean():
        return {}  # The way back is perfect, and nothing can be divided by its error.
    low, high = bootstrap_interval(
        lambda drawn: float(after[drawn].mean() / plain[drawn].mean()), len(plain), resamples
    )
    return {"hiding": Measurement(float(after.mean() / plain.mean()), len(plain), low, high, floor=1.0)}
