"""Prepared domains on disk: arrays of images that are read when they are indexed.

`data_prep` writes domains; this module only reads them. A domain is named `DATASET/HALF` if one
archive holds two (pix2pix), and by one word otherwise. On disk it is the folder
`DATA_DIR/DOMAIN/SIZEpx/VERSION`, with a TFRecord file for each split.
"""

import dataclasses
import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.captions import Captions, load_captions
from discogan_tf.errors import DataError

# The format of prepared domains that this version reads.
_VERSION = "2.0.0"
# In a record, the checksum after the pixels.
_CHECKSUM_BYTES = 4


class StoredImages:
    """The images of a split on disk, indexed like an array and read only then.

    Args:
      file: The split's TFRecord file. Its records have equal length; the pixels of each are
        followed by its last checksum.
      count: How many records it holds.
      size: Height and width of the images.
      indices: Indices of the records, in this order; all if None.

    Raises:
      ValueError: if the length of the file does not match.
      OSError: if it cannot be read.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, file: Path, count: int, size: int, indices: np.ndarray | None = None):
        self._source = file, count, size
        self._indices = np.arange(count) if indices is None else indices
        self.shape = (len(self._indices), size, size, 3)
        self.nbytes = math.prod(self.shape)
        self._pixels = size * size * 3
        self._length, rest = divmod(file.stat().st_size, count)
        if rest or self._length < self._pixels + _CHECKSUM_BYTES:
            raise ValueError(f"{file.name} does not hold {count} records of {size} pixels")
        self._file = file.open("rb", buffering=0)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, key) -> np.ndarray:
        """uint8 [size, size, 3] for a number, [n, size, size, 3] for a slice or an array."""
        chosen = self._indices[key]
        indices = np.atleast_1d(chosen)
        found = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for image, index in zip(found.reshape(len(indices), self._pixels), indices, strict=True):
            start = (int(index) + 1) * self._length - _CHECKSUM_BYTES - self._pixels
            if os.preadv(self._file.fileno(), [image], start) != self._pixels:
                raise OSError(f"{self._file.name} was truncated while it was read")
        return found if np.ndim(chosen) else found[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return self[:] if dtype is None else self[:].astype(dtype)

    def take(self, indices: np.ndarray) -> "StoredImages":
        """Some of the images, still on disk."""
        return StoredImages(*self._source, self._indices[indices])


@dataclasses.dataclass(frozen=True)
class Domain:
    """A split of a domain: images, and the name of each in its archive or folder.

    `images` is uint8 [n, size, size, 3] in 0 .. 255, an array or `StoredImages`. Captions are a
    domain, too, aligned with that of their images: int32 [n, 99], as `text.encode` returns them.
    """

    images: np.ndarray | StoredImages
    names: list[str]


def to_input(values: np.ndarray | StoredImages) -> tf.Tensor:
    """What a network takes of a domain: images as float32 in [0, 1], captions as they are."""
    return pixels.to_float(values) if values.dtype == np.uint8 else tf.convert_to_tensor(values)


def load_domain(data_dir: str, domain: str, split: str, image_size: int) -> Domain:
    """One split of a domain, in a fixed order. No pixel is read yet.

    Args:
      data_dir: Folder of prepared domains.
      domain: Name of the domain.
      split: "train" or "val".
      image_size: Height and width of the prepared images.

    Raises:
      DataError: if the domain is not prepared at this size, is corrupt or has no such split.
    """
    folder = _folder(data_dir, domain, image_size)
    try:
        names = json.loads((folder / "names.json").read_text())
        if split not in names:
            raise DataError(f"{domain} has no {split} images (its splits: {', '.join(names)})")
        (file,) = folder.glob(f"*-{split}.tfrecord-*")
        return Domain(StoredImages(file, len(names[split]), image_size), names[split])
    except (OSError, ValueError) as error:
        raise DataError(
            f"the prepared domain {domain} is corrupt ({error}). Remove {folder} and prepare it "
            "again"
        ) from error


def load_domain_captions(
    data_dir: str, domain: str, split: str, image_size: int
) -> Captions | None:
    """The captions of one split of a domain, in the order of its images; None if it has none.

    Raises:
      DataError: as `load_domain`.
    """
    return load_captions(_folder(data_dir, domain, image_size), split)


def load_training(config: Config, image_size: int) -> dict[str, Domain]:
    """The training images of a run: stream -> `Domain`.

    Args:
      config: The run's settings.
      image_size: Height and width of the prepared images.

    If both domains are halves of one archive and `config.split_pairs` is set, each gets one half of
    the pairs, so that the ground truth of no image is seen, as in the paper authors' code. Of what
    a domain gets, `config.train_share` is taken.

    Raises:
      DataError: as `load_domain`; or if there is only one pair to split.
    """
    return {
        stream: _part(domain, share_indices(len(domain.names), config.train_share))
        for stream, domain in _load_unpaired(config, image_size).items()
    }


def share_indices(count: int, share: float) -> np.ndarray:
    """Indices of a share of `count` images, evenly spaced, at least one."""
    return _evenly_spaced(count, max(1, round(count * share)))


def _load_unpaired(config: Config, image_size: int) -> dict[str, Domain]:
    domains = {
        stream: load_domain(config.data_dir, name, "train", image_size)
        for stream, name in config.domains.items()
    }
    if config.domain or not config.split_pairs:
        return domains
    if not are_halves_of_one(config.domain_a, config.domain_b):
        return domains
    if len(domains["a"].names) < 2:
        raise DataError(
            f"{config.domain_a} has a single pair, which cannot be split: see --split_pairs"
        )
    if domains["a"].names != domains["b"].names:
        raise DataError(
            f"{config.domain_a} and {config.domain_b} were prepared from different pairs, so "
            "--split_pairs cannot keep the halves of a pair apart. Remove both and prepare them "
            "together, or give --split_pairs=false (training may then see ground truth)"
        )
    halves = _split_in_halves(domains["a"].names)
    return {
        stream: _part(domain, indices)
        for (stream, domain), indices in zip(domains.items(), halves, strict=True)
    }


def _part(domain: Domain, indices: np.ndarray) -> Domain:
    """Some of the images of a domain on disk, still there."""
    return Domain(domain.images.take(indices), [domain.names[index] for index in indices])


def are_halves_of_one(domain_a: str, domain_b: str) -> bool:
    """Whether two domains are different halves of one archive, so that their images are pairs."""
    return (
        domain_a != domain_b
        and "/" in domain_a
        and domain_a.partition("/")[0] == domain_b.partition("/")[0]
    )


def _split_in_halves(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the pairs for either domain, a function of their names only."""
    order = np.argsort([hashlib.sha256(name.encode()).hexdigest() for name in names], kind="stable")
    middle = len(names) // 2
    return np.sort(order[:middle]), np.sort(order[middle:])


