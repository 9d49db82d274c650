"""Draws shaded, antialiased shapes on white. Independent of bags and shoes.

Points are (x, y) in the unit square, x to the right and y down.
"""

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 256  # Height and width of a finished image in pixels.
_OVERSAMPLING = 3
_PIXELS = SIZE * _OVERSAMPLING
# Shading is smooth, so it is computed this much coarser.
_SHADE_REDUCTION = 8

Color = tuple[int, int, int]
Points = list[tuple[float, float]]


class Canvas:
    """A white square to draw on.

    Args:
      rng: Source of the small differences in placement between images.
    """

    def __init__(self, rng: np.random.Generator):
        self._image = Image.new("RGB", (_PIXELS, _PIXELS), (255, 255, 255))
        self._draw = ImageDraw.Draw(self._image)
        angle, scale = np.radians(rng.normal(0, 1.5)), rng.uniform(0.86, 1.0)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self._matrix = turn * scale * np.array([rng.uniform(0.94, 1.04), 1.0])
        self._offset = 0.5 + rng.normal(0, 0.012, 2)

    def fill(self, outline: Points, paint: "Color | Image.Image", shaded: bool = True) -> None:
        """Fills a closed outline with a color, or with a texture the size of the canvas."""
        points = self._to_pixels(outline)
        corners = np.array(points)
        left, top = np.maximum(np.floor(corners.min(0)).astype(int) - 2, 0)
        right, bottom = np.minimum(np.ceil(corners.max(0)).astype(int) + 3, _PIXELS)
        box = (int(left), int(top), int(right), int(bottom))
        mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
        if isinstance(paint, Image.Image):
            colors = paint.crop(box)
        else:
            colors = Image.new("RGB", mask.size, paint)
        if shaded:
            light = _light(mask)
            colors = ImageChops.multiply(colors, Image.merge("RGB", (light, light, light)))
        self._image.paste(colors, box, mask)

    def stroke(self, line: Points, width: float, color: Color) -> None:
        """Draws a line of some width, in units of the canvas, with round ends."""
        points, pixels = self._to_pixels(line), max(1, round(width * _PIXELS))
        self._draw.line(points, fill=color, width=pixels, joint="curve")
        for x, y in (points[0], points[-1]):
            r = pixels / 2
            self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def strap(self, line: Points, width: float, color: Color) -> None:
        """A stroke that looks round: a dark rim, the color, and a light along its middle."""
        self.stroke(line, width, darker(color, 0.6))
        self.stroke(line, width * 0.78, color)
        self.stroke(line, width * 0.25, lighter(color, 0.25))

    def disc(self, center: tuple[float, float], radius: float, color: Color) -> None:
        (x, y), r = self._to_pixels([center])[0], radius * _PIXELS
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=color)

    def image(self) -> Image.Image:
        """The finished image, SIZE x SIZE: each pixel the mean of its oversampled ones."""
        return self._image.reduce(_OVERSAMPLING)

    def _to_pixels(self, points: Points) -> list[tuple[float, float]]:
        placed = (np.asarray(points) - 0.5) @ self._matrix.T + self._offset
        return [tuple(point) for point in (placed * _PIXELS).tolist()]


def texture(pattern: str, color: Color, accent: Color, period: float, angle: float) -> Image.Image:
    """A patterned surface the size of the canvas.

    Args:
      pattern: "stripes", "dots" or "checks".
      color: Color of the ground.
      accent: Color of the pattern.
      period: Distance of its repeats, in units of the canvas.
      angle: Turn of the pattern in degrees.
    """
    tile_size = max(6, round(period * _PIXELS))
    half = tile_size // 2
    tile = Image.new("RGB", (tile_size, tile_size), color)
    draw = ImageDraw.Draw(tile)
    if pattern == "stripes":
        draw.rectangle((0, 0, half, tile_size), fill=accent)
    elif pattern == "dots":
        margin = round(tile_size * 0.24)
        draw.ellipse((margin, margin, tile_size - margin, tile_size - margin), fill=accent)
    elif pattern == "checks":
        blend = tuple((a + b) // 2 for a, b in zip(color, accent, strict=True))
        draw.rectangle((0, 0, half, tile_size), fill=blend)
        draw.rectangle((0, 0, tile_size, half), fill=blend)
        draw.rectangle((0, 0, half, half), fill=accent)
    repeats = -(-round(_PIXELS * 1.5) // tile_size)
    row = np.tile(np.asarray(tile), (repeats, repeats, 1))
    turned = Image.fromarray(row).rotate(angle, Image.Resampling.BILINEAR)
    margin = (turned.width - _PIXELS) // 2
    return turned.crop((margin, margin, margin + _PIXELS, margin + _PIXELS))


def curve(points: Points, closed: bool = False, steps: int = 12) -> Points:
    """A smooth line through all points: a centripetal-free, uniform Catmull-Rom spline."""
    p = np.asarray(points, float)
    if closed:
        before, start, stop, after = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        padded = np.concatenate([[2 * p[0] - p[1]], p, [2 * p[-1] - p[-2]]])
        before, start, stop, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    line = 0.5 * (
        2 * start
        + (stop - before) * t
        + (2 * before - 5 * start + 4 * stop - after) * t**2
        + (3 * start - before - 3 * stop + after) * t**3
    )
    result = line.transpose(1, 0, 2).reshape(-1, 2).tolist()
    return [tuple(q) for q in result] + ([] if closed else [tuple(p[-1])])


def rounded(points: Points, radius: float) -> Points:
    """A polygon with its corners cut by quadratic Bezier curves of about this radius."""
    p = np.asarray(points, float)
    result = []
    for corner, before, after in zip(p, np.roll(p, 1, 0), np.roll(p, -1, 0), strict=True):
        to_before, to_after = before - corner, after - corner
        lengths = np.linalg.norm(to_before), np.linalg.norm(to_after)
        reach = min(radius, 0.48 * lengths[0], 0.48 * lengths[1])
        start, stop = (
            corner + to_before / lengths[0] * reach,
            corner + to_after / lengths[1] * reach,
        )
        t = np.linspace(0, 1, 8)[:, None]
        result += ((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * stop).tolist()
    return [tuple(point) for point in result]


def darker(color: Color, factor: float) -> Color:
    return tuple(round(value * factor) for value in color)


def lighter(color: Color, share: float) -> Color:
    return tuple(round(value + (255 - value) * share) for value in color)


def _light(mask: Image.Image) -> Image.Image:
    """How brightly each pixel of a shape is lit: from the upper left, less toward its rim."""
    width, height = mask.size
    coarse_size = (max(2, width // _SHADE_REDUCTION), max(2, height // _SHADE_REDUCTION))
    coarse = mask.resize(coarse_size, Image.Resampling.BOX)
    padded = Image.new("L", (coarse.width + 12, coarse.height + 12))
    padded.paste(coarse, (6, 6))
    inside = padded.filter(ImageFilter.GaussianBlur(2.5)).crop(
        (6, 6, 6 + coarse.width, 6 + coarse.height)
    )
    x, y = np.linspace(-1, 1, coarse.width)[None, :], np.linspace(-1, 1, coarse.height)[:, None]
    slope = 0.95 - 0.05 * x - 0.08 * y
    rim = np.clip(np.asarray(inside, np.float32) / 255 * 0.45 + 0.6, 0, 1)
    light = Image.fromarray(np.clip(slope * rim * 255, 0, 255).astype(np.uint8))
    return light.resize(mask.size, Image.Resampling.BILINEAR)
