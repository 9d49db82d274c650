"""Prepares images for training: `python -m data_prep pix2pix|folder|captions|sample|check`."""

import argparse
import dataclasses
import re
import sys
from pathlib import Path

from data_prep.errors import PreparationError
from data_prep.limits import Limits

_SMALLEST, _LARGEST = 16, 1024


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_prep", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data_dir", type=Path, default=Path("data"), help="where domains go (data)"
    )
    common.add_argument(
        "--image_size", type=_image_size, default=64,
        help="height and width of the prepared images in pixels (64)",
    )  # fmt: skip
    sources = argparse.ArgumentParser(add_help=False)
    for name, words in (
        ("max_bytes", "bytes that an archive unpacks to"),
        ("max_members", "members of an archive, or files of a folder"),
        ("max_image_bytes", "bytes of one image's file"),
        ("max_pixels", "pixels of one image"),
    ):
        default = getattr(Limits(), name)
        sources.add_argument(
            f"--{name}", type=int, default=default, help=f"limit: {words} ({default:,})"
        )

    pix2pix = commands.add_parser(
        "pix2pix", parents=[common, sources], help="archives of pairs such as edges2shoes"
    )
    _define_pix2pix(pix2pix)
    folder = commands.add_parser("folder", parents=[common, sources], help="a folder of images")
    _define_folder(folder)
    captions = commands.add_parser(
        "captions", parents=[common, sources], help="images with captions, named in a table"
    )
    _define_captions(captions)
    sample = commands.add_parser(
        "sample",
        parents=[common],
        help="generate a synthetic sample of handbags and shoes, without a download",
    )
    sample.add_argument(
        "--num_train", type=int, default=1000, help="training pairs of each kind (1000)"
    )
    sample.add_argument("--num_val", type=int, default=100, help="validation pairs of each (100)")
    sample.add_argument(
        "--captions",
        action="store_true",
        help="generate captioned images, the domain sample_captions, instead of pairs; about "
        "--num_val of each kind, and a tenth of all combinations of kind and color, become "
        "validation images",
    )
    check = commands.add_parser(
        "check", parents=[common, sources],
        help="examine prepared domains, or a source: what is wrong and what to do. Exit status: 1 "
        "if there is an error, else 0",
    )  # fmt: skip
    _define_check(check)
    return parser


def _image_size(text: str) -> int:
    if not text.isdecimal() or not _SMALLEST <= int(text) <= _LARGEST:
        raise argparse.ArgumentTypeError(f"must be a number from {_SMALLEST} to {_LARGEST}")
    return int(text)


