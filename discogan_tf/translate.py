"""Translates images with a trained run.

    python -m discogan_tf.translate --workdir=runs/bags_shoes --direction=handbags2shoes \\
        --images=DIR --output_dir=DIR

Every image under --images becomes one image in --output_dir, and a contact sheet shows the first
hundred beside their originals. --direction=both writes a folder for each direction. Translations
are as large as the training images, or as --keep_size and --size say. Exit status: 0 when every
file was translated, 1 when some could not be read or on an error that the message explains.
"""

import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError
from discogan_tf.startup import exit_on_errors, silence_startup_logs

_BOTH = "both"
_BATCH_SIZE = 64
_CONTACT_SHEET, _VIDEO = "contact_sheet.png", "video.mp4"
_SHEET_COLUMNS, _SHEET_IMAGES = 10, 100
_LARGEST_SIZE = 4096


def translate(
    workdir: Path,
    direction: str | None,
    images: Path,
    output_dir: Path,
    checkpoint: str = "last",
    keep_size: bool = False,
    size: int = 0,
    file_format: str = "png",
    side_by_side: bool = False,
    video: int = 0,
) -> list[str]:
    """Translates every image under `images`.

    Args:
      workdir: Folder of a trained run.
      direction: Display name of a translation of the run, such as "handbags2shoes"; its own name,
        such as "a_to_b"; or "both".
      images: An image, or a folder that is searched with its subfolders. Hidden files are ignored.
      output_dir: Folder for the translations, `STEM.png` in the same subfolders, and for the
        contact sheet; with "both", of a folder for each direction.
      checkpoint: As for `restore_generators`.
      keep_size: Whether translations get the size of their originals. Generators of
        `--architecture=resnet` translate at that size. Those of other architectures translate at
        theirs, and the result is enlarged.
      size: Height and width of the translations, enlarged from that of the training images; 0 for
        theirs.
      file_format: "png", "jpeg" or "webp".
      side_by_side: Whether to write each image beside its translation.
      video: Frames per second of a video of all translations in order, `video.mp4`; 0 for none.

    Returns:
      A line for each file that could not be read.

    Raises:
      ConfigError: if there is no run in `workdir`, it has no such direction, or settings exclude
        each other.
      CheckpointError: if it has no readable checkpoint.
      DataError: if there are no images, or the output would overwrite them.
    """
    from discogan_tf.images import FILE_SUFFIXES
    from discogan_tf.output_files import targets
    from discogan_tf.translator import Translator
    from discogan_tf.video import require_ffmpeg

    if size and keep_size:
        raise ConfigError("--size and --keep_size: give only one")
    if not 0 <= size <= _LARGEST_SIZE:
        raise ConfigError(f"--size={size}: must be from 1 to {_LARGEST_SIZE}")
    if video:
        require_ffmpeg()
    translator = Translator(workdir, checkpoint)
    if direction is None and len(translator.directions) > 1:
        directions = ", ".join(translator.directions)
        raise ConfigError(f"give --direction={_BOTH}, or one of: {directions}")
    both = direction == _BOTH
    directions = translator.directions if both else [translator.resolve(direction)]
    folders = {name: output_dir / name if both else output_dir for name in directions}
    suffix = FILE_SUFFIXES[file_format]
    reserved = (_CONTACT_SHEET, _VIDEO) if video else (_CONTACT_SHEET,)
    planned = {
        name: targets([images], folder, suffix, reserved) for name, folder in folders.items()
    }
    count = len(next(iter(planned.values())))
    print(f"Translating {count} file(s) with {workdir}, step {translator.step}.")
    native = translator.image_size
    if keep_size and not translator.translates_any_size:
        print(
            f"The generators of --architecture={translator.config.architecture} translate at "
            f"{native} pixels. The translations are enlarged."
        )
    if size and size != native:
        print(f"Translated at {native} pixels, then scaled to {size}, which adds no detail.")
    unreadable = {}
    for name, files in planned.items():
        unreadable |= _translate_files(
            translator, name, files, folders[name] / _CONTACT_SHEET, keep_size, size, side_by_side
        )
        if video:
            _write_video(files, folders[name], video)
    return [f"{path}: {reason}" for path, reason in unreadable.items()]


