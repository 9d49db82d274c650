"""Splits captioned images: copies of an image on one side, whole combinations held out."""

import hashlib

import numpy as np

from data_prep.captions.table import CaptionedImage
from data_prep.check.duplicates import near_pairs
from data_prep.check.measurements import SMALL
from data_prep.scaling import scale

# Near duplicates are found among this many images; more take many minutes. Identical images are
# always found.
MOST_COMPARED = 50_000


def groups_of_copies(images: np.ndarray) -> np.ndarray:
    """The group of each image, int [n]: identical and nearly identical images share one.

    Args:
      images: uint8 [n, size, size, 3].

    Returns:
      For each image, the index of the first of its group.
    """
    first = np.arange(len(images))

    def root(index: int) -> int:
        while first[index] != index:
            first[index] = first[first[index]]
            index = first[index]
        return index

    by_digest: dict[bytes, int] = {}
    for index, image in enumerate(images):
        same = by_digest.setdefault(hashlib.sha256(image.tobytes()).digest(), index)
        first[index] = same
    if len(images) <= MOST_COMPARED:
        small = np.stack([scale(image, SMALL, SMALL).ravel() for image in images])
        pairs = near_pairs(
            small.astype(np.float32), None, images.__getitem__, images.__getitem__, all_of_them=True
        )
        for one, other in pairs:
            one, other = sorted((root(one), root(other)))
            first[other] = one
    return np.array([root(index) for index in range(len(images))])


def held_out_combinations(rows: list[CaptionedImage], share: float) -> set[tuple[str, str]]:
    """Combinations of type and color to hold out of training, chosen by their names alone.

    Each of their types and colors stays in two other combinations of training: a composition of
    what is known can be requested, a new word cannot.

    Args:
      rows: All captioned images.
      share: About which fraction of the combinations; 0 for none.
    """
    kept = {(row.type, row.color) for row in rows if row.type and row.color}
    by_chance = sorted((_number("\0".join(pair).encode()), pair) for pair in kept)
    held_out = set()
    for number, (kind, color) in by_chance:
        others = kept - {(kind, color)}
        if (
            number < share
            and sum(one == kind for one, _ in others) >= 2
            and sum(other == color for _, other in others) >= 2
        ):
            held_out.add((kind, color))
            kept = others
    return held_out


def split_images(
    images: np.ndarray, rows: list[CaptionedImage], val_share: float, held_out: set
) -> list[str]:
    """Split of each image, "train" or "val".

    A group of copies goes to one split, which depends on the pixels of its first image; to "val" if
    any of them is of a combination held out.

    Args:
      images: Copies of them of one size, uint8 [n, size, size, 3].
      rows: What the table says about each.
      val_share: Fraction of the groups for validation.
      held_out: Of `held_out_combinations`.
    """
    groups = groups_of_copies(images)
    numbers = {first: _number(images[first].tobytes()) for first in set(groups.tolist())}
    val = {first for first, number in numbers.items() if number < val_share}
    if val_share > 0 and not val and len(numbers) > 1:
        val = {min(numbers, key=numbers.get)}
    val |= {
        int(first)
        for first, row in zip(groups, rows, strict=True)
        if (row.type, row.color) in held_out
    }
    return ["val" if first in val else "train" for first in groups]


def _number(content: bytes) -> float:
    """A number in [0, 1) that depends on nothing but `content`."""
    return int.from_bytes(hashlib.sha256(content).digest()[:8], "big") / 2**64
