"""A pix2pix archive to the domains `NAME/photo` and `NAME/edges`."""

import collections
import contextlib
from collections.abc import Iterator
from pathlib import Path

from data_prep.archives import dataset_name, read_pictures
from data_prep.domain_writer import DomainWriter, most_common_sizes
from data_prep.errors import PictureError, PreparationError
from data_prep.limits import LeftOut, Limits, printable
from data_prep.pairs import PHOTO, PairForm, coloured_halves, split_pair
from data_prep.parallel import in_order
from data_prep.prepared import SPLITS

_SUFFIXES = (".jpg", ".jpeg", ".png")
# The first pairs, and of so many later ones one, are asked on which side they have their colours.
_LOOK_AT_FIRST, _LOOK_EVERY = 8, 64
# Share of those asked that makes it certain.
_MOST = 0.8


def prepare_pairs(
    archive: Path, data_dir: Path, size: int, form: PairForm, limits: Limits, left_out: LeftOut
) -> dict[str, int]:
    """Prepares the halves of every pair of an archive, each as a domain `NAME/HALF`.

    Members are `NAME/train/*.jpg` and `NAME/val/*.jpg`: those folders are the splits.

    Args:
      archive: The tar file; its name without endings names the data set.
      data_dir: Where the domains go.
      size: Height and width of the prepared pictures.
      form: Which halves, and how.
      limits: What the archive may ask for.
      left_out: Gets what was not used.

    Returns:
      Split -> how many pairs it has.

    Raises:
      PreparationError: if the archive cannot be used, or has its photos on the other side.
      OSError: if the result cannot be written.
    """
    name = dataset_name(archive)
    sides: collections.Counter = collections.Counter()
    source_sizes: collections.Counter = collections.Counter()

    def decode(numbered: tuple[int, tuple[str, bytes]]):
        number, (member, data) = numbered
        try:
            side = (
                coloured_halves(data, limits.max_pixels)
                if number < _LOOK_AT_FIRST or number % _LOOK_EVERY == 0
                else None
            )
            return member, *split_pair(data, size, form, limits.max_pixels), side
        except PictureError as error:
            return member, error, None, None

    with contextlib.ExitStack() as stack:
        writers = {
            half: stack.enter_context(DomainWriter(data_dir, f"{name}/{half}", size))
            for half in form.halves
        }
        members = enumerate(_in_splits(read_pictures(archive, _SUFFIXES, limits, left_out), left_out))
        for member, halves, source_size, side in in_order(decode, members):
            if isinstance(halves, PictureError):
                left_out.add(member, str(halves))
                continue
            sides[side] += side is not None
            source_sizes[source_size] += 1
            for half, picture in halves.items():
                writers[half].add(_folder(member), printable(member), picture)
        counts = next(iter(writers.values())).counts
        if "train" not in counts:
            raise PreparationError(
                f"{archive} holds no usable training pictures: they are looked for as {name}/train/*.jpg. "
                + "; ".join(left_out.lines[:3])
            )
        _check_side(archive, form, sides)
        for half, writer in writers.items():
            writer.finish(_description(archive, half, form, sides, source_sizes), left_out)
    return counts


def _in_splits(pictures: Iterator, left_out: LeftOut) -> Iterator[tuple[str, bytes]]:
    for member, data in pictures:
        if _folder(member) in SPLITS:
            yield member, data
        else:
            left_out.add(member, "in no folder named train or val")


def _folder(member: str) -> str:
    """Name of the folder that a member lies in: edges2shoes/train/1_AB.jpg -> train."""
    return member.rpartition("/")[0].rpartition("/")[2]


def _check_side(archive: Path, form: PairForm, sides: collections.Counter) -> None:
    """Makes sure that `edges` are drawings: in other archives either half may have any colours."""
    if form.drawing != "edges" or form.side_is_certain:
        return
    asked = sides.total()
    if sides["both"] > _MOST * asked:
        raise PreparationError(
            f"{archive} has colours in both halves of its pairs ({sides['both']} of {asked} looked at), so "
            "that neither is a drawing of edges. Nothing was prepared from it. Say what the other half is "
            "with --drawing=labels, or whatever it is, and where the photos are with --photo_side."
        )
    other = {"left": "right", "right": "left"}[form.photo_side]
    if sides[other] > _MOST * asked and sides[other] > 1:
        raise PreparationError(
            f"{archive} is mirrored: of {asked} pairs looked at, {sides[other]} have their colours "
            f"on the {other}, where the drawing should be. Nothing was prepared from it. Prepare it with "
            f"--photo_side={other}."
        )


def _description(
    archive: Path, half: str, form: PairForm, sides: collections.Counter, source_sizes: collections.Counter
) -> dict:
    drawing = half != PHOTO
    lines = "lines thickened by a pixel to every side, then " if drawing and form.thickened else ""
    return {
        "source": {"archive": archive.name, "bytes": archive.stat().st_size},
        "method": f"the {half} half cropped, then {lines}scaled by the area mean",
        "half": half,
        "drawing": form.drawing,
        "photo_side": form.photo_side,
        "colours_on": dict(+sides),
        "source_sizes": most_common_sizes(source_sizes),
        "thickened": drawing and form.thickened,
    }
