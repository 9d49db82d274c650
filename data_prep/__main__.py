"""`python -m data_prep pix2pix|sample`: prepares data sets for training. `--help` tells more."""

import argparse
import sys
from pathlib import Path

from data_prep.errors import PreparationError
from data_prep.prepare import prepare_archive

_IMAGE_SIZES = (32, 64, 128, 256)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m data_prep", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data_dir", type=Path, default=Path("data"), help="where prepared data sets go (data)"
    )
    common.add_argument(
        "--image_size", type=int, default=64, choices=_IMAGE_SIZES,
        help="height and width of the prepared pictures in pixels (64)",
    )  # fmt: skip
    pix2pix = commands.add_parser(
        "pix2pix", parents=[common], help="prepare an archive such as edges2shoes.tar.gz"
    )
    pix2pix.add_argument(
        "--archive",
        type=Path,
        required=True,
        help="the archive; repeat for several",
        action="append",
    )
    sample = commands.add_parser(
        "sample", parents=[common], help="draw handbags and shoes, and prepare them: no download"
    )
    sample.add_argument("--num_train", type=int, default=1000, help="training pairs of each kind (1000)")
    sample.add_argument("--num_val", type=int, default=100, help="validation pairs of each (100)")
    arguments = parser.parse_args()
    try:
        if arguments.command == "pix2pix":
            archives = arguments.archive
        else:
            from data_prep.sample.archive import draw_archives

            archives = draw_archives(arguments.data_dir, arguments.num_train, arguments.num_val)
        for archive in archives:
            prepare_archive(archive, arguments.data_dir, arguments.image_size)
    except PreparationError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
