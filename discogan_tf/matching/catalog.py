"""An index of a catalog on disk, and the search in it."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from discogan_tf import images as pixels
from discogan_tf.errors import DataError
from discogan_tf.matching.features import SIZE, Features, fit
from discogan_tf.output_files import source_files

ORIGINAL, TRANSLATION = "original", "translation"
_FORMAT = 1
# From here on an approximate search pays: exact search takes 17 ms among a million items, and
# reading a query 50.
_MANY = 1_000_000
NEIGHBORS, EFFORT = 32, 64


class Match(NamedTuple):
    """An item of a catalog that matches a query.

    Attributes:
      item: Path of its image, relative to the catalog's folder.
      distance: Between the features, 0 for equal ones.
    """

    item: str
    distance: float


def build(
    images: Path,
    output: Path,
    compare: str = ORIGINAL,
    workdir: Path | None = None,
    direction: str | None = None,
) -> tuple[int, list[str]]:
    """Indexes the images under a folder.

    Args:
      images: Folder of the catalog's images, searched with its subfolders.
      output: Folder for the index; one that exists is replaced.
      compare: What queries are compared by: the query itself, "original", or its "translation".
      workdir: Folder of the run that translates queries; needed for "translation".
      direction: Of the run.

    Returns:
      Number of items, and a line for each file that could not be read.

    Raises:
      DataError: if there are no readable images, or `output` holds something else.
    """
    if output.exists() and not (output / "catalog.json").is_file():
        raise DataError(f"{output} exists and is not an index: give another --output")
    names, squares, unreadable = [], [], []
    for path, relative in tqdm(source_files(images).items(), unit="image", delay=1):
        try:
            squares.append(pixels.read_image(path, SIZE))
            names.append(str(relative))
        except OSError as error:
            unreadable.append(f"{path}: {error}")
    if not names:
        raise DataError(f"{images}: no image could be read; {unreadable[0]}")
    features, values = fit(np.stack(squares))
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".index") as temporary:
        folder = Path(temporary) / "index"
        folder.mkdir()
        np.save(folder / "features.npy", values)
        if features.mean is not None:
            np.savez(folder / "network.npz", mean=features.mean, components=features.components)
        if (approximate := _approximate_search(values)) is not None:
            import faiss

            faiss.write_index(approximate, str(folder / "approximate.faiss"))
        content = {
            "format": _FORMAT,
            "images": str(images.resolve()),
            "compare": compare,
            "workdir": str(workdir.resolve()) if workdir else None,
            "direction": direction,
            "items": names,
        }
        (folder / "catalog.json").write_text(json.dumps(content))
        if output.exists():
            output.rename(Path(temporary) / "before")
        folder.rename(output)
    return len(names), unreadable


class Catalog:
    """An index, ready to be searched.

    Args:
      folder: What `build` wrote.

    Attributes:
      images: Folder of the catalog's images.
      compare: As for `build`.
      direction: Of the run that translates queries, or None.
      items: Paths of the images, relative to `images`.

    Raises:
      DataError: if there is no index, it is corrupt, or needs packages that are not installed.
    """

    def __init__(self, folder: Path):
        try:
            content = json.loads((folder / "catalog.json").read_text())
            if content["format"] != _FORMAT:
                raise DataError(f"{folder} was made by another version: index the catalog again")
            self._values = np.load(folder / "features.npy", mmap_mode="r")
            network = folder / "network.npz"
            arrays = dict(np.load(network)) if network.is_file() else {}
            self.images, self.items = Path(content["images"]), content["items"]
            self.compare, self.direction = content["compare"], content["direction"]
            self._workdir = content["workdir"]
            if len(self._values) != len(self.items):
                raise ValueError(f"{len(self._values)} features of {len(self.items)} items")
        except FileNotFoundError as error:
            raise DataError(
                f"no index in {folder}: make one with discogan_tf.match index"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"the index in {folder} is corrupt ({error}): make it again") from error
        self._features = Features(**arrays)
        if not self._features.is_usable:
            raise DataError(f"{folder} was made with ImageNet features: pip install -e .[features]")
        self._squares = (self._values**2).sum(1)
        self._approximate = _read_approximate_search(folder / "approximate.faiss")
        self._translator = None

    def translate(self, image: np.ndarray) -> np.ndarray | None:
        """The translation of a query, uint8 [size, size, 3]; None without a run.

        Args:
          image: uint8 [h, w, 3].

        Raises:
          DiscoganError: if the run is gone or has no checkpoint.
        """
        if self._workdir is None:
            return None
        if self._translator is None:
            from discogan_tf.translator import Translator

            self._translator = Translator(self._workdir)
        return self._translator.translate([image], self.direction)[0]

    def match(
        self, image: np.ndarray, num: int = 12, translation: np.ndarray | None = None
    ) -> list[Match]:
        """The items nearest to a query.

        Args:
          image: The query, uint8 [h, w, 3].
          num: How many to return; fewer if the catalog has fewer.
          translation: The result of `translate`, if it is known already.

        Returns:
          The matches, the nearest first.
        """
        if self.compare == TRANSLATION:
            image = self.translate(image) if translation is None else translation
        square = pixels.fit_square(tf.constant(image), SIZE).numpy()
        indices, distances = self._search(self._features(square[np.newaxis])[0], num)
        return [
            Match(self.items[index], float(distance))
            for index, distance in zip(indices, distances, strict=True)
        ]

    def _search(self, query: np.ndarray, num: int) -> tuple[np.ndarray, np.ndarray]:
        """Indices and distances of the nearest items."""
        num = max(1, min(num, len(self.items)))
        if self._approximate is not None:
            squared, indices = self._approximate.search(query[np.newaxis], num)
            return indices[0], np.sqrt(np.maximum(squared[0], 0))
        squared = self._squares - 2 * self._values @ query + query @ query
        nearest = np.argpartition(squared, num - 1)[:num]
        nearest = nearest[np.lexsort((nearest, squared[nearest]))]
        return nearest, np.sqrt(np.maximum(squared[nearest], 0))


def _approximate_search(values: np.ndarray):
    """An approximate index by faiss, for many items; None for few, or without faiss."""
    if len(values) < _MANY:
        return None
    try:
        import faiss
    except ImportError:
        print("Note: among so many items a search is faster with: pip install -e .[faiss]")
        return None
    index = faiss.IndexHNSWFlat(values.shape[1], NEIGHBORS)
    index.add(values)
    return index


def _read_approximate_search(path: Path):
    if not path.is_file():
        return None
    try:
        import faiss
    except ImportError:
        return None  # The exact search needs nothing but the features.
    index = faiss.read_index(str(path))
    index.hnsw.efSearch = EFFORT
    return index
