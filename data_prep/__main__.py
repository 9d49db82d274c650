"""Prepares images for training.

    python -m data_prep pix2pix --archive=edges2shoes.tar.gz
    python -m data_prep folder --name=boots --images=DIR
    python -m data_prep captions --name=fashion --table=captions.tsv --images=DIR
    python -m data_prep sample
    python -m data_prep check

pix2pix: archives of pairs such as edges2shoes. folder: a folder of images. captions: images with
captions, named in a table. sample: a synthetic sample of handbags and shoes, without a download.
check: examines prepared domains, or a source, and says what is wrong and what to do.

`python -m data_prep COMMAND --help` lists the flags of a command. Exit status: 0 when all was done,
1 on an error that the message explains; of check, if there is an error among the findings.
"""

import dataclasses
import os
import re
import sys
from pathlib import Path

from absl import app, flags

from data_prep import command_flags
from data_prep.errors import PreparationError
from data_prep.limits import Limits


def _prepare_captions(arguments: flags.FlagValues) -> None:
    from data_prep.captions.domain import CaptionSource
    from data_prep.captions.table import Columns
    from data_prep.prepare import prepare_captioned

    if not arguments.table and not arguments.archive:
        raise PreparationError("give --table=FILE or --archive=FILE")
    if arguments.images and arguments.archive:
        raise PreparationError("--images and --archive: give only one")
    captions = tuple(filter(None, map(str.strip, arguments.caption_columns)))
    columns = Columns(
        arguments.image_column, captions, arguments.type_column, arguments.color_column,
        tuple(arguments.template),
    )  # fmt: skip
    source = CaptionSource(
        _path(arguments.table), _path(arguments.images), _path(arguments.archive), columns,
        arguments.val_share,
        arguments.held_out_combinations, arguments.fit,
    )  # fmt: skip
    prepare_captioned(
        source, Path(arguments.data_dir), arguments.name, arguments.image_size, _limits(arguments),
        arguments.force,
    )  # fmt: skip


def _prepare_pix2pix(arguments: flags.FlagValues) -> None:
    from data_prep.download import download
    from data_prep.known_sets import pair_form
    from data_prep.prepare import prepare_archive
    from data_prep.prepared import is_prepared

    if not arguments.archive and not arguments.download:
        raise PreparationError("give --archive=FILE or --download=NAME")
    if arguments.sha256 and len(arguments.download) != 1:
        raise PreparationError("--sha256 is for one --download")
    downloads = {Path(arguments.data_dir) / f"{name}.tar.gz": name for name in arguments.download}
    forms = {
        archive: pair_form(
            archive,
            ",".join(arguments.halves),
            arguments.photo_side,
            arguments.thicken_edges,
            arguments.drawing,
        )
        for archive in (*map(Path, arguments.archive), *downloads)
    }
    for archive, name in downloads.items():
        domains = [f"{name}/{half}" for half in forms[archive].halves]
        if arguments.force or not all(
            is_prepared(Path(arguments.data_dir), domain, arguments.image_size)
            for domain in domains
        ):
            download(name, Path(arguments.data_dir), arguments.sha256)
    for archive, form in forms.items():
        prepare_archive(
            archive, Path(arguments.data_dir), arguments.image_size, form, _limits(arguments),
            arguments.force,
        )  # fmt: skip


def _prepare_folder(arguments: flags.FlagValues) -> None:
    from data_prep.download import download
    from data_prep.folder import FolderSource
    from data_prep.prepare import prepare_images, prepare_unpaired
    from data_prep.unpaired import is_unpaired_set, unpacked

    if bool(arguments.images) == bool(arguments.download):
        raise PreparationError("give --images=DIR or --download=NAME")
    name = arguments.name or arguments.download
    if not name:
        raise PreparationError("give --name=NAME: how training names the domain")
    source = FolderSource(
        _path(arguments.images), _path(arguments.val_images), arguments.val_share, arguments.fit
    )
    target = (
        Path(arguments.data_dir),
        name,
        arguments.image_size,
        _limits(arguments),
        arguments.force,
    )
    is_set = bool(arguments.download) or is_unpaired_set(Path(arguments.images))
    if is_set and arguments.val_images:
        raise PreparationError("--val_images: a set of two domains has folders testA and testB")
    if arguments.download:
        domains = [f"{name}_{side}" for side in "ab"]
        if not arguments.force and all(_is_prepared_to_fit(arguments, d) for d in domains):
            print(f"{' and '.join(domains)} are already prepared.")
            return
        archive = download(arguments.download, Path(arguments.data_dir))
        with unpacked(archive, _limits(arguments)) as folder:
            unpacked_source = dataclasses.replace(source, images=folder, origin=archive.name)
            prepare_unpaired(unpacked_source, *target)
    elif is_set:
        prepare_unpaired(source, *target)
    else:
        prepare_images(source, *target)


