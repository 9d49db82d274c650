"""Prepares captioned images as a domain."""

import collections
import dataclasses
import json
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_prep.archives import read_images
from data_prep.captions.split import held_out_combinations, split_images
from data_prep.captions.table import SUFFIXES, CaptionedImage, Columns, read_table
from data_prep.domain_writer import DomainWriter, most_common_sizes
from data_prep.errors import ImageError, PreparationError
from data_prep.folder import IMAGE_SUFFIXES, read_image
from data_prep.limits import LeftOut, Limits, printable
from data_prep.parallel import in_order
from data_prep.prepared import CAPTIONS

# Height and width of the copies by which images are split.
_THUMBNAIL = 32


@dataclasses.dataclass(frozen=True)
class CaptionSource:
    """Where captioned images come from, and what becomes of them.

    Attributes:
      table: The table; None if it is in the archive.
      images: The folder that paths in the table start from; None for that of the table.
      archive: A tar archive that holds images and, perhaps, the table, in place of `images`.
      columns: Of the table.
      val_share: Fraction of the images for validation.
      held_out_share: Fraction of the combinations of type and color that training never sees.
      fit: How images become square, as for `prepare_folder`.
    """

    table: Path | None
    images: Path | None
    archive: Path | None
    columns: Columns
    val_share: float = 0.1
    held_out_share: float = 0.0
    fit: str = "pad"

    def options(self) -> dict:
        """What tells preparations of the same name apart, for JSON."""
        options = dataclasses.asdict(self)
        for name in ("table", "images", "archive"):
            options[name] = options[name] and str(options[name].resolve())
        return json.loads(json.dumps(options))


def prepare_captions(
    source: CaptionSource, data_dir: Path, name: str, size: int, limits: Limits, left_out: LeftOut
) -> dict[str, int]:
    """Prepares the images that a table names, with their captions, as the domain `name`.

    Args:
      source: Table and images.
      data_dir: Where the domain goes.
      name: Name of the domain.
      size: Height and width of the prepared images.
      limits: Bounds on the source.
      left_out: Collects rows and images that were not used.

    Returns:
      Split -> number of its images.

    Raises:
      PreparationError: if the table or the images are missing, or nothing in them is usable.
      OSError: if the result cannot be written.
    """
    table_name, content = _table(source, limits)
    rows = read_table(content, table_name, source.columns, left_out)
    source_sizes: collections.Counter = collections.Counter()
    with DomainWriter(data_dir, name, size) as writer, tempfile.TemporaryFile(dir=data_dir) as file:
        # On disk: the split needs all images before the first can be written.
        used, thumbnails = [], []
        for row, image, thumbnail, source_size in _decoded(
            source, table_name, rows, size, limits, left_out
        ):
            used.append(row)
            thumbnails.append(thumbnail)
            file.write(image.tobytes())
            source_sizes[source_size] += 1
        if not used:
            raise PreparationError(
                "; ".join([f"none of the images in {table_name} is usable", *left_out.lines[:3]])
            )
        file.flush()
        images = np.memmap(file, np.uint8, "r", shape=(len(used), size, size, 3))
        held_out = held_out_combinations(used, source.held_out_share)
        if source.held_out_share and not held_out:
            print(
                "Note: no combination is held out. --held_out_combinations needs types and colors "
                "(--type_column, --color_column), each in three combinations; of a few "
                "combinations, a small share may be none."
            )
        captions: dict[str, list[dict]] = {}
        splits = split_images(np.stack(thumbnails), used, source.val_share, held_out)
        for row, image, split in zip(used, images, splits, strict=True):
            writer.add(split, printable(row.image), image)
            entry = dataclasses.asdict(row) | {"held_out": (row.type, row.color) in held_out}
            del entry["image"]
            captions.setdefault(split, []).append(entry)
        if "train" not in captions:
            raise PreparationError(
                "all images were assigned to validation: lower --val_share or "
                "--held_out_combinations"
            )
        writer.add_file(CAPTIONS, captions)
        writer.finish(
            {
                "source": {"table": table_name},
                "options": source.options(),
                "fit": source.fit,
                "method": f"fit: {source.fit}; scaled by the area mean (bicubic where images grow)",
                "val_share": source.val_share,
                "held_out_combinations": sorted(" ".join(pair) for pair in held_out),
                "source_sizes": most_common_sizes(source_sizes),
            },
            left_out,
        )
        return writer.counts


