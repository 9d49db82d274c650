"""What bags and shoes share: colors and patterns with the same distribution.

This is what allows a translator to match a bag and a shoe by their looks.
"""

import colorsys
import dataclasses

import numpy as np
from PIL import Image

from data_prep.sample.canvas import Color, darker, lighter, texture

PATTERNS = ("plain", "stripes", "dots", "checks")
_PATTERN_CHANCES = (0.55, 0.15, 0.15, 0.15)
_TWO_TONE_CHANCE = 0.4

# Name -> hue, saturation and value in 0 .. 1, and its weight. Reds and browns are common and
# greens rare: unlike with evenly distributed hues, only the identity maps the colors of one domain
# to those of the other with the right frequencies.
_COLORS = {
    "red": (0.99, 0.80, 0.78, 4),
    "orange": (0.07, 0.82, 0.90, 2),
    "yellow": (0.135, 0.78, 0.93, 2),
    "green": (0.36, 0.62, 0.55, 1.5),
    "teal": (0.49, 0.65, 0.62, 1),
    "blue": (0.61, 0.72, 0.62, 4),
    "purple": (0.76, 0.52, 0.62, 1),
    "pink": (0.93, 0.45, 0.92, 2),
    "brown": (0.07, 0.62, 0.45, 3),
    "beige": (0.10, 0.25, 0.84, 2),
    "gray": (0.60, 0.06, 0.55, 1),
    "black": (0.65, 0.12, 0.17, 3),
}
METALS = ((212, 175, 85), (190, 192, 198))


@dataclasses.dataclass(frozen=True)
class Style:
    """The looks of one image: two colors and a pattern."""

    color_name: str
    color: Color
    second_name: str
    second: Color
    pattern: str
    metal: Color
    surface: Color | Image.Image

    @property
    def two_tone(self) -> bool:
        return self.second_name != self.color_name

    def attributes(self) -> dict:
        """The ground truth about the image, for its JSON."""
        return {
            "color": self.color_name,
            "color_rgb": list(self.color),
            "second_color": self.second_name,
            "second_color_rgb": list(self.second),
            "two_tone": self.two_tone,
            "pattern": self.pattern,
        }


def draw_style(rng: np.random.Generator) -> Style:
    """Draws a style at random."""
    name, color = _draw_color(rng)
    second_name, second = name, darker(color, 0.72)
    if rng.random() < _TWO_TONE_CHANCE:
        while second_name == name:
            second_name, second = _draw_color(rng)
    pattern = str(rng.choice(PATTERNS, p=_PATTERN_CHANCES))
    surface = color
    if pattern != "plain":
        bright = sum(color) > 330
        accent = darker(color, 0.5) if bright else lighter(color, 0.65)
        angle = float(rng.choice((0, 45, 90))) if pattern == "stripes" else rng.choice((0.0, 45.0))
        surface = texture(pattern, color, accent, rng.uniform(0.055, 0.085), angle)
    metal = METALS[int(rng.integers(len(METALS)))]
    return Style(name, color, second_name, second, pattern, metal, surface)


def _draw_color(rng: np.random.Generator) -> tuple[str, Color]:
    names = list(_COLORS)
    chances = np.array([_COLORS[name][3] for name in names], float)
    name = names[int(rng.choice(len(names), p=chances / chances.sum()))]
    hue, saturation, value, _ = _COLORS[name]
    varied = (
        (hue + rng.normal(0, 0.008)) % 1,
        float(np.clip(saturation + rng.normal(0, 0.05), 0, 1)),
        float(np.clip(value + rng.normal(0, 0.04), 0.08, 0.97)),
    )
    return name, tuple(round(255 * channel) for channel in colorsys.hsv_to_rgb(*varied))
