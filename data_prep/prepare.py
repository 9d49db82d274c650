"""Prepares data sets, and knows which are prepared already."""

import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

from absl import logging

from data_prep.errors import PreparationError

_SHOWN_SKIPPED = 10


def prepare_archive(archive: Path, data_dir: Path, image_size: int) -> None:
    """Prepares both domains of a pix2pix archive, all or nothing, and reports on it.

    Args:
      archive: The .tar.gz file.
      data_dir: Where the prepared data set goes, under `NAME/SIZEpx/VERSION`.
      image_size: Height and width of the prepared pictures.

    Raises:
      PreparationError: if the archive cannot be used or the result cannot be written.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.ERROR)
    # It brings TensorFlow, which takes seconds to import.
    import tensorflow_datasets as tfds

    from data_prep.archives import dataset_name
    from data_prep.pix2pix import Pix2pix

    name = dataset_name(archive)
    if is_prepared(data_dir, name, image_size):
        print(
            f"{name} is prepared at {image_size} pixels already, in {data_dir / name}/{image_size}px. "
            "To prepare it anew, remove that folder first."
        )
        return
    print(f"Preparing {archive} at {image_size} pixels in {data_dir}.")
    started = time.monotonic()
    tfds.disable_progress_bar()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"incomplete.{name}.", dir=data_dir) as spool_dir:
            builder = Pix2pix(archive, data_dir, image_size, Path(spool_dir))
            with contextlib.redirect_stdout(io.StringIO()):  # It would speak of downloads.
                builder.download_and_prepare(file_format="tfrecord", download_dir=spool_dir)
    except OSError as error:
        raise PreparationError(f"cannot prepare {archive} in {data_dir}: {error}") from error
    for line in builder.skipped[:_SHOWN_SKIPPED]:
        print(f"Left out {line}")
    if len(builder.skipped) > _SHOWN_SKIPPED:
        print(f"... and {len(builder.skipped) - _SHOWN_SKIPPED} more were left out.")
    counts = ", ".join(f"{s.num_examples} {n}" for n, s in builder.info.splits.items())
    print(
        f"Prepared {name}/photo and {name}/edges: {counts} pictures each, "
        f"{len(builder.skipped)} left out, in {time.monotonic() - started:.1f} s."
    )


def is_prepared(data_dir: Path, name: str, image_size: int) -> bool:
    """Whether the data set `name` lies in `data_dir`, whole, at this size."""
    return any((data_dir / name / f"{image_size}px").glob("[0-9]*/dataset_info.json"))


def prepare_missing(data_dir: str, domains: tuple[str, ...], image_size: int) -> None:
    """Prepares each domain that is not prepared but whose archive lies in `data_dir`.

    Raises:
      PreparationError: as `prepare_archive`.
    """
    for name in dict.fromkeys(domain.partition("/")[0] for domain in domains):
        archive = Path(data_dir) / f"{name}.tar.gz"
        if not is_prepared(Path(data_dir), name, image_size) and archive.is_file():
            prepare_archive(archive, Path(data_dir), image_size)
