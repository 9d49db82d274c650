"""Identical and nearly identical images, within a split and across splits."""

import collections
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

# Near duplicates are searched among this many images of each split; more take minutes.
MOST_COMPARED = 20_000
_ROWS = 1024
# Root mean square differences, in steps of 8 bits: of the small copies, then of the images.
_SMALL_DIFFERENCE = 4.0
_DIFFERENCE = 10.0


def groups_of_identical(digests: list[bytes]) -> list[list[int]]:
    """Indices of the images that are identical, two or more in each group."""
    indices = collections.defaultdict(list)
    for index, digest in enumerate(digests):
        indices[digest].append(index)
    return [group for group in indices.values() if len(group) > 1]


def near_pairs(
    one: np.ndarray,
    other: np.ndarray | None,
    image_of_one: Callable,
    image_of_other: Callable,
    all_of_them: bool = False,
) -> list[tuple[int, int]]:
    """Pairs of images that are nearly, but not exactly, identical.

    Args:
      one, other: float32 [n, d], small copies; None for `other` compares within `one`.
      image_of_one, image_of_other: Functions that map an index to the image, uint8 [size, size, 3].
      all_of_them: Whether to return every pair.

    Returns:
      Indices in `one` and in `other`: each image of `one` once, with the first that it resembles,
      unless `all_of_them`.
    """
    within = other is None
    other = one if within else other
    # |x - y|^2 = |x|^2 + |y|^2 - 2 x.y, for many at once.
    norms = np.square(other).sum(1)
    limit = _SMALL_DIFFERENCE**2 * one.shape[1]
    found = []
    for start in tqdm(
        range(0, len(one), _ROWS), desc="Looking for near duplicates", unit=" thousand", delay=1
    ):
        rows = one[start : start + _ROWS]
        distances = np.square(rows).sum(1)[:, None] + norms - 2 * rows @ other.T
        if within:  # Each pair once, and none with itself.
            distances[np.arange(len(other)) <= start + np.arange(len(rows))[:, None]] = np.inf
        for row in np.flatnonzero((distances < limit).any(1)):
            for index in np.flatnonzero(distances[row] < limit):
                difference = _difference(image_of_one(start + row), image_of_other(index))
                if 0 < difference < _DIFFERENCE:
                    found.append((int(start + row), int(index)))
                    if not all_of_them:
                        break
    return found


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.square(one.astype(np.float32) - other).mean()))
