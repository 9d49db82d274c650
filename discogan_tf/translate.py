"""Translates images with a trained run.

    python -m discogan_tf.translate --workdir=runs/bags_shoes --direction=handbags2shoes \\
        --images=DIR --output_dir=DIR

Every image under --images becomes one PNG in --output_dir, and a contact sheet shows the first
hundred beside their originals. Translations are as large as the training images, or, with
--keep_size, as their originals. Exit status: 0 when every file was translated, 1 when some could
not be read or on an error that the message explains.
"""

import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError, DataError, DiscoganError
from discogan_tf.startup import silence_startup_logs

_BATCH_SIZE = 64
_CONTACT_SHEET = "contact_sheet.png"
_SHEET_COLUMNS, _SHEET_IMAGES = 10, 100


def translate(
    workdir: Path,
    direction: str,
    images: Path,
    output_dir: Path,
    checkpoint: str = "last",
    keep_size: bool = False,
) -> list[str]:
    """Translates every image under `images`.

    Args:
      workdir: Folder of a trained run.
      direction: Display name of a translation of the run, such as "handbags2shoes", or its own
        name, such as "a_to_b".
      images: An image, or a folder that is searched with its subfolders. Hidden files are ignored.
      output_dir: Folder for the translations, `STEM.png` in the same subfolders, and for the
        contact sheet.
      checkpoint: As for `restore_generators`.
      keep_size: Whether translations get the size of their originals. Generators of
        `--architecture=resnet` translate at that size. Those of other architectures translate at
        theirs, and the result is enlarged.

    Returns:
      A line for each file that could not be read.

    Raises:
      ConfigError: if there is no run in `workdir`, or it has no such direction.
      CheckpointError: if it has no readable checkpoint.
      DataError: if there are no images, or the output would overwrite them.
    """
    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from discogan_tf import images as pixels
    from discogan_tf.models import create_inference_model
    from discogan_tf.models.contract import IMAGES, SERVING_DEFAULT, by_display_name
    from discogan_tf.runs.checkpoints import restore_generators
    from discogan_tf.runs.workdir import read_config

    config = read_config(workdir)
    model = create_inference_model(config)
    directions = by_display_name(model, config.display_names)
    name = directions[direction].name if direction in directions else direction
    signatures = model.signatures()
    if name not in signatures:
        has = " and ".join(directions) or "nothing that translates images"
        raise ConfigError(f"--direction={direction}: this run has {has}")
    function, inputs = signatures[name][SERVING_DEFAULT]
    if list(inputs) != [IMAGES]:
        raise ConfigError(
            f"--direction={direction}: this model takes {', '.join(inputs)}, not images"
        )
    targets = _targets(images, output_dir)
    step = restore_generators(workdir, model, checkpoint)
    print(f"Translating {len(targets)} file(s) with {workdir}, step {step}.")
    if keep_size and not model.size_multiple:
        print(
            f"The generators of --architecture={config.architecture} translate at "
            f"{config.image_size} pixels. The translations are enlarged."
        )
    run = _translator(function, config.image_size, model.size_multiple, keep_size)
    batch_size = 1 if keep_size else _BATCH_SIZE

    unreadable, shown, written = [], [], 0
    sources = list(targets)
    for start in tqdm(range(0, len(sources), batch_size), unit="batch", delay=1):
        batch = []
        for source in sources[start : start + batch_size]:
            try:
                size = None if keep_size else config.image_size
                batch.append((source, pixels.read_image(source, size)))
            except OSError as error:
                unreadable.append(f"{source}: {error}")
        if not batch:
            continue
        originals = np.stack([image for _, image in batch])
        outputs = run(originals)
        for (source, _), image in zip(batch, outputs, strict=True):
            targets[source].parent.mkdir(parents=True, exist_ok=True)
            pixels.write_png(targets[source], image)
        written += len(batch)
        some = list(zip(originals, outputs, strict=True))[: _SHEET_IMAGES - len(shown)]
        shown += [
            tuple(pixels.fit_square(tf.constant(x), config.image_size).numpy() for x in pair)
            for pair in some
        ]
    if shown:
        sheet = pixels.draw_pairs(*map(list, zip(*shown, strict=True)), _SHEET_COLUMNS)
        pixels.write_png(output_dir / _CONTACT_SHEET, sheet)
        print(f"Wrote {written} image(s) and {output_dir / _CONTACT_SHEET}.")
    return unreadable


