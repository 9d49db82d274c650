"""Measurements of every image of a split, a few thousand at a time."""

import dataclasses
import hashlib

import numpy as np
from tqdm import tqdm

from data_prep.prepared import PreparedDomain
from data_prep.records import is_intact

# Bytes of images that are measured together; their floats take several times more.
_BYTES_AT_ONCE = 16 << 20
_MIDDLE_GRAY, _NEARLY = 128, 3
# Height and width of the small copies by which near duplicates are found.
SMALL = 8


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Measurements of the n images of a split.

    Attributes:
      contrast: float32 [n]: standard deviation of the channel that varies most, in steps of 8 bits.
      color: float32 [n]: mean difference of a pixel's largest and smallest channel, likewise.
      most_color: uint8 [n]: the largest such difference.
      cut_rows: int [n]: rows at the lower end that are plain middle gray, which decoders produce if
        the file of a photo ended too early.
      digests: Digest of the pixels of each: equal for identical images.
      small: float32 [n, SMALL * SMALL * 3]: small copies.
      corrupt: Indices of the records whose checksum is wrong.
      mean, deviation: Of each channel over all images.
    """

    contrast: np.ndarray
    color: np.ndarray
    most_color: np.ndarray
    cut_rows: np.ndarray
    digests: list[bytes]
    small: np.ndarray
    corrupt: list[int]
    mean: np.ndarray
    deviation: np.ndarray


def measure(domain: PreparedDomain, split: str) -> Measurements:
    """Reads every image of a split once."""
    records, images = domain.records[split], domain.images(split)
    count, step = len(images), domain.size // SMALL
    contrast, color = np.empty(count, np.float32), np.empty(count, np.float32)
    most_color, cut_rows = np.empty(count, np.uint8), np.empty(count, int)
    small = np.empty((count, SMALL * SMALL * 3), np.float32)
    digests, corrupt = [], []
    sums, squares = np.zeros(3), np.zeros(3)
    at_once = max(1, _BYTES_AT_ONCE // domain.size**2 // 3)
    starts = range(0, count, at_once)
    for start in tqdm(starts, desc=f"Examining {domain.name} {split}", unit=" batches", delay=1):
        some = slice(start, min(start + at_once, count))
        pixels = np.ascontiguousarray(images[some])
        contrast[some] = pixels.std((1, 2), dtype=np.float32).max(1)
        # By channels: NumPy is slow over a last axis of three.
        red, green, blue = (pixels[..., channel] for channel in range(3))
        highest = np.maximum(np.maximum(red, green), blue)
        differences = highest - np.minimum(np.minimum(red, green), blue)
        color[some] = differences.mean((1, 2), dtype=np.float32)
        most_color[some] = differences.max((1, 2))
        plain = (np.abs(pixels.astype(np.int16) - _MIDDLE_GRAY) <= _NEARLY).all((2, 3))
        cut_rows[some] = np.cumprod(plain[:, ::-1], axis=1).sum(1)
        # Without the rest, at sizes that are not multiples of it.
        even = pixels[:, : SMALL * step, : SMALL * step]
        cells = even.reshape(len(pixels), SMALL, step, SMALL, step, 3)
        small[some] = cells.mean((2, 4), dtype=np.float32).reshape(len(pixels), -1)
        digests += [hashlib.sha256(image).digest() for image in pixels]
        corrupt += [
            start + index
            for index, record in enumerate(records[some])
            if not is_intact(record.tobytes())
        ]
        sums += pixels.sum((0, 1, 2), dtype=np.float64)
        squares += np.square(pixels, dtype=np.float32).sum((0, 1, 2), dtype=np.float64)
    values = count * domain.size**2
    mean = sums / values
    deviation = np.sqrt(np.maximum(squares / values - mean**2, 0))
    return Measurements(
        contrast, color, most_color, cut_rows, digests, small, corrupt, mean, deviation
    )
