"""Writes a prepared domain, completely or not at all."""

import collections
import contextlib
import datetime
import hashlib
import json
import os
from pathlib import Path

import numpy as np

from data_prep.errors import PreparationError
from data_prep.limits import LeftOut
from data_prep.prepared import SPLITS, VERSION, prepared_folder
from data_prep.records import FEATURE, checksum, encode_record
from data_prep.unfinished import finish, unfinished_folder

_SIZES_NOTED = 1000
# Files that people read.
_INDENTED = ("preparation.json", "dataset_info.json", "features.json")


class DomainWriter:
    """Writes `DATA_DIR/DOMAIN/SIZEpx/VERSION`, a folder that TensorFlow Datasets reads too.

    A context manager. The folder is made under another name and renamed when `finish` has flushed
    all of it to the disk. Leaving the context without that removes it.

    Args:
      data_dir: Folder of prepared domains.
      domain: Name of the domain, "boots" or "edges2shoes/photo".
      size: Height and width of the images.
    """

    def __init__(self, data_dir: Path, domain: str, size: int):
        self._domain, self._size = domain, size
        self._target = prepared_folder(data_dir, domain, size)
        self._data_dir = data_dir
        self._files: dict = {}
        self.names: dict[str, list[str]] = {}
        self._digests: dict[str, hashlib._Hash] = {}
        self._more_files: dict[str, dict] = {}

    def __enter__(self):
        self._data_dir.mkdir(parents=True, exist_ok=True)
        self._unfinished = unfinished_folder(self._data_dir, self._domain.replace("/", "."))
        self._folder = self._unfinished.__enter__()
        return self

    def add(self, split: str, name: str, image: np.ndarray) -> None:
        """Writes an image, uint8 [size, size, 3], with its name in the source."""
        if split not in self._files:
            self._files[split] = _open(self._folder / _split_file(self._domain, split))
            self.names[split], self._digests[split] = [], hashlib.sha256()
        record = encode_record(image)
        self._files[split].write(record)
        self.names[split].append(name)
        self._digests[split].update(checksum(record).to_bytes(4, "little"))

    def add_file(self, name: str, content: dict) -> None:
        """Adds a JSON file to the folder. Its digest is one of the domain's fingerprints."""
        self._more_files[name] = content

    @property
    def counts(self) -> dict[str, int]:
        """Split -> number of its images."""
        return {split: len(self.names[split]) for split in SPLITS if split in self.names}

    def finish(self, description: dict, left_out: LeftOut) -> None:
        """Writes the metadata of the domain, and renames its folder to the final name.

        Args:
          description: Where the images come from and how they were prepared, for
            `preparation.json`.
          left_out: What was not used.

        Raises:
          PreparationError: if there are no training images.
        """
        if "train" not in self.counts:
            raise PreparationError(f"no usable training images for {self._domain}")
        for file in self._files.values():
            _flush(file)
        fingerprints = {split: digest.hexdigest() for split, digest in self._digests.items()}
        fingerprints |= {
            name: hashlib.sha256(json.dumps(content).encode()).hexdigest()
            for name, content in self._more_files.items()
        }
        preparation = {
            "domain": self._domain,
            "image_size": self._size,
            "prepared": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **description,
            "counts": self.counts,
            "fingerprints": fingerprints,
            "left_out": left_out.lines,
        }
        for name, content in (
            ("preparation.json", preparation),
            ("names.json", self.names),
            ("dataset_info.json", self._dataset_info()),
            ("features.json", self._features()),
            *self._more_files.items(),
        ):
            with (self._folder / name).open("wb") as file:
                file.write(json.dumps(content, indent=1 if name in _INDENTED else None).encode())
                _flush(file)
        self._target.parent.mkdir(parents=True, exist_ok=True)
        _flush_folder(self._folder)
        finish(self._folder, self._target)
        _flush_folder(self._target.parent)

    def __exit__(self, *unused):
        for file in self._files.values():
            with contextlib.suppress(OSError):  # Flushing the rest fails too on a full disk.
                file.close()
        self._unfinished.__exit__(None, None, None)

    def _dataset_info(self) -> dict:
        return {
            "name": _dataset(self._domain),
            "version": VERSION,
            "configName": f"{self._size}px",
            "description": f"The domain {self._domain}, {self._size} x {self._size} pixels.",
            "fileFormat": "tfrecord",
            "splits": [
                {
                    "name": split,
                    "numBytes": str(
                        (self._folder / _split_file(self._domain, split)).stat().st_size
                    ),
                    "shardLengths": [str(count)],
                    "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                }
                for split, count in self.counts.items()
            ],
        }

    def _features(self) -> dict:
        kind = "tensorflow_datasets.core.features"
        image = {
            "pythonClassName": f"{kind}.tensor_feature.Tensor",
            "tensor": {
                "shape": {"dimensions": [str(side) for side in (self._size, self._size, 3)]},
                "dtype": "uint8",
                "encoding": "bytes",
            },
        }
        return {
            "pythonClassName": f"{kind}.features_dict.FeaturesDict",
            "featuresDict": {"features": {FEATURE: image}},
        }


def most_common_sizes(sizes: collections.Counter) -> dict[str, int]:
    """(width, height) -> count as "WIDTHxHEIGHT" -> count: the most common sizes."""
    return {
        f"{width}x{height}": count for (width, height), count in sizes.most_common(_SIZES_NOTED)
    }


def _dataset(domain: str) -> str:
    return domain.replace("/", "_")


def _split_file(domain: str, split: str) -> str:
    return f"{_dataset(domain)}-{split}.tfrecord-00000-of-00001"


def _open(path: Path):
    return path.open("wb", 1 << 20)


def _flush(file) -> None:
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