def _translator(function, image_size: int, size_multiple: int | None, keep_size: bool):
    """A function from originals to translations, uint8 [n, height, width, 3] both."""
    import numpy as np
    import tensorflow as tf

    from discogan_tf import images as pixels
    from discogan_tf.models.contract import TRANSLATED
    from discogan_tf.tiling import translate_any_size

    any_size = keep_size and size_multiple
    side = None if any_size else image_size
    spec = tf.TensorSpec((None, side, side, 3), tf.float32)
    run = tf.function(lambda images: function(images)[TRANSLATED], input_signature=[spec])

    def at_its_size(originals):
        image = pixels.to_float(originals[0]).numpy()
        translated = translate_any_size(lambda x: run(x).numpy(), image, size_multiple)
        return pixels.to_uint8(translated)[np.newaxis]

    def enlarged(originals):
        square = pixels.fit_square(tf.constant(originals[0]), image_size)
        translated = pixels.to_uint8(run(pixels.to_float(square)[tf.newaxis]))[0]
        return pixels.unfit_square(translated, *originals[0].shape[:2])[np.newaxis]

    if any_size:
        return at_its_size
    return enlarged if keep_size else lambda x: pixels.to_uint8(run(pixels.to_float(x)))


def _targets(images: Path, output_dir: Path) -> dict[Path, Path]:
    """Every image file -> the PNG to write for it.

    Raises:
      DataError: if there are no files, or the output would land among them.
    """
    if images.is_dir():
        root, files = images, sorted(path for path in images.rglob("*") if path.is_file())
        files = [f for f in files if not any(p.startswith(".") for p in f.relative_to(root).parts)]
        if output_dir.resolve().is_relative_to(images.resolve()):
            raise DataError(
                f"--output_dir={output_dir} is within --images={images}. Give another, so that no "
                "original is overwritten and no translation is translated again"
            )
    elif images.is_file():
        root, files = images.parent, [images]
    else:
        raise DataError(f"--images={images}: no such file or folder")
    if not files:
        raise DataError(f"--images={images}: the folder is empty")
    targets, taken = {}, {output_dir / _CONTACT_SHEET}
    for file in files:
        relative = file.relative_to(root)
        target = output_dir / relative.with_suffix(".png")
        if target in taken:  # bag.jpg and bag.png side by side.
            target = output_dir / relative.with_name(relative.name + ".png")
        if target.resolve() == file.resolve():
            raise DataError(f"{target} would overwrite the original. Give another --output_dir")
        taken.add(target)
        targets[file] = target
    return targets


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    silence_startup_logs()
    values = flags.FLAGS
    try:
        unreadable = translate(
            Path(values.workdir), values.direction, Path(values.images), Path(values.output_dir),
            values.checkpoint, values.keep_size,
        )  # fmt: skip
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")
    if unreadable:
        print(*unreadable, sep="\n", file=sys.stderr)
        sys.exit(f"error: {len(unreadable)} file(s) could not be read and were skipped")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_string("direction", None, "For example handbags2shoes.", required=True)
    flags.DEFINE_string("images", None, "An image, or a folder of images.", required=True)
    flags.DEFINE_string("output_dir", "translated", "Folder for the translations.")
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_boolean(
        "keep_size",
        False,
        "Translations as large as their originals, in tiles if need be. Networks other than those "
        "of --architecture=resnet translate at their own size, and the result is enlarged.",
    )
    app.run(main)
