"""Captions of a prepared domain, aligned with its images."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from discogan_tf import text
from discogan_tf.data.color_names import basic_color
from discogan_tf.errors import DataError

# The file that `data_prep captions` writes beside the images.
_NAME = "captions.json"
# Further captions of an image are not used.
_MOST = 16


@dataclasses.dataclass(frozen=True)
class Captions:
    """The captions of the n images of a split.

    Attributes:
      rows: For each image {"captions", "type", "color", "held_out", "attributes"}.
      characters: int32 [n, k, 99], as `text.encode` returns them. An image with fewer than k
        captions has some of them several times.
      classes: int32 [n]: the combination of type and basic color, numbered from 0. An image without
        one is a class of its own.
      kinds: int32 [n]: the type alone, likewise.
    """

    rows: list[dict]
    characters: np.ndarray
    classes: np.ndarray
    kinds: np.ndarray

    def take(self, indices: np.ndarray) -> "Captions":
        """Some of the images."""
        return Captions(
            [self.rows[index] for index in indices],
            self.characters[indices],
            self.classes[indices],
            self.kinds[indices],
        )

    def words(self) -> set[str]:
        """All words of the captions that training uses: of the first `_MOST` of each image."""
        return {
            word
            for row in self.rows
            for caption in row["captions"][:_MOST]
            for word in text.words(caption)
        }


def load_captions(folder: Path, split: str) -> Captions | None:
    """The captions of a split of a prepared domain; None if it has none.

    Args:
      folder: Of the domain at one size.
      split: "train" or "val".

    Raises:
      DataError: if the file is corrupt.
    """
    path = folder / _NAME
    if not path.is_file():
        return None
    try:
        rows = json.loads(path.read_text())[split]
        most = min(_MOST, max(len(row["captions"]) for row in rows))
        repeated = [caption for row in rows for caption in _repeated(row["captions"], most)]
        return Captions(
            rows,
            text.encode(repeated).reshape(len(rows), most, text.LENGTH),
            # By basic colors: "navy blue" and "blue" often name the same color, so that neither
            # mismatches the other.
            _numbered([(row["type"], basic_color(row["color"])) for row in rows]),
            _numbered([(row["type"],) for row in rows]),
        )
    except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
        raise DataError(
            f"{path} is corrupt ({error}). Remove its folder and prepare it again"
        ) from error


class Mismatches:
    """For each image, images that its captions do not describe: those of other classes.

    Half of them are of the same type in another basic color, if there are any. Otherwise a
    discriminator could classify all mismatches by the type, and would never learn words of color.

    Args:
      captions: Of all images.
    """

    def __init__(self, captions: Captions):
        # By type, then class: the images of a class, and those of a type, are neighbors.
        self._order = np.lexsort((captions.classes, captions.kinds))
        self._class_blocks = _blocks(captions.classes[self._order], self._order)
        self._kind_blocks = _blocks(captions.kinds[self._order], self._order)
        if (self._class_blocks[:, 1] == len(self._order)).all():
            raise DataError("all captions are of one class, so that none is a mismatch of another")

    def of(self, indices: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """An image of another class for each of some images.

        Args:
          indices: int64 [m], the images.
          numbers: float32 [m, 2] in [0, 1): whether of the same type; and which.

        Returns:
          int64 [m].
        """
        start, count = self._class_blocks[indices].T
        kind_start, kind_count = self._kind_blocks[indices].T
        same_kind = (numbers[:, 0] < 0.5) & (kind_count > count)
        first = np.where(same_kind, kind_start, 0)
        total = np.where(same_kind, kind_count, len(self._order)) - count
        # A position among the candidates; those after the image's own class lie behind its block.
        place = first + np.minimum((numbers[:, 1] * total).astype(np.int64), total - 1)
        return self._order[np.where(place >= start, place + count, place)]


def _blocks(numbers: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Start and length of the block of each image in `order`: int64 [n, 2], by image."""
    _, starts, inverse, counts = np.unique(
        numbers, return_index=True, return_inverse=True, return_counts=True
    )
    found = np.empty((len(order), 2), np.int64)
    found[order] = np.stack([starts[inverse], counts[inverse]], axis=1)
    return found


def _repeated(captions: list[str], count: int) -> list[str]:
    return [captions[index % len(captions)] for index in range(count)]


def _numbered(keys: list[tuple[str, ...]]) -> np.ndarray:
    """The same number for equal keys; for a key with an empty part, one of its own."""
    numbers: dict = {}
    return np.array(
        [
            numbers.setdefault(key if all(key) else index, len(numbers))
            for index, key in enumerate(keys)
        ],
        np.int32,
    )
