"""Translates images with a trained run.

    python -m discogan_tf.translate --workdir=runs/bags_shoes --direction=handbags2shoes \\
        --images=DIR --output_dir=DIR

Every image under --images becomes one PNG in --output_dir, and a contact sheet shows the first
hundred beside their originals. Exit status: 0 when every file was translated, 1 when some could
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
    workdir: Path, direction: str, images: Path, output_dir: Path, checkpoint: str = "last"
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
    from discogan_tf.models.contract import IMAGES, SERVING_DEFAULT, TRANSLATED, by_display_name
    from discogan_tf.runs.checkpoints import restore_generators
    from discogan_tf.runs.workdir import read_config

    config = read_config(workdir)
    model = create_inference_model(config)
    directions = by_display_name(model, config.display_names)
    name = directions[direction].name if direction in directions else direction
    signatures = model.signatures()
    if name not in signatures:
        raise ConfigError(f"--direction={direction}: this run has {' and '.join(directions)}")
    function, inputs = signatures[name][SERVING_DEFAULT]
    if list(inputs) != [IMAGES]:
        raise ConfigError(
            f"--direction={direction}: this model takes {', '.join(inputs)}, not images"
        )
    targets = _targets(images, output_dir)
    step = restore_generators(workdir, model, checkpoint)
    print(f"Translating {len(targets)} file(s) with {workdir}, step {step}.")
    run = tf.function(function, input_signature=list(inputs.values()))

    unreadable, shown, written = [], [], 0
    sources = list(targets)
    for start in tqdm(range(0, len(sources), _BATCH_SIZE), unit="batch", delay=1):
        batch = []
        for source in sources[start : start + _BATCH_SIZE]:
            try:
                batch.append((source, pixels.read_image(source, config.image_size)))
            except OSError as error:
                unreadable.append(f"{source}: {error}")
        if not batch:
            continue
        originals = np.stack([image for _, image in batch])
        outputs = pixels.to_uint8(run(pixels.to_float(originals))[TRANSLATED])
        for (source, _), image in zip(batch, outputs, strict=True):
            targets[source].parent.mkdir(parents=True, exist_ok=True)
            pixels.write_png(targets[source], image)
        written += len(batch)
        shown += list(zip(originals, outputs, strict=True))[: _SHEET_IMAGES - len(shown)]
    if shown:
        sheet = pixels.draw_pairs(*map(list, zip(*shown, strict=True)), _SHEET_COLUMNS)
        pixels.write_png(output_dir / _CONTACT_SHEET, sheet)
        print(f"Wrote {written} image(s) and {output_dir / _CONTACT_SHEET}.")
    return unreadable


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
            values.checkpoint,
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
    app.run(main)
