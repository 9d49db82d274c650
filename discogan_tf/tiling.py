"""Translates images of any size with fully convolutional generators: padded, and in tiles."""

from collections.abc import Callable

import numpy as np

# Longest side of a tile. With 64 base filters and 6 blocks one takes 1.6 GiB, and 7 s on two cores.
TILE = 1024
# Neighboring tiles share at least so many pixels, over which one fades into the other.
_OVERLAP = 128
# Reflection padding needs some pixels at a quarter of the size.
LEAST_SIDE = 16


def translate_any_size(
    translate: Callable[[np.ndarray], np.ndarray],
    image: np.ndarray,
    multiple: int,
    tile: int = TILE,
    overlap: int = _OVERLAP,
) -> np.ndarray:
    """Translates an image at its own size.

    Args:
      translate: From float32 [1, h, w, 3] in [0, 1] to the same, h and w multiples of `multiple`.
      image: float32 [height, width, 3] in [0, 1].
      multiple: What sides the network needs. Images are padded with their last row and column,
        and the padding is cut off again.
      tile: Longest side that is translated at once, a multiple of `multiple`.
      overlap: How many pixels neighboring tiles share at least, up to `multiple`.

    Returns:
      float32 [height, width, 3] in [0, 1].
    """
    height, width = image.shape[:2]
    padding = [(0, _missing(side, multiple)) for side in (height, width)]
    padded = np.pad(image, [*padding, (0, 0)], "edge")
    rows, columns = (_starts(side, tile, overlap, multiple) for side in padded.shape[:2])
    total = np.zeros_like(padded)
    weights = np.zeros((*padded.shape[:2], 1), np.float32)
    for top in rows:
        for left in columns:
            part = padded[top : top + tile, left : left + tile]
            weight = (
                _ramp(len(part), overlap)[:, None, None] * _ramp(part.shape[1], overlap)[:, None]
            )
            place = slice(top, top + tile), slice(left, left + tile)
            total[place] += weight * translate(part[None])[0]
            weights[place] += weight
    return (total / weights)[:height, :width]


def _missing(side: int, multiple: int) -> int:
    """How many pixels to add to a side."""
    target = max(side, LEAST_SIDE)
    return -(-target // multiple) * multiple - side


def _starts(side: int, tile: int, overlap: int, multiple: int) -> list[int]:
    """Where tiles start, evenly spaced multiples of `multiple`; the last ends at the side's end."""
    if side <= tile:
        return [0]
    count = -(-(side - overlap) // (tile - overlap))
    places = np.linspace(0, side - tile, count)
    return [int(place) // multiple * multiple for place in places]


def _ramp(length: int, overlap: int) -> np.ndarray:
    """Weights of a tile along one axis: rising over the overlap, 1 within, falling, never 0."""
    steps = np.arange(1, length + 1, dtype=np.float32)
    return np.minimum(np.minimum(steps, steps[::-1]) / overlap, 1)
