"""Color correlation and color cost: whether the colors of an image carry over.

Color is compared in CIELAB (lightness, green to red, blue to yellow), where equal distances look
about equal, as the mean over the foreground: what is not the white that products are photographed
on.
"""

import numpy as np

from discogan_tf.evaluation.measurement import Measurement, bootstrap_interval, mean_of
from discogan_tf.evaluation.translations import EvalBatch

CHANNELS = ("lightness", "red", "yellow")
# Darkest channel of a pixel that still counts as white; and the share of an image below which its
# foreground is taken for noise, and the whole image is used.
_WHITE, _LEAST_FOREGROUND = 0.9, 0.01
_SHUFFLES = 200
_GRAY_CHROMA, _HUES = 10, 12
# From linear sRGB to XYZ, and the white of D65 (IEC 61966-2-1).
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
# Smaller differences of colors in CIELAB are hardly visible.
_LEAST_DEVIATION = 1.0
_WHITE_POINT = _TO_XYZ.sum(1)


def measure(batch: EvalBatch, resamples: int) -> dict[str, Measurement]:
    """Correlation of each channel between inputs and translations, and `relation`, their mean.

    It is 0 for a channel that hardly varies among the real images of one of the domains.
    The reference is what 95 % of shuffled pairs stay below. If the ground truth of the inputs'
    colors is known, `ground_truth_color` is the mean correlation of the translations with it.

    `hue_overlap` is not optimized by runs that train on mean colors. It is the share of the
    foreground that has the hues of the input, as the intersection of two histograms. Its reference
    is that of shuffled pairs.

    `color_cost` is the mean distance of the colors of input and translation in CIELAB. Its
    reference is the least that an assignment of real images to the inputs could have.
    """
    if batch.inputs is None:
        return {}
    inputs, outputs, targets = map(foreground_colors, (batch.inputs, batch.outputs, batch.targets))
    # Drawings have no hues that could carry over.
    varies = np.minimum(inputs.std(0), targets.std(0)) > _LEAST_DEVIATION
    found = _correlations(inputs * varies, outputs, resamples)
    histograms = hue_histograms(batch.inputs), hue_histograms(batch.outputs)
    found["hue_overlap"] = mean_of(
        np.minimum(*histograms).sum(1),
        resamples,
        reference=float(np.minimum(histograms[0][:, None], histograms[1][None]).sum(-1).mean()),
        better="higher",
    )
    found["color_cost"] = mean_of(
        np.linalg.norm(inputs - outputs, axis=1),
        resamples,
        reference=float(best_assignment(inputs, targets)[1].mean()),
        better="lower",
        note=f"{random_cost(inputs, targets):.0f} for random real images",
    )
    if batch.ground_truth_colors is not None:
        truth = to_lab(batch.ground_truth_colors)
        found["ground_truth_color"] = _correlations(truth, outputs, resamples)["relation"]
    return found


def best_assignment(inputs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The assignment of targets to inputs with the least total cost, each target at most once.

    If there are fewer targets than inputs, each at most as often as all inputs need.

    Args:
      inputs, targets: Colors in CIELAB, [n, 3] and [m, 3].

    Returns:
      For each input, the index of its target, and the cost.
    """
    from scipy.optimize import linear_sum_assignment

    costs = _costs(inputs, targets)
    repeated = np.tile(costs, -(-len(inputs) // len(targets)))
    rows, columns = linear_sum_assignment(repeated)
    return columns % len(targets), repeated[rows, columns]


def random_cost(inputs: np.ndarray, targets: np.ndarray) -> float:
    """Mean cost of all pairs of an input and a target."""
    return float(_costs(inputs, targets).mean())


def _costs(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.linalg.norm(inputs[:, None] - targets[None], axis=-1)


def foreground_colors(images: np.ndarray) -> np.ndarray:
    """Mean CIELAB color of each image's foreground, [n, 3]."""
    return (to_lab(images) * foreground_weights(images)[..., None]).sum((1, 2))


def hue_histograms(images: np.ndarray) -> np.ndarray:
    """Share of each image's foreground in each bin, [n, 1 + 12]: gray first, then hues.

    A pixel is gray if its chroma, sqrt(a*^2 + b*^2), is below 10.
    """
    lab, weights = to_lab(images), foreground_weights(images)
    hue = np.arctan2(lab[..., 2], lab[..., 1]) / (2 * np.pi) % 1
    is_gray = np.hypot(lab[..., 1], lab[..., 2]) < _GRAY_CHROMA
    bins = np.where(is_gray, 0, 1 + np.minimum((hue * _HUES).astype(int), _HUES - 1))
    return np.stack([(weights * (bins == index)).sum((1, 2)) for index in range(1 + _HUES)], 1)


def foreground_weights(images: np.ndarray) -> np.ndarray:
    """Weight of each pixel in the mean over the foreground, [n, h, w]."""
    is_foreground = images.min(-1) < _WHITE
    too_small = is_foreground.mean((1, 2)) < _LEAST_FOREGROUND
    is_foreground[too_small] = True
    return is_foreground / is_foreground.sum((1, 2), keepdims=True)


def to_lab(colors: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] to CIELAB (CIE 15), [..., 3]: L* in 0 .. 100, a* and b* about -100 .. 100."""
    colors = np.asarray(colors, np.float64)
    linear = np.where(colors <= 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)
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
            lambda sample, pick=pick: pick(_correlation(one[sample], other[sample])),
            len(one),
            resamples,
        )
        reference = float(np.quantile([pick(c) for c in shuffled], 0.95))
        key = f"relation_{name}" if name else "relation"
        found[key] = Measurement(pick(values), len(one), low, high, reference, "higher")
    return found


def _correlation(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column; 0 for a column that does not vary."""
    one, other = one - one.mean(0), other - other.mean(0)
    scale = np.sqrt(np.square(one).sum(0) * np.square(other).sum(0))
    return np.divide((one * other).sum(0), scale, out=np.zeros(one.shape[1]), where=scale > 1e-9)