def _translate_files(
    translator, direction: str, files: dict[Path, Path], sheet: Path, keep_size: bool, size: int,
    side_by_side: bool,
) -> dict[Path, str]:  # fmt: skip
    """Translates files in one direction. Returns those that could not be read, and why."""
    import numpy as np
    import tensorflow as tf
    from PIL import Image
    from tqdm import tqdm

    from discogan_tf import images as pixels
    from discogan_tf.image_files import beside

    unreadable, shown, written = {}, [], 0
    # Originals are held as large as they are only one at a time.
    is_whole = keep_size or side_by_side
    batch_size = 1 if is_whole else _BATCH_SIZE
    size_read, fit = None if is_whole else translator.image_size, translator.fit(direction)
    sources = list(files)
    with tqdm(total=len(sources), unit="image", desc=direction, delay=1) as progress:
        for start in range(0, len(sources), batch_size):
            originals = {}
            for source in sources[start : start + batch_size]:
                try:
                    originals[source] = pixels.read_image(source, size_read, fit)
                except OSError as error:
                    unreadable[source] = str(error)
            outputs = translator.translate(list(originals.values()), direction, keep_size)
            for (source, original), output in zip(originals.items(), outputs, strict=True):
                if len(shown) < _SHEET_IMAGES:
                    shown.append(
                        [
                            pixels.fit_square(tf.constant(x), translator.image_size).numpy()
                            for x in (original, output)
                        ]
                    )
                if size:
                    output = pixels.enlarge(output, size)
                if side_by_side:
                    pair = beside(Image.fromarray(original), Image.fromarray(output))
                    output = np.asarray(pair)
                files[source].parent.mkdir(parents=True, exist_ok=True)
                try:
                    pixels.write_image(files[source], output)
                    written += 1
                except ValueError as error:
                    unreadable[source] = f"cannot be written: {error}"
            progress.update(len(sources[start : start + batch_size]))
    if shown:
        rows = map(list, zip(*shown, strict=True))
        pixels.write_image(sheet, pixels.draw_pairs(*rows, _SHEET_COLUMNS))
        print(f"Wrote {written} image(s) and {sheet}.")
    return unreadable


def _write_video(files: dict[Path, Path], folder: Path, frames_per_second: int) -> None:
    from discogan_tf.video import write_video

    frames = [target for target in files.values() if target.is_file()]
    if frames:
        target = folder / _VIDEO
        write_video(frames, target, frames_per_second)
        print(f"Wrote {target}.")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        unreadable = translate(
            Path(values.workdir), values.direction, Path(values.images), Path(values.output_dir),
            values.checkpoint, values.keep_size, values.size, values.format, values.side_by_side,
            values.video,
        )  # fmt: skip
    if unreadable:
        print(*unreadable, sep="\n", file=sys.stderr)
        sys.exit(f"error: {len(unreadable)} file(s) could not be read and were skipped")


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_string("direction", None, f"For example handbags2shoes, or {_BOTH}.")
    flags.DEFINE_string("images", None, "An image, or a folder of images.", required=True)
    flags.DEFINE_string("output_dir", "translated", "Folder for the translations.")
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_boolean(
        "keep_size",
        False,
        "Translations as large as their originals, in tiles if need be. Networks other than those "
        "of --architecture=resnet translate at their own size, and the result is enlarged.",
    )
    flags.DEFINE_integer(
        "size", 0, "Height and width of the translations in pixels, enlarged; 0 for the trained."
    )
    flags.DEFINE_enum("format", "png", ["png", "jpeg", "webp"], "Of the translations.")
    flags.DEFINE_boolean("side_by_side", False, "Write each image beside its translation.")
    flags.DEFINE_integer(
        "video", 0, "Also write video.mp4 with so many frames per second; needs ffmpeg.",
        lower_bound=0, upper_bound=240,
    )  # fmt: skip


if __name__ == "__main__":
    define_flags()
    app.run(main)
