"""Colors of images counted by their pixels, where captions say them exactly: no classifier.

The synthetic sample does: its captions have the attributes `color_rgb`, `second_color` and
`second_color_rgb`, `two_tone` and `pattern`.
"""

import json

import numpy as np

from discogan_tf import images as pixels
from discogan_tf.evaluation import color
from discogan_tf.evaluation.measurement import Measurement, mean_of

_EXACT = {"color_rgb", "second_color", "second_color_rgb", "two_tone", "pattern"}


def measure(
    rows: list[dict], known: list[dict], images: np.ndarray, real: np.ndarray, resamples: int
) -> dict[str, Measurement]:
    """Whether most pixels have the colors that captions say.

    Args:
      rows: What the caption of each image says.
      known: Rows whose colors make the palette, such as those of training.
      images: Generated from the captions, float32 [n, size, size, 3] in [0, 1].
      real: The images that the captions are of, likewise.
      resamples: Samples for each bootstrap interval; 0 for none.

    Returns:
      pixel_color_accuracy: Of plain things in one color, the share in which the requested color is
        that of most pixels of the foreground.
      pixel_two_color_accuracy: Of things in two colors, the share in which these are the two colors
        of most pixels. References are those of the real images. Nothing, if captions do not say
        the colors exactly.
    """
    if not all(row["attributes"].keys() >= _EXACT for row in [*rows, *known]):
        return {}
    palette = _palette(known)
    requested = [{row["color"], row["attributes"]["second_color"]} for row in rows]
    has_two = np.array([row["attributes"]["two_tone"] == "True" for row in rows])
    is_plain = np.array([row["attributes"]["pattern"] == "plain" for row in rows])
    found = {}
    ranked, ranked_real = _ranked_colors(images, palette), _ranked_colors(real, palette)
    for name, chosen, right in (
        ("pixel_color", ~has_two & is_plain, lambda i, ranks: ranks[i][0] == rows[i]["color"]),
        ("pixel_two_color", has_two, lambda i, ranks: set(ranks[i][:2]) == requested[i]),
    ):
        indices = np.flatnonzero(chosen)
        if len(indices) > 1:
            of_fake, of_real = (
                np.array([right(i, ranks) for i in indices], float)
                for ranks in (ranked, ranked_real)
            )
            found[f"{name}_accuracy"] = mean_of(
                of_fake, resamples, reference=float(of_real.mean()), better="higher"
            )
    return found


def _palette(rows: list[dict]) -> dict[str, np.ndarray]:
    """Name of a color -> its mean in CIELAB."""
    of_name: dict[str, list] = {}
    for row in rows:
        attributes = row["attributes"]
        for name, rgb in (
            (row["color"], attributes["color_rgb"]),
            (attributes["second_color"], attributes["second_color_rgb"]),
        ):
            of_name.setdefault(name, []).append(json.loads(rgb))
    return {
        name: color.to_lab(pixels.to_float(np.array(colors, np.uint8)).numpy()).mean(0)
        for name, colors in sorted(of_name.items())
    }


def _ranked_colors(images: np.ndarray, palette: dict[str, np.ndarray]) -> list[list[str]]:
    """Colors of the palette in each image, by how many pixels of its foreground have them."""
    lab, weights = color.to_lab(images), color.foreground_weights(images)
    distances = [np.linalg.norm(lab - of_name, axis=-1) for of_name in palette.values()]
    nearest, names = np.argmin(distances, 0), list(palette)
    shares = [(weights * (nearest == index)).sum((1, 2)) for index in range(len(names))]
    return [
        [names[index] for index in np.argsort(of_image)[::-1] if of_image[index] > 0]
        for of_image in np.transpose(shares)
    ]
