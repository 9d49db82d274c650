"""Prepares domains, prints reports, and prepares the domains that a run is missing."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from data_prep.archives import dataset_name
from data_prep.captions.domain import CaptionSource
from data_prep.errors import PreparationError
from data_prep.folder import FolderSource
from data_prep.known_sets import pair_form
from data_prep.limits import LeftOut, Limits, printable
from data_prep.pairs import PHOTO, PairForm
from data_prep.prepared import is_prepared, open_domain, require_name
from data_prep.unfinished import remove_leftovers

_SHOWN_LEFT_OUT = 10


def prepare_archive(
    archive: Path,
    data_dir: Path,
    image_size: int,
    form: PairForm | None = None,
    limits: Limits | None = None,
    force: bool = False,
) -> None:
    """Prepares halves of a pix2pix archive as domains, completely or not at all, and reports on it.

    Args:
      archive: The tar file.
      data_dir: Where the domains go, `NAME/HALF/SIZEpx/VERSION`.
      image_size: Height and width of the prepared images.
      form: Which halves, and how; both, from archives like edges2shoes, if None.
      limits: Bounds on the archive.
      force: Whether to replace domains of this name.

    Raises:
      PreparationError: if the archive cannot be used or the result cannot be written.
    """
    from data_prep.pix2pix import prepare_pairs

    name = dataset_name(archive)
    require_name(name, printable(str(archive)))
    form = form or PairForm()
    if not force:
        form = _without_prepared(form, name, data_dir, image_size)
    if not form.halves:
        return
    domains = tuple(f"{name}/{half}" for half in form.halves)
    with _reported(str(archive), domains, data_dir, image_size) as (left_out, report):
        report(prepare_pairs(archive, data_dir, image_size, form, limits or Limits(), left_out))


def _without_prepared(form: PairForm, name: str, data_dir: Path, image_size: int) -> PairForm:
    """The halves that are not prepared yet; reports the others.

    Raises:
      PreparationError: if one is prepared in another way.
    """
    missing = tuple(
        half for half in form.halves if not is_prepared(data_dir, f"{name}/{half}", image_size)
    )
    for half in form.halves:
        domain = f"{name}/{half}"
        if half not in missing:
            options = {"photo_side": form.photo_side} if form.side_is_certain else {}
            if half != PHOTO:
                options["thickened"] = form.thickened
            before = open_domain(data_dir, domain, image_size).preparation
            _require_options(before, options, domain, image_size, "Give --force to replace it")
            _say_prepared(data_dir, domain, image_size)
    return dataclasses.replace(form, halves=missing)


def prepare_images(
    source: FolderSource,
    data_dir: Path,
    name: str,
    image_size: int,
    limits: Limits | None = None,
    force: bool = False,
) -> None:
    """Prepares a folder of images as a domain, and reports on it. See `prepare_folder`.

    Args:
      source: The folder.
      data_dir: Where the domain goes.
      name: Name of the domain.
      image_size: Height and width of the prepared images.
      limits: Bounds on the folder.
      force: Whether to replace a domain of this name.

    Raises:
      PreparationError: if the folder cannot be used, the result cannot be written, or the domain is
        prepared from something else.
    """
    from data_prep.folder import prepare_folder

    require_name(name, f"--name={name}")
    if not 0 <= source.val_share < 1:
        raise PreparationError(
            f"--val_share={source.val_share}: must be at least 0 and less than 1"
        )
    if not force and _is_prepared_like(source.options(), data_dir, name, image_size):
        return
    with _reported(str(source.images), (name,), data_dir, image_size) as (left_out, report):
        report(prepare_folder(source, data_dir, name, image_size, limits or Limits(), left_out))


def prepare_unpaired(
    source: FolderSource,
    data_dir: Path,
    name: str,
    image_size: int,
    limits: Limits | None = None,
    force: bool = False,
) -> None:
    """Prepares folders trainA, trainB, and testA, testB if there are, as NAME_a and NAME_b.

    Without a test folder, some of the training images become validation images.

    Raises:
      PreparationError: as `prepare_images`.
    """
    for side in "AB":
        test = source.images / f"test{side}"
        of_side = dataclasses.replace(
            source,
            images=source.images / f"train{side}",
            val_images=test if test.is_dir() else None,
            origin=source.origin and f"{source.origin}, side {side}",
        )
        prepare_images(of_side, data_dir, f"{name}_{side.lower()}", image_size, limits, force)


def prepare_captioned(
    source: CaptionSource,
    data_dir: Path,
    name: str,
    image_size: int,
    limits: Limits | None = None,
    force: bool = False,
) -> None:
    """Prepares captioned images as a domain, and reports on it. See `prepare_captions`.

    Raises:
      PreparationError: as `prepare_images`.
    """
    from data_prep.captions.domain import prepare_captions

    require_name(name, f"--name={name}")
    for flag, share in (
        ("val_share", source.val_share),
        ("held_out_combinations", source.held_out_share),
    ):
        if not 0 <= share < 1:
            raise PreparationError(f"--{flag}={share}: must be at least 0 and less than 1")
    if not force and _is_prepared_like(source.options(), data_dir, name, image_size):
        return
    shown = str(source.table or source.archive)
    with _reported(shown, (name,), data_dir, image_size) as (left_out, report):
        report(prepare_captions(source, data_dir, name, image_size, limits or Limits(), left_out))


def prepare_missing(data_dir: str, domains: tuple[str, ...], image_size: int) -> None:
    """Prepares each domain that is not prepared but whose archive is in `data_dir`.

    Raises:
      PreparationError: as `prepare_archive`.
    """
    halves: dict[str, list[str]] = {}
    for domain in dict.fromkeys(domains):
        name, _, half = domain.partition("/")
        if not is_prepared(Path(data_dir), domain, image_size):
            halves.setdefault(name, []).append(half)
    for name, requested in halves.items():
        archive = Path(data_dir) / f"{name}.tar.gz"
        form = pair_form(archive, "", None, thicken_edges=True)
        selected = tuple(half for half in form.halves if half in requested)
        if selected and archive.is_file():
            form = dataclasses.replace(form, halves=selected)
            prepare_archive(archive, Path(data_dir), image_size, form)


def _require_options(
    before: dict, options: dict, domain: str, image_size: int, remedy: str
) -> None:
    differing = [
        f"{key}={before[key]}, not {value}"
        for key, value in options.items()
        if key in before and before[key] != value
    ]
    if differing:
        raise PreparationError(
            f"{domain} is already prepared at {image_size} pixels, but with "
            f"{'; '.join(differing)}. {remedy}"
        )


def _is_prepared_like(options: dict, data_dir: Path, domain: str, image_size: int) -> bool:
    """Whether a domain is prepared already; says so.

    Args:
      options: What it is to be prepared from, and how.
      data_dir, domain, image_size: Where it would be.

    Raises:
      PreparationError: if it is prepared from something else, or in another way.
    """
    if not is_prepared(data_dir, domain, image_size):
        return False
    before = open_domain(data_dir, domain, image_size).preparation.get("options", {})
    remedy = "Give --force to replace it, or another --name"
    _require_options(before, options, domain, image_size, remedy)
    _say_prepared(data_dir, domain, image_size)
    return True


def _say_prepared(data_dir: Path, domain: str, image_size: int) -> None:
    print(
        f"{domain} is already prepared at {image_size} pixels in "
        f"{data_dir / domain}/{image_size}px. To prepare it again, give --force, or remove that "
        "folder."
    )


@contextlib.contextmanager
def _reported(source: str, domains: tuple[str, ...], data_dir: Path, image_size: int) -> Iterator:
    """Prints what is prepared and the result. Yields a `LeftOut`, and a function for the counts."""
    source = printable(source)
    print(f"Preparing {source} at {image_size} pixels in {data_dir}.")
    started, left_out, counts = time.monotonic(), LeftOut(), {}
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        remove_leftovers(data_dir)
        yield left_out, counts.update
    except OSError as error:
        raise PreparationError(
            f"cannot prepare {source} in {data_dir}: {error}. No partial result was left."
        ) from error
    for line in left_out.lines[:_SHOWN_LEFT_OUT]:
        print(f"Left out {line}")
    if len(left_out) > _SHOWN_LEFT_OUT:
        print(
            f"... and {len(left_out) - _SHOWN_LEFT_OUT} more were left out: preparation.json in "
            f"{data_dir / domains[0]}/{image_size}px names them all."
        )
    print(
        f"Prepared {' and '.join(domains)}: "
        + ", ".join(f"{count} {split}" for split, count in counts.items())
        + f" images each, {len(left_out)} left out, in {time.monotonic() - started:.1f} s."
    )
