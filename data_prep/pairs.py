"""One image of a pix2pix archive: two square halves side by side, a photo and a drawing of it."""

import dataclasses

import numpy as np
from PIL import Image

from data_prep.decoding import decode_jpeg, jpeg_size, opened, to_rgb
from data_prep.errors import ImageError
from data_prep.scaling import scale

PHOTO = "photo"
_FORMATS = ("JPEG", "PNG")
# The factors by which the JPEG transform can scale, averaging over squares of pixels.
_JPEG_REDUCTIONS = (8, 4, 2)
# A JPEG codes its colors in blocks of up to 16 pixels.
_JPEG_BLOCK = 16
# Of 255: more than a gray drawing has after JPEG, and less than any photo in color.
_COLORLESS = 6


@dataclasses.dataclass(frozen=True)
class PairForm:
    """How the pairs of an archive are laid out, and what to prepare of them.

    Attributes:
      photo_side: "right", or "left" in archives that are mirrored.
      side_is_certain: Whether the user stated it, which overrides what the images look like.
      drawing: Name of the other half: "edges", "labels", ...
      halves: Which halves to prepare.
      thicken_edges: Whether the lines of `edges` become two pixels thicker before scaling, as in
        the paper authors' code. Otherwise they fade to light gray.
    """

    photo_side: str = "right"
    side_is_certain: bool = False
    drawing: str = "edges"
    halves: tuple[str, ...] = ("edges", PHOTO)
    thicken_edges: bool = True

    @property
    def thickened(self) -> bool:
        return self.thicken_edges and self.drawing == "edges"


def split_pair(
    data: bytes, size: int, form: PairForm, max_pixels: int
) -> tuple[dict[str, np.ndarray], tuple[int, int]]:
    """Decodes a pair, crops its halves and then scales each, so that neither bleeds into the other.

    Scaling is by the area mean, most of it within the JPEG transform if the border of the halves is
    between that transform's blocks.

    Differs from the chapter, which scales the whole pair before it crops.

    Args:
      data: A file of the archive, twice as wide as high.
      size: Height and width of the results.
      form: How to read it.
      max_pixels: How many pixels a pair may have.

    Returns:
      Half -> uint8 [size, size, 3], for each of `form.halves`; and width and height of the halves
      before.

    Raises:
      ImageError: if the file is not an image, is corrupt or does not have two square halves.
    """
    found, side = {}, _side(data, max_pixels)
    drafted = [half for half in form.halves if half == PHOTO or not form.thickened]
    if drafted:
        pixels = _decoded(data, side // _jpeg_reduction(side, size), max_pixels)
        for half in drafted:
            found[half] = scale(_half(pixels, half, form), size, size)
    if len(drafted) < len(form.halves):
        thick = _thickened(_half(_decoded(data, side, max_pixels, gray=True), form.drawing, form))
        found[form.drawing] = np.repeat(scale(thick, size, size), 3, axis=2)
    return found, (side, side)


def colored_halves(data: bytes, max_pixels: int) -> str:
    """Which half of a pair is in color: "left", "right", "both" or "neither".

    Raises:
      ImageError: as `split_pair`.
    """
    pixels = _decoded(data, _side(data, max_pixels) // 8, max_pixels).astype(np.int16)
    color = np.ptp(pixels, axis=2)
    middle = color.shape[1] // 2
    # Away from the border, where JPEG and scaling mix the halves.
    left, right = (part.mean() for part in (color[:, : middle - 1], color[:, middle + 1 :]))
    if min(left, right) >= _COLORLESS:
        return "both"
    if abs(left - right) < _COLORLESS:
        return "neither"
    return "left" if left > right else "right"


def _side(data: bytes, max_pixels: int) -> int:
    """The side of a pair's halves, by its header."""
    size = jpeg_size(data)
    if size is None:
        with opened(data, _FORMATS, max_pixels) as pair:
            size = pair.size
    width, height = size
    if width * height > max_pixels:
        raise ImageError(f"{width}x{height} pixels, too many (--max_pixels={max_pixels})")
    if width != 2 * height:
        raise ImageError(f"{width}x{height} pixels, not two squares side by side")
    return height


def _decoded(data: bytes, side: int, max_pixels: int, gray: bool = False) -> np.ndarray:
    """A pair as uint8 [h, w, 3], or [h, w, 1]: h is `side` if the JPEG transform allows it."""
    pixels = decode_jpeg(data, 2 * side, side, gray) if jpeg_size(data) else None
    if pixels is None:
        with opened(data, _FORMATS, max_pixels) as pair:
            pixels = to_rgb(pair)
        if gray:
            pixels = np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]
    return pixels


def _half(pixels: np.ndarray, half: str, form: PairForm) -> np.ndarray:
    side = pixels.shape[0]
    left = (half == PHOTO) == (form.photo_side == "left")
    return pixels[:, :side] if left else pixels[:, side:]


def _jpeg_reduction(height: int, size: int) -> int:
    """The largest reduction that leaves at least `size` pixels and does not mix the halves."""
    if height % _JPEG_BLOCK:
        return 1
    return next((r for r in _JPEG_REDUCTIONS if height // r >= size), 1)


def _thickened(drawing: np.ndarray) -> np.ndarray:
    """Dark lines on light ground, a pixel thicker to every side: the darkest of 3 x 3 pixels."""
    rows = drawing.copy()
    np.minimum(rows[1:], drawing[:-1], out=rows[1:])
    np.minimum(rows[:-1], drawing[1:], out=rows[:-1])
    thick = rows.copy()
    np.minimum(thick[:, 1:], rows[:, :-1], out=thick[:, 1:])
    np.minimum(thick[:, :-1], rows[:, 1:], out=thick[:, :-1])
    return thick