def _define_check(parser: argparse.ArgumentParser) -> None:
    from data_prep.folder import FITS

    parser.add_argument(
        "--domain", default=[], action="append", help="a prepared domain; repeat for several (all)"
    )
    parser.add_argument("--archive", type=Path, help="a pix2pix archive instead")
    parser.add_argument("--images", type=Path, help="a folder of images instead")
    parser.add_argument(
        "--fit", choices=FITS, default="pad", help="how --images become square (pad)"
    )
    parser.add_argument(
        "--photo_side",
        choices=("left", "right"),
        help="side of the photos in the archive (default: as for the known archives, or right)",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        default=Path("check.png"),
        help="file of the contact sheet (check.png)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _define_pix2pix(parser: argparse.ArgumentParser) -> None:
    from data_prep.known_sets import KNOWN_SETS

    parser.add_argument(
        "--archive", type=Path, default=[], action="append", help="an archive; repeat for several"
    )
    _define_form(parser)
    parser.add_argument(
        "--download", default=[], action="append", metavar="NAME", choices=KNOWN_SETS,
        help=f"download one of {', '.join(KNOWN_SETS)}; repeat for several",
    )  # fmt: skip
    parser.add_argument("--sha256", help="digest that the one downloaded archive must have")


def _define_form(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--halves",
        default="",
        help="which halves to prepare, separated by commas: photo, edges (all)",
        metavar="HALF,HALF",
    )
    parser.add_argument("--photo_side", choices=("left", "right"), help="side of the photo (right)")
    parser.add_argument(
        "--drawing", help="name of the other half (default: as for the known archives, or edges)"
    )
    parser.add_argument(
        "--thicken_edges", action=argparse.BooleanOptionalAction, default=True,
        help="make lines two pixels thicker before scaling, as in the paper authors' code",
    )  # fmt: skip


def _define_folder(parser: argparse.ArgumentParser) -> None:
    from data_prep.known_sets import UNPAIRED_SETS

    parser.add_argument("--name", help="name of the domain (that of the download)")
    parser.add_argument(
        "--images",
        type=Path,
        help="the folder, searched at any depth. One with folders trainA, trainB, testA and testB, "
        "as CycleGAN's data sets have, becomes two domains, NAME_a and NAME_b",
    )
    parser.add_argument(
        "--download", metavar="NAME", choices=UNPAIRED_SETS,
        help=f"download one of CycleGAN's data sets instead: {', '.join(UNPAIRED_SETS)}",
    )  # fmt: skip
    parser.add_argument("--val_images", type=Path, help="a second folder with validation images")
    parser.add_argument(
        "--val_share",
        type=float,
        default=0.1,
        help="fraction of the images for validation without --val_images (0.1)",
    )
    _define_fit(parser)


def _define_captions(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", required=True, help="name of the domain")
    parser.add_argument("--table", type=Path, help="the table: .tsv, .csv or .jsonl")
    parser.add_argument("--images", type=Path, help="the folder of the images (that of the table)")
    parser.add_argument(
        "--archive", type=Path, help="a tar archive of the images and, without --table, the table"
    )
    for name, words in (
        ("image", "paths of the images (image)"),
        ("caption", "captions, several separated by commas (caption, captions or title)"),
        ("type", "what images show; with the color it is their class (type)"),
        ("color", "colors (color or colour)"),
    ):
        flag = "--caption_columns" if name == "caption" else f"--{name}_column"
        default = "image" if name == "image" else ""
        parser.add_argument(flag, default=default, metavar="NAME", help=f"column: {words}")
    parser.add_argument(
        "--template", default=[], action="append",
        help='a caption made from columns, such as "{color} {type}"; repeat for several',
    )  # fmt: skip
    parser.add_argument(
        "--val_share", type=float, default=0.1, help="fraction of the images for validation (0.1)"
    )
    parser.add_argument(
        "--held_out_combinations", type=float, default=0.0, metavar="SHARE",
        help="fraction of the combinations of type and color that training never sees (0)",
    )  # fmt: skip
    _define_fit(parser)


def _define_fit(parser: argparse.ArgumentParser) -> None:
    from data_prep.folder import FITS

    parser.add_argument(
        "--fit", choices=FITS, default="pad",
        help="how images become square: pad with the color of their border; crop to the middle; "
        "stretch. Whatever uses the trained run does the same (pad)",
    )  # fmt: skip
    parser.add_argument(
        "--force", action="store_true", help="replace a domain of this name and size"
    )


def _prepare_captions(arguments: argparse.Namespace) -> None:
    from data_prep.captions.domain import CaptionSource
    from data_prep.captions.table import Columns
    from data_prep.prepare import prepare_captioned

    if not arguments.table and not arguments.archive:
        raise PreparationError("give --table=FILE or --archive=FILE")
    if arguments.images and arguments.archive:
        raise PreparationError("--images and --archive: give only one")
    captions = tuple(filter(None, map(str.strip, arguments.caption_columns.split(","))))
    columns = Columns(
        arguments.image_column, captions, arguments.type_column, arguments.color_column,
        tuple(arguments.template),
    )  # fmt: skip
    source = CaptionSource(
        arguments.table, arguments.images, arguments.archive, columns, arguments.val_share,
        arguments.held_out_combinations, arguments.fit,
    )  # fmt: skip
    prepare_captioned(
        source, arguments.data_dir, arguments.name, arguments.image_size, _limits(arguments),
        arguments.force,
    )  # fmt: skip


def _prepare_pix2pix(arguments: argparse.Namespace) -> None:
    from data_prep.download import download
    from data_prep.known_sets import pair_form
    from data_prep.prepare import prepare_archive
    from data_prep.prepared import is_prepared

    if not arguments.archive and not arguments.download:
        raise PreparationError("give --archive=FILE or --download=NAME")
    if arguments.sha256 and len(arguments.download) != 1:
        raise PreparationError("--sha256 is for one --download")
    downloads = {arguments.data_dir / f"{name}.tar.gz": name for name in arguments.download}
    forms = {
        archive: pair_form(
            archive,
            arguments.halves,
            arguments.photo_side,
            arguments.thicken_edges,
            arguments.drawing,
        )
        for archive in (*arguments.archive, *downloads)
    }
    for archive, name in downloads.items():
        domains = [f"{name}/{half}" for half in forms[archive].halves]
        if not all(
            is_prepared(arguments.data_dir, domain, arguments.image_size) for domain in domains
        ):
            download(name, arguments.data_dir, arguments.sha256)
    for archive, form in forms.items():
        prepare_archive(archive, arguments.data_dir, arguments.image_size, form, _limits(arguments))


def _prepare_folder(arguments: argparse.Namespace) -> None:
    from data_prep.download import download
    from data_prep.folder import FolderSource
    from data_prep.prepare import prepare_images, prepare_unpaired
    from data_prep.prepared import is_prepared
    from data_prep.unpaired import is_unpaired_set, unpacked

    if bool(arguments.images) == bool(arguments.download):
        raise PreparationError("give --images=DIR or --download=NAME")
    name = arguments.name or arguments.download
    if not name:
        raise PreparationError("give --name=NAME: how training names the domain")
    source = FolderSource(
        arguments.images, arguments.val_images, arguments.val_share, arguments.fit
    )
    target = arguments.data_dir, name, arguments.image_size, _limits(arguments), arguments.force
    is_set = bool(arguments.download) or is_unpaired_set(arguments.images)
    if is_set and arguments.val_images:
        raise PreparationError("--val_images: a set of two domains has folders testA and testB")
    if arguments.download:
        domains = [f"{name}_{side}" for side in "ab"]
        prepared = [is_prepared(arguments.data_dir, d, arguments.image_size) for d in domains]
        if all(prepared) and not arguments.force:
            print(f"{' and '.join(domains)} are already prepared.")
            return
        archive = download(arguments.download, arguments.data_dir)
        with unpacked(archive, _limits(arguments)) as folder:
            prepare_unpaired(dataclasses.replace(source, images=folder), *target)
    elif is_set:
        prepare_unpaired(source, *target)
    else:
        prepare_images(source, *target)


def _prepare_sample(arguments: argparse.Namespace) -> None:
    from data_prep.prepare import prepare_archive
    from data_prep.sample.archive import draw_archives

    if arguments.captions:
        _prepare_captioned_sample(arguments)
        return
    for archive in draw_archives(arguments.data_dir, arguments.num_train, arguments.num_val):
        prepare_archive(archive, arguments.data_dir, arguments.image_size)


def _prepare_captioned_sample(arguments: argparse.Namespace) -> None:
    from data_prep.captions.domain import CaptionSource
    from data_prep.captions.table import Columns
    from data_prep.prepare import prepare_captioned
    from data_prep.sample.captions import NAME, draw_captioned

    count = arguments.num_train + arguments.num_val
    if arguments.num_train < 1 or arguments.num_val < 0:
        raise PreparationError("--num_train must be at least 1, and --num_val at least 0")
    archive = draw_captioned(arguments.data_dir, count)
    source = CaptionSource(
        None, None, archive, Columns(), val_share=arguments.num_val / count, held_out_share=0.1
    )
    prepare_captioned(source, arguments.data_dir, NAME, arguments.image_size)


def _check(arguments: argparse.Namespace) -> int:
    from data_prep.check.check import check_prepared, check_source
    from data_prep.folder import FolderSource
    from data_prep.known_sets import pair_form
    from data_prep.prepare import prepare_archive, prepare_images
    from data_prep.unpaired import is_unpaired_set

    archive, images, size = arguments.archive, arguments.images, arguments.image_size
    shown = arguments.sheet, arguments.json
    if bool(archive) + bool(images) + bool(arguments.domain) > 1:
        raise PreparationError("--domain, --archive and --images: give only one")
    if arguments.photo_side and not archive:
        raise PreparationError("--photo_side is for --archive")
    if archive:
        form = pair_form(archive, "", arguments.photo_side, thicken_edges=False)
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
        worst = check_prepared(arguments.data_dir, arguments.domain, size, *shown)
    return 1 if worst == "error" else 0


def _limits(arguments: argparse.Namespace) -> Limits:
    return Limits(
        arguments.max_bytes, arguments.max_members, arguments.max_image_bytes, arguments.max_pixels
    )


_COMMANDS = {
    "pix2pix": _prepare_pix2pix,
    "folder": _prepare_folder,
    "captions": _prepare_captions,
    "sample": _prepare_sample,
    "check": _check,
}


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    try:
        sys.exit(_COMMANDS[arguments.command](arguments))
    except PreparationError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
