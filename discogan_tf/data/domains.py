"""Finds a prepared domain on disk and loads it whole, as uint8.

`data_prep` writes domains; this module only reads them. A domain is named `DATASET/HALF` where one
data set holds two domains (the two halves of a pix2pix archive), and `DATASET` where it holds one.
On disk it is the TensorFlow Datasets folder `DATA_DIR/DATASET/SIZEpx/VERSION`.
"""

import dataclasses
from pathlib import Path

import numpy as np

from discogan_tf.errors import DataError

# The feature that holds the pictures of a data set with one domain.
_SINGLE_FEATURE = "image"


@dataclasses.dataclass(frozen=True)
class Domain:
    """A split of a domain: `images`, uint8 [n, size, size, 3] in 0 .. 255, and where they are from.

    `names` are those of the pictures in their archive, in the same order.
    """

    images: np.ndarray
    names: list[str]


def load_domain(data_dir: str, domain: str, split: str, image_size: int) -> Domain:
    """Loads one split of a domain, in an order that never changes.

    Args:
      data_dir: Folder of prepared domains.
      domain: Name of the domain.
      split: "train" or "val".
      image_size: Height and width of the prepared pictures.

    Raises:
      DataError: if the domain is not prepared at this size, has no such split or no pictures.
    """
    dataset, _, half = domain.partition("/")
    folder = _version_folder(data_dir, domain, image_size)
    # Slow to import, and not needed to say that a domain is missing.
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(folder)
    feature = half or _SINGLE_FEATURE
    if feature not in builder.info.features:
        halves = [name for name in builder.info.features if name != "name"]
        raise DataError(
            f"{dataset} holds no domain {feature!r}: it has "
            + ", ".join(f"{dataset}/{name}" if name != _SINGLE_FEATURE else dataset for name in halves)
        )
    if split not in builder.info.splits or not builder.info.splits[split].num_examples:
        raise DataError(f"{domain} has no {split} pictures (its splits: {', '.join(builder.info.splits)})")
    examples = builder.as_dataset(
        split=split,
        decoders=tfds.decode.PartialDecoding({feature: True, "name": True}),
        shuffle_files=False,
    )
    count = builder.info.splits[split].num_examples
    images = np.empty((count, image_size, image_size, 3), np.uint8)
    names, start = [], 0
    for batch in examples.batch(256).prefetch(2).as_numpy_iterator():
        stop = start + len(batch["name"])
        images[start:stop] = batch[feature]
        names += [name.decode() for name in batch["name"]]
        start = stop
    return Domain(images, names)


def count_pictures(data_dir: str, domain: str, image_size: int) -> dict[str, int]:
    """How many pictures each split of a prepared domain has.

    Raises:
      DataError: if the domain is not prepared at this size.
    """
    import tensorflow_datasets as tfds

    builder = tfds.builder_from_directory(_version_folder(data_dir, domain, image_size))
    return {name: split.num_examples for name, split in builder.info.splits.items()}


def evenly_spaced(pictures: np.ndarray, count: int) -> np.ndarray:
    """`count` of the pictures, or all if there are fewer, the same ones every time."""
    return pictures[_evenly_spaced_places(len(pictures), count)]


def thinned(domain: Domain, count: int) -> Domain:
    """A domain with `evenly_spaced` of its pictures, and their names."""
    places = _evenly_spaced_places(len(domain.names), count)
    return Domain(domain.images[places], [domain.names[place] for place in places])


def _evenly_spaced_places(total: int, count: int) -> np.ndarray:
    return np.linspace(0, total - 1, min(count, total)).astype(int)


def _version_folder(data_dir: str, domain: str, image_size: int) -> Path:
    dataset = domain.partition("/")[0]
    size_folder = Path(data_dir) / dataset / f"{image_size}px"
    versions = sorted(size_folder.glob("[0-9]*/dataset_info.json"))
    if versions:
        return versions[-1].parent
    where = f"--data_dir={data_dir} --image_size={image_size}"
    if dataset.startswith("sample_"):
        remedy = f"  To draw it:\n    python -m data_prep sample {where}"
    else:
        remedy = (
            f"  To get it: if {dataset} is one of the pix2pix archives, download {dataset}.tar.gz from\n"
            "    http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/\n"
            f"  and put it into {data_dir}/, or name it:\n"
            f"    python -m data_prep pix2pix --archive={dataset}.tar.gz {where}"
        )
    raise DataError(
        f"the domain {domain} is not prepared at {image_size} pixels.\n"
        f"  Looked for: {size_folder}/, and for an archive {Path(data_dir) / dataset}.tar.gz\n"
        f"{remedy}\n"
        "  To train without any download: make quickstart"
    )
