"""Whether what a picture is carries over into its translation: colours first of all.

Colour is compared in CIELAB (lightness, green to red, blue to yellow), where equal distances look
about equal, as the mean over the foreground: what is not the white that products are photographed on.
"""

import numpy as np

from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval
from discogan_tf.evaluation.view import View

CHANNELS = ("lightness", "red", "yellow")
# Darkest channel of a pixel that still counts as white; and the share of a picture below which its
# foreground is taken for noise, and all of it is used.
_WHITE, _LEAST_FOREGROUND = 0.9, 0.01
_SHUFFLES = 200
# From linear sRGB to XYZ, and the white of D65 (IEC 61966-2-1).
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE_POINT = _TO_XYZ.sum(1)


def measure(view: View, resamples: int) -> dict[str, Measurement]:
    """Correlation of each channel between inputs and outputs, and `relation`, their mean.

    The floor is what 95 % of shuffled pairs stay below. Where the inputs' true colours are known,
    `true_colour` is the mean correlation of the outputs with these.
    """
    outputs = foreground_colours(view.outputs)
    found = _correlations(foreground_colours(view.inputs), outputs, resamples)
    if view.true_colours is not None:
        true = to_lab(view.true_colours)
        found["true_colour"] = _correlations(true, outputs, resamples)["relation"]
    return found


def foreground_colours(pictures: np.ndarray) -> np.ndarray:
    """Mean CIELAB colour of each picture's foreground, [n, 3]."""
    is_foreground = pictures.min(-1) < _WHITE
    too_small = is_foreground.mean((1, 2)) < _LEAST_FOREGROUND
    is_foreground[too_small] = True
    weights = is_foreground / is_foreground.sum((1, 2), keepdims=True)
    return (to_lab(pictures) * weights[..., None]).sum((1, 2))


def to_lab(colours: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIELAB (CIE 15), last axis 3: L* in 0 .. 100, a* and b* about -100 .. 100."""
    colours = np.asarray(colours, np.float64)
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE_POINT
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1
    )


def _correlations(one: np.ndarray, other: np.ndarray, resamples: int) -> dict[str, Measurement]:
    values = _correlation(one, other)
    rng = np.random.default_rng(0)
    shuffled = [_correlation(one, other[rng.permutation(len(other))]) for _ in range(_SHUFFLES)]
    found = {}
    for index, name in enumerate((*CHANNELS, None)):
        pick = (lambda c, index=index: float(c[index])) if name else (lambda c: float(np.mean(c)))
        low, high = bootstrap_interval(
            lambda drawn, pick=pick: pick(_correlation(one[drawn], other[drawn])), len(one), resamples
        )
        floor = float(np.quantile([pick(c) for c in shuffled], 0.95))
        key = f"relation_{name}" if name else "relation"
        found[key] = Measurement(pick(values), len(one), low, high, floor, "higher")
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson's, of each column; 0 where a column does not vary."""
    one, other = one - one.mean(0), other - other.mean(0)
    scale = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0))
    return np.divide((one * other).sum(0), scale, out=np.zeros(one.shape[1]), where=scale > 1e-9)
