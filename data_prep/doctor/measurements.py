"""Numbers of every picture of a split, a few thousand at a time."""

import dataclasses
import hashlib

import numpy as np
from tqdm import tqdm

from data_prep.prepared import PreparedDomain
from data_prep.records import is_intact

# Bytes of pictures looked at together; numbers of them take some times more.
_BYTES_AT_ONCE = 16 << 20
_MIDDLE_GREY, _NEARLY = 128, 3
# Height and width of the small copies by which near duplicates are looked for.
SMALL = 8


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Of the n pictures of a split.

    Attributes:
      contrast: float32 [n]: standard deviation of the channel that varies most, in steps of 8 bits.
      colour: float32 [n]: mean difference of a pixel's largest and smallest channel, likewise.
      most_colour: uint8 [n]: the largest such difference.
      cut_rows: int [n]: rows at the lower end that are plain middle grey, which is what decoders draw
        where the file of a photo ended too early, and someone saved that.
      digests: For each the digest of its pixels: equal for identical pictures.
      small: float32 [n, SMALL * SMALL * 3]: small copies.
      damaged: Places of the records whose checksum is wrong.
      mean, deviation: Of each channel over all pictures.
    """

    contrast: np.ndarray
    colour: np.ndarray
    most_colour: np.ndarray
    cut_rows: np.ndarray
    digests: list[bytes]
    small: np.ndarray
    damaged: list[int]
    mean: np.ndarray
    deviation: np.ndarray


def measure(domain: PreparedDomain, split: str) -> Measurements:
    """Reads every picture of a split once."""
    records, pictures = domain.records[split], domain.pictures(split)
    count, step = len(pictures), domain.size // SMALL
    contrast, colour = np.empty(count, np.float32), np.empty(count, np.float32)
    most_colour, cut_rows = np.empty(count, np.uint8), np.empty(count, int)
    small = np.empty((count, SMALL * SMALL * 3), np.float32)
    digests, damaged = [], []
    sums, squares = np.zeros(3), np.zeros(3)
    at_once = max(1, _BYTES_AT_ONCE // domain.size**2 // 3)
    starts = range(0, count, at_once)
    for start in tqdm(starts, desc=f"Examining {domain.name} {split}", unit=" batches", delay=1):
        some = slice(start, min(start + at_once, count))
        pixels = np.ascontiguousarray(pictures[some])
        contrast[some] = pixels.std((1, 2), dtype=np.float32).max(1)
        # By channels: NumPy is slow over a last axis of three.
        red, green, blue = (pixels[..., channel] for channel in range(3))
        highest = np.maximum(np.maximum(red, green), blue)
        differences = highest - np.minimum(np.minimum(red, green), blue)
        colour[some] = differences.mean((1, 2), dtype=np.float32)
        most_colour[some] = differences.max((1, 2))
        plain = (np.abs(pixels.astype(np.int16) - _MIDDLE_GREY) <= _NEARLY).all((2, 3))
        cut_rows[some] = np.cumprod(plain[:, ::-1], axis=1).sum(1)
        cells = pixels.reshape(len(pixels), SMALL, step, SMALL, step, 3)
        small[some] = cells.mean((2, 4), dtype=np.float32).reshape(len(pixels), -1)
        digests += [hashlib.sha256(picture).digest() for picture in pixels]
        damaged += [
            start + place for place, record in enumerate(records[some]) if not is_intact(record.tobytes())
        ]
        sums += pixels.sum((0, 1, 2), dtype=np.float64)
        squares += np.square(pixels, dtype=np.float32).sum((0, 1, 2), dtype=np.float64)
    values = count * domain.size**2
    mean = sums / values
    deviation = np.sqrt(np.maximum(squares / values - mean**2, 0))
    return Measurements(contrast, colour, most_colour, cut_rows, digests, small, damaged, mean, deviation)