def _table(source: CaptionSource, limits: Limits) -> tuple[str, bytes]:
    """Name and content of the table; in an archive, the name is that of the member."""
    if source.table:
        if not source.table.name.endswith(SUFFIXES):
            raise PreparationError(f"--table={source.table}: must end in {', '.join(SUFFIXES)}")
        try:
            return source.table.name, source.table.read_bytes()
        except OSError as error:
            raise PreparationError(f"cannot read {source.table}: {error.strerror}") from error
    found = list(read_images(source.archive, SUFFIXES, limits, LeftOut()))
    if len(found) != 1:
        raise PreparationError(
            f"{source.archive} holds {len(found)} tables ({', '.join(SUFFIXES)}), not one: give "
            "--table=FILE"
        )
    return found[0]


def _decoded(
    source: CaptionSource,
    table_name: str,
    rows: dict[str, CaptionedImage],
    size: int,
    limits: Limits,
    left_out: LeftOut,
) -> Iterator[tuple[CaptionedImage, np.ndarray, np.ndarray, tuple[int, int]]]:
    """Each usable row with its image, uint8 [size, size, 3], a thumbnail, and its size before."""

    def decode(item):
        image, read = item
        try:
            content = read()
            # Of the same pixels whatever `size` is, so that the split is, too.
            thumbnail, _ = read_image(content, _THUMBNAIL, source.fit, limits.max_pixels)
            return image, thumbnail, *read_image(content, size, source.fit, limits.max_pixels)
        except (ImageError, OSError) as error:
            return image, error, None, None

    files = _in_archive if source.archive else _in_folder
    missing = set(rows)
    for image, thumbnail, pixels, source_size in in_order(
        decode, files(source, table_name, rows, limits)
    ):
        missing.discard(image)
        if isinstance(thumbnail, Exception):
            left_out.add(image, str(thumbnail))
        else:
            yield rows[image], pixels, thumbnail, source_size
    for image in sorted(missing):
        left_out.add(image, "named in the table, but there is no such image")


def _in_folder(source: CaptionSource, table_name: str, rows, limits: Limits) -> Iterator:
    """Path of each image of the table that exists, and a function that reads it."""
    folder = (source.images or source.table.parent).resolve()
    if not folder.is_dir():
        raise PreparationError(f"no folder at {folder}")
    for image in tqdm(rows, desc="Reading images", unit=" files", delay=1):
        try:
            path = (folder / image).resolve()
            if not path.is_relative_to(folder):
                yield image, _failing(f"outside of {folder.name}")
            elif path.is_file():
                too_large = path.stat().st_size > limits.max_image_bytes
                problem = f"more than {limits.max_image_bytes:,} bytes (--max_image_bytes)"
                yield image, _failing(problem) if too_large else path.read_bytes
        except (OSError, ValueError) as error:  # Names that no file can have.
            yield image, _failing(str(error))


def _failing(problem: str):
    def read():
        raise ImageError(problem)

    return read


def _in_archive(source: CaptionSource, table_name: str, rows, limits: Limits) -> Iterator:
    """The same from an archive, whose paths in the table start from the folder of the table."""
    folder = table_name.rpartition("/")[0] if source.table is None else ""
    by_member = {posixpath.normpath(posixpath.join(folder, image)): image for image in rows}
    unusable = _UnusableMembers()
    for member, content in read_images(source.archive, IMAGE_SUFFIXES, limits, unusable):
        image = by_member.pop(posixpath.normpath(member), None)
        if image is not None:
            yield image, lambda content=content: content
    for member, reason in unusable.reasons.items():
        image = by_member.get(posixpath.normpath(member))
        if image is not None:
            yield image, _failing(reason)


class _UnusableMembers(LeftOut):
    """Members of an archive that are not used, and why, by their names as they are stored."""

    def __init__(self):
        super().__init__()
        self.reasons: dict[str, str] = {}

    def add(self, name: str, reason: str) -> None:
        self.reasons.setdefault(name, reason)