def _is_prepared_to_fit(arguments: flags.FlagValues, domain: str) -> bool:
    """Whether a domain is prepared.

    Raises:
      PreparationError: if it is, but with another --fit.
    """
    from data_prep.prepared import is_prepared, open_domain

    place = Path(arguments.data_dir), domain, arguments.image_size
    if not is_prepared(*place):
        return False
    fit = open_domain(*place).preparation.get("fit", arguments.fit)
    if fit != arguments.fit:
        raise PreparationError(
            f"{domain} is already prepared, but with --fit={fit}. Give --force to replace it"
        )
    return True


def _prepare_sample(arguments: flags.FlagValues) -> None:
    from data_prep.prepare import prepare_archive
    from data_prep.sample.archive import ARCHIVES, draw_archives
    from data_prep.sample.captions import NAME

    if arguments.force:
        for name in (NAME,) if arguments.captions else ARCHIVES:
            Path(arguments.data_dir, f"{name}.tar.gz").unlink(missing_ok=True)
    if arguments.captions:
        _prepare_captioned_sample(arguments)
        return
    for archive in draw_archives(Path(arguments.data_dir), arguments.num_train, arguments.num_val):
        prepare_archive(
            archive, Path(arguments.data_dir), arguments.image_size, force=arguments.force
        )


def _prepare_captioned_sample(arguments: flags.FlagValues) -> None:
    from data_prep.captions.domain import CaptionSource
    from data_prep.captions.table import Columns
    from data_prep.prepare import prepare_captioned
    from data_prep.sample.captions import NAME, draw_captioned

    count = arguments.num_train + arguments.num_val
    if arguments.num_train < 1 or arguments.num_val < 0:
        raise PreparationError("--num_train must be at least 1, and --num_val at least 0")
    archive = draw_captioned(Path(arguments.data_dir), count)
    source = CaptionSource(
        None, None, archive, Columns(), val_share=arguments.num_val / count, held_out_share=0.1
    )
    prepare_captioned(
        source, Path(arguments.data_dir), NAME, arguments.image_size, force=arguments.force
    )


def _check(arguments: flags.FlagValues) -> int:
    from data_prep.check.check import check_prepared, check_source
    from data_prep.folder import FolderSource
    from data_prep.known_sets import pair_form
    from data_prep.prepare import prepare_archive, prepare_images
    from data_prep.unpaired import is_unpaired_set

    archive, images = _path(arguments.archive), _path(arguments.images)
    size = arguments.image_size
    shown = Path(arguments.sheet), arguments.json
    if bool(archive) + bool(images) + bool(arguments.domain) > 1:
        raise PreparationError("--domain, --archive and --images: give only one")
    for name in ("photo_side", "drawing"):
        if getattr(arguments, name) and not archive:
            raise PreparationError(f"--{name} is for --archive")
    if archive:
        form = pair_form(archive, "", arguments.photo_side, False, arguments.drawing)
        worst = check_source(
            lambda folder: prepare_archive(archive, folder, size, form, _limits(arguments)),
            str(archive), size, *shown,
        )  # fmt: skip
    elif images:
        if is_unpaired_set(images):
            raise PreparationError(
                f"{images} holds two domains. Check one at a time: --images={images / 'trainA'}"
            )
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", images.resolve().name).lstrip("_.-") or "images"
        limits = _limits(arguments)
        worst = check_source(
            lambda folder: prepare_images(
                FolderSource(images, val_share=0, fit=arguments.fit), folder, name, size, limits
            ),
            str(images), size, *shown, needs_validation=False,
        )  # fmt: skip
    else:
        worst = check_prepared(Path(arguments.data_dir), arguments.domain, size, *shown)
    return 1 if worst == "error" else 0


def _limits(arguments: flags.FlagValues) -> Limits:
    return Limits(
        arguments.max_bytes, arguments.max_members, arguments.max_image_bytes, arguments.max_pixels
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


# Command -> the function that defines its flags, and the one that runs it.
_COMMANDS = {
    "pix2pix": (command_flags.define_pix2pix, _prepare_pix2pix),
    "folder": (command_flags.define_folder, _prepare_folder),
    "captions": (command_flags.define_captions, _prepare_captions),
    "sample": (command_flags.define_sample, _prepare_sample),
    "check": (command_flags.define_check, _check),
}


def main(argv: list[str]) -> None:
    """Runs a command. For `absl.app.run`, with the command and its flags defined."""
    if len(argv) > 2:
        raise app.UsageError(f"not a flag: {' '.join(argv[2:])}")
    _, run = _COMMANDS[argv[1]]
    try:
        sys.exit(run(flags.FLAGS))
    except PreparationError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _run() -> None:
    name = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    if name in _COMMANDS:
        define, _ = _COMMANDS[name]
        define()
        app.run(main)
    elif {"--help", "-h", "--helpshort"} & set(sys.argv[1:]):
        print(__doc__, end="")
    else:
        commands = ", ".join(_COMMANDS)
        sys.exit(f"error: say what to do, one of {commands}; --help explains them")


if __name__ == "__main__":
    try:
        _run()
        sys.stdout.flush()
    except BrokenPipeError:  # What reads the output, such as `head`, needs no more of it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
