"""Known archives: where they are, and how the pairs of those of pix2pix are laid out."""

import dataclasses
from pathlib import Path

from data_prep.archives import dataset_name
from data_prep.errors import PreparationError
from data_prep.pairs import PHOTO, PairForm
from data_prep.prepared import require_name

# Of pairs (pix2pix, Isola et al. 2017). Tried in turn; the second is the chapter's, which no longer
# works.
ADDRESSES = (
    "http://efrosgans.eecs.berkeley.edu/pix2pix/datasets/{name}.tar.gz",
    "https://people.eecs.berkeley.edu/~tinghuiz/projects/pix2pix/datasets/{name}.tar.gz",
)

# Name -> the side of its photos, its other half, and its approximate size.
KNOWN_SETS = {
    "edges2shoes": ("right", "edges", "2 GB"),
    "edges2handbags": ("right", "edges", "8 GB"),
    "facades": ("left", "labels", "29 MB"),
    "cityscapes": ("left", "labels", "99 MB"),
    "maps": ("left", "map", "239 MB"),
}

# Of unpaired images (CycleGAN, Zhu et al. 2017), in folders trainA, trainB, testA and testB.
UNPAIRED_ADDRESSES = ("http://efrosgans.eecs.berkeley.edu/cyclegan/datasets/{name}.zip",)
UNPAIRED_SETS = (
    "ae_photos", "apple2orange", "cezanne2photo", "horse2zebra", "iphone2dslr_flower",
    "monet2photo", "summer2winter_yosemite", "ukiyoe2photo", "vangogh2photo",
)  # fmt: skip


def pair_form(
    archive: Path,
    halves: str,
    photo_side: str | None,
    thicken_edges: bool,
    drawing: str | None = None,
) -> PairForm:
    """Layout of an archive, from the flags and, where they are missing, from its name.

    Args:
      archive: The tar file.
      halves: Names of halves, separated by commas; "" for both.
      photo_side: "left" or "right"; None for what is known, or right.
      thicken_edges: As in `PairForm`.
      drawing: Name of the half that is not the photo; None for what is known, or edges.

    Raises:
      PreparationError: if the archive has no half of a given name.
    """
    known_side, known_drawing, _ = KNOWN_SETS.get(dataset_name(archive), ("right", "edges", ""))
    drawing = drawing or known_drawing
    require_name(drawing, f"--drawing={drawing}")
    requested = (
        tuple(dict.fromkeys(half.strip() for half in halves.split(",")))
        if halves
        else (drawing, PHOTO)
    )
    for half in requested:
        if half not in (drawing, PHOTO):
            raise PreparationError(
                f"--halves: {dataset_name(archive)} has no {half!r}; choose from {drawing}, {PHOTO}"
            )
    return dataclasses.replace(
        PairForm(),
        photo_side=photo_side or known_side,
        side_is_certain=photo_side is not None,
        drawing=drawing,
        halves=requested,
        thicken_edges=thicken_edges,
    )