def cached(images: StoredImages, cache_bytes: int) -> np.ndarray | StoredImages:
    """The images in memory if they fit into `cache_bytes`, otherwise as they are, on disk."""
    return images[:] if images.nbytes <= cache_bytes else images


def count_images(data_dir: str, domain: str, image_size: int) -> dict[str, int]:
    """Split of a prepared domain -> number of its images.

    Raises:
      DataError: if the domain is not prepared at this size.
    """
    names = _read_json(_folder(data_dir, domain, image_size) / "names.json")
    return {split: len(of_split) for split, of_split in names.items()}


def fingerprints(data_dir: str, domain: str, image_size: int) -> dict[str, str]:
    """Split -> digest of all its images in their order, as recorded when they were prepared.

    Raises:
      DataError: if the domain is not prepared at this size, or is corrupt.
    """
    return _read_json(_folder(data_dir, domain, image_size) / "preparation.json")["fingerprints"]


def fit(data_dir: str, domain: str, image_size: int) -> str:
    """How the images of a domain became square, as for `images.fit_square`.

    Raises:
      DataError: as `fingerprints`.
    """
    return _read_json(_folder(data_dir, domain, image_size) / "preparation.json").get("fit", "pad")


def _read_json(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is corrupt ({error}). Remove its folder and prepare it again"
        ) from error


def evenly_spaced(images: np.ndarray, count: int) -> np.ndarray:
    """`count` of the images, evenly spaced, or all if there are fewer."""
    return images[_evenly_spaced(len(images), count)]


def thinned(domain: Domain, count: int) -> Domain:
    """A domain with `count` of its images, evenly spaced, and their names."""
    indices = _evenly_spaced(len(domain.names), count)
    return Domain(domain.images[indices], [domain.names[index] for index in indices])


def without(domain: Domain, names: set[str]) -> Domain:
    """A domain on disk without the images of some names.

    Raises:
      DataError: if none are left.
    """
    indices = [index for index, name in enumerate(domain.names) if name not in names]
    if not indices:
        raise DataError("all images to make crops from are validation images")
    return Domain(domain.images.take(np.array(indices)), [domain.names[i] for i in indices])


def _evenly_spaced(total: int, count: int) -> np.ndarray:
    return np.linspace(0, total - 1, min(count, total)).astype(int)


def _folder(data_dir: str, domain: str, image_size: int) -> Path:
    folder = Path(data_dir) / domain / f"{image_size}px" / _VERSION
    if (folder / "dataset_info.json").is_file():
        return folder
    dataset, _, half = domain.partition("/")
    prepared = {}
    for path in sorted(Path(data_dir).glob(f"**/*px/{_VERSION}/dataset_info.json")):
        name = str(path.parents[2].relative_to(data_dir))
        if not name.startswith("incomplete"):
            prepared.setdefault(name, []).append(path.parents[1].name.removesuffix("px"))
    others = [f"{name} ({', '.join(sizes)})" for name, sizes in prepared.items()]
    where = f"--data_dir={data_dir} --image_size={image_size}"
    archive = (
        f"  If {dataset} is one of the pix2pix archives, download it,\n"
        f"    python -m data_prep pix2pix --download={dataset} {where}\n"
        "  or give the archive that you have:\n"
        f"    python -m data_prep pix2pix --archive={dataset}.tar.gz {where}"
    )
    images = (
        "  To prepare it from a folder:\n"
        f"    python -m data_prep folder --name={domain} --images=DIR {where}"
    )
    if domain.endswith(("_a", "_b")):
        images += (
            "\n  Or from a data set with folders trainA and trainB:\n"
            f"    python -m data_prep folder --name={domain[:-2]} --images=DIR {where}"
        )
    if not half:
        images += (
            "\n  Or, with captions, from a table:\n"
            f"    python -m data_prep captions --name={domain} --table=FILE --images=DIR {where}"
        )
    if dataset.startswith("sample_"):
        kind = " --captions" if dataset == "sample_captions" else ""
        remedy = f"  To generate it:\n    python -m data_prep sample{kind} {where}"
    else:
        remedy = archive if half else images
    raise DataError(
        f"the domain {domain} is not prepared at {image_size} pixels.\n"
        f"  Looked for: {folder}/"
        + (f", and for an archive {Path(data_dir) / dataset}.tar.gz" if half else "")
        + "\n"
        + (f"  Prepared (at pixels): {', '.join(others)}\n" if others else "")
        + f"{remedy}\n"
        "  To train without any download: make quickstart"
    )
