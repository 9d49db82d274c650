"""A TensorFlow Datasets builder over a pix2pix archive."""

import collections
import concurrent.futures
import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

import tensorflow_datasets as tfds

from data_prep.archives import dataset_name, read_members
from data_prep.errors import PictureError, PreparationError
from data_prep.pairs import HALVES, split_pair

SPLITS = ("train", "val")
_SUFFIXES = (".jpg", ".jpeg", ".png")
# Pictures decoded side by side: Pillow releases Python's lock while it decodes.
_THREADS = os.cpu_count() or 1


class Pix2pix(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Both halves of every pair of an archive, as the domains `NAME/edges` and `NAME/photo`.

    Members are `NAME/train/*.jpg` and `NAME/val/*.jpg`: those folders are the splits. Every
    example holds `edges` and `photo`, uint8 [size, size, 3], and `name`, the member's.

    Args:
      archive: The .tar.gz file; its name without endings names the data set.
      data_dir: Where the prepared data set goes, under `NAME/SIZEpx/VERSION`.
      image_size: Height and width of the prepared pictures.
      spool_dir: An empty folder for intermediate files.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Cropped, then scaled by the area mean."}

    def __init__(self, archive: Path, data_dir: Path, image_size: int, spool_dir: Path):
        self._archive = archive
        self._image_size = image_size
        self._spool_dir = spool_dir
        # Lines on the pictures that were left out, and why.
        self.skipped: list[str] = []
        self.name = dataset_name(archive)
        config = tfds.core.BuilderConfig(
            name=f"{image_size}px", description=f"{image_size} x {image_size} pixels"
        )
        super().__init__(data_dir=data_dir, config=config)

    def _info(self) -> tfds.core.DatasetInfo:
        shape = (self._image_size, self._image_size, 3)
        pictures = {half: tfds.features.Image(shape=shape, encoding_format="png") for half in HALVES}
        return self.dataset_info_from_configs(
            description=f"The pix2pix archive {self.name}, its pairs cut in two.",
            features=tfds.features.FeaturesDict(pictures | {"name": tfds.features.Text()}),
        )

    def _split_generators(self, dl_manager):
        """Reads the archive once for all splits, into a spool of small pictures for each.

        Reading is the slow part, and TensorFlow Datasets writes one split after another.
        """
        del dl_manager  # Nothing to download, and nothing to unpack.
        counts = collections.Counter()
        files = {split: (self._spool_dir / split).open("wb") for split in SPLITS}
        try:
            for split, example in self._examples():
                pickle.dump(example, files[split])
                counts[split] += 1
        finally:
            for file in files.values():
                file.close()
        if not counts["train"]:
            raise PreparationError(
                f"{self._archive} holds no usable training pictures: they are looked for as "
                f"{self.name}/train/*.jpg. " + "; ".join(self.skipped[:3])
            )
        return {split: self._generate_examples(split) for split in SPLITS if counts[split]}

    def _generate_examples(self, split: str):
        """Yields (member name, example) of a split from its spool."""
        with (self._spool_dir / split).open("rb") as file:
            while file.peek(1):
                name, halves = pickle.load(file)
                yield name, {half: io.BytesIO(png) for half, png in halves.items()} | {"name": name}

    def _examples(self) -> Iterator[tuple[str, tuple[str, dict[str, bytes]]]]:
        """Yields (split, (member name, half -> PNG)) of every usable pair, in the archive's order."""
        seen = set()
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            in_work = collections.deque()
            for name, data in read_members(self._archive, _SUFFIXES):
                split = PurePosixPath(name).parent.name
                if split not in SPLITS:
                    continue
                if name in seen:
                    self.skipped.append(f"{name}: a second member of this name")
                    continue
                seen.add(name)
                in_work.append((split, name, pool.submit(split_pair, data, self._image_size)))
                if len(in_work) > 8 * _THREADS:
                    yield from self._finished(*in_work.popleft())
            for pair in in_work:
                yield from self._finished(*pair)

    def _finished(self, split: str, name: str, pair: concurrent.futures.Future):
        try:
            yield split, (name, pair.result())
        except PictureError as error:
            self.skipped.append(f"{name}: {error}")
