"""Prepares a pix2pix archive as the domains `NAME/photo` and `NAME/edges`."""

import collections
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_prep.archives import dataset_name, read_images
from data_prep.domain_writer import DomainWriter, most_common_sizes
from data_prep.errors import ImageError, PreparationError
from data_prep.limits import LeftOut, Limits, printable
from data_prep.pairs import PHOTO, PairForm, colored_halves, split_pair
from data_prep.parallel import in_order
from data_prep.prepared import SPLITS

_SUFFIXES = (".jpg", ".jpeg", ".png")
# Color is examined in the first pairs, and then in every pair of this number.
_LOOK_AT_FIRST, _LOOK_EVERY = 8, 64
# Share of the examined pairs that decides.
_MOST = 0.8


class Decoded(NamedTuple):
    """The result of decoding one member.

    Attributes:
      name: Of the member.
      halves: Half -> uint8 [size, size, 3]; empty if it cannot be used.
      problem: Why it cannot; "" if it can.
      source_size: Width and height of the halves before.
      side: Which half is in color, as returned by `colored_halves`; "" if it was not examined.
    """

    name: str
    halves: dict[str, np.ndarray]
    problem: str = ""
    source_size: tuple[int, int] = (0, 0)
    side: str = ""


def prepare_pairs(
    archive: Path, data_dir: Path, size: int, form: PairForm, limits: Limits, left_out: LeftOut
) -> dict[str, int]:
    """Prepares the halves of every pair of an archive, each as a domain `NAME/HALF`.

    Members are `NAME/train/*.jpg` and `NAME/val/*.jpg`: those folders are the splits.

    Args:
      archive: The tar file; its name without endings names the data set.
      data_dir: Where the domains go.
      size: Height and width of the prepared images.
      form: Which halves, and how.
      limits: Bounds on the archive.
      left_out: Collects what was not used.

    Returns:
      Split -> number of its pairs.

    Raises:
      PreparationError: if the archive cannot be used, or has its photos on the other side.
      OSError: if the result cannot be written.
    """
    decoded = in_order(
        lambda member: decode_member(*member, size, form, limits),
        members(archive, limits, left_out),
    )
    return write_pairs(decoded, [archive], dataset_name(archive), data_dir, size, form, left_out)


def members(archive: Path, limits: Limits, left_out: LeftOut) -> Iterator[tuple[int, str, bytes]]:
    """Number, name and content of each member of an archive that is in a split.

    Raises:
      PreparationError: as `read_images`.
    """
    images = read_images(archive, _SUFFIXES, limits, left_out)
    yield from ((number, *member) for number, member in enumerate(_in_splits(images, left_out)))


def decode_member(
    number: int, name: str, data: bytes, size: int, form: PairForm, limits: Limits
) -> Decoded:
    """Halves of a member. Arguments as for `prepare_pairs`."""
    examined = number < _LOOK_AT_FIRST or number % _LOOK_EVERY == 0
    try:
        side = colored_halves(data, limits.max_pixels) if examined else ""
        halves, source_size = split_pair(data, size, form, limits.max_pixels)
        return Decoded(name, halves, source_size=source_size, side=side)
    except ImageError as error:
        return Decoded(name, {}, str(error))


def write_pairs(
    decoded: Iterator[Decoded],
    archives: list[Path],
    name: str,
    data_dir: Path,
    size: int,
    form: PairForm,
    left_out: LeftOut,
) -> dict[str, int]:
    """Writes the domains `NAME/HALF`. Arguments, result and errors as for `prepare_pairs`."""
    sides: collections.Counter = collections.Counter()
    source_sizes: collections.Counter = collections.Counter()
    words = ", ".join(map(str, archives))
    with contextlib.ExitStack() as stack:
        writers = {
            half: stack.enter_context(DomainWriter(data_dir, f"{name}/{half}", size))
            for half in form.halves
        }
        for pair in decoded:
            if pair.problem:
                left_out.add(pair.name, pair.problem)
                continue
            sides[pair.side] += pair.side != ""
            source_sizes[pair.source_size] += 1
            for half, image in pair.halves.items():
                writers[half].add(_folder(pair.name), printable(pair.name), image)
        counts = next(iter(writers.values())).counts
        if "train" not in counts:
            raise PreparationError(
                f"{words} holds no usable training images. Expected {name}/train/*.jpg. "
                + "; ".join(left_out.lines[:3])
            )
        _check_side(words, form, sides)
        for half, writer in writers.items():
            writer.finish(_description(archives, half, form, sides, source_sizes), left_out)
    return counts


def _in_splits(images: Iterator, left_out: LeftOut) -> Iterator[tuple[str, bytes]]:
    for member, data in images:
        if _folder(member) in SPLITS:
            yield member, data
        else:
            left_out.add(member, "in no folder named train or val")


def _folder(member: str) -> str:
    """The folder of a member: edges2shoes/train/1_AB.jpg -> train."""
    return member.rpartition("/")[0].rpartition("/")[2].rpartition(":")[2]


def _check_side(archive: str, form: PairForm, sides: collections.Counter) -> None:
    """Checks that `edges` are drawings. In other archives either half may have colors."""
    if form.drawing != "edges" or form.side_is_certain:
        return
    examined = sides.total()
    if sides["both"] > _MOST * examined:
        raise PreparationError(
            f"{archive} has colors in both halves of its pairs ({sides['both']} of {examined} "
            "examined pairs), so neither half is an edge drawing. Nothing was prepared from it. "
            "Say what the other half is with --drawing=labels, or whatever it is, and where the "
            "photos are with --photo_side."
        )
    other = {"left": "right", "right": "left"}[form.photo_side]
    if sides[other] > _MOST * examined and sides[other] > 1:
        raise PreparationError(
            f"{archive} is mirrored: of {examined} examined pairs, {sides[other]} have their "
            f"colors on the {other}, where the drawing should be. Nothing was prepared from it. "
            f"Prepare it with --photo_side={other}."
        )


def _description(
    archives: list[Path],
    half: str,
    form: PairForm,
    sides: collections.Counter,
    source_sizes: collections.Counter,
) -> dict:
    drawing = half != PHOTO
    lines = "lines thickened by a pixel to every side, then " if drawing and form.thickened else ""
    return {
        "source": {
            "archive": ", ".join(archive.name for archive in archives),
            "bytes": sum(archive.stat().st_size for archive in archives),
        },
        "method": f"the {half} half cropped, then {lines}scaled by the area mean",
        "half": half,
        "drawing": form.drawing,
        "photo_side": form.photo_side,
        "colors_on": dict(+sides),
        "source_sizes": most_common_sizes(source_sizes),
        "thickened": drawing and form.thickened,
    }
