"""Generates images from sentences with a trained StackGAN.

    python -m discogan_tf.generate --workdir=runs/stackgan_stage2 \\
        --text="a red boot with yellow details" --output_dir=generated

Each sentence becomes --num_images PNG files, and a grid with its sentence above. Image number i has
the seed --seed + i, so that one image can be generated again, here or by an exported
model. Exit status: 0 when all was written, 1 on an error that the message explains.
"""

import re
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP
from discogan_tf.errors import ConfigError, DataError
from discogan_tf.startup import exit_on_errors, silence_startup_logs

# Sentences on the way from one to another, both included.
_COLUMNS = 8


def generate(
    workdir: Path,
    sentences: list[str],
    output_dir: Path,
    num_images: int = 8,
    seed: int = 0,
    checkpoint: str = "last",
    interpolate: bool = False,
) -> None:
    """Generates images of sentences.

    Args:
      workdir: Folder of a trained run with --model=stackgan.
      sentences: What the images must show.
      output_dir: Folder for the images, `NUMBER_WORDS_SEED.png`, and the grids, `NUMBER_WORDS.png`.
      num_images: Images of each sentence.
      seed: Of the first image of each sentence; that of the next is one larger.
      checkpoint: As for `restore_generators`.
      interpolate: Whether to make a grid for each two sentences, too, whose columns go from the one
        to the other, and whose rows are seeds.

    Raises:
      ConfigError: if there is no such run, it is another model, or there is no sentence.
      CheckpointError: if it has no readable checkpoint.
    """
    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from discogan_tf import images as pixels
    from discogan_tf.text_generator import TextGenerator

    sentences = [sentence.strip() for sentence in sentences if sentence.strip()]
    if not sentences:
        raise ConfigError("no sentence: give --text, or a --text_file with a sentence per line")
    if interpolate and len(sentences) < 2:
        raise ConfigError("--interpolate goes from one sentence to the next: give two or more")
    generator = TextGenerator(workdir, checkpoint)
    print(
        f"Generating images of {len(sentences)} sentence(s) with {workdir}, step {generator.step}."
    )
    for sentence in sentences:
        for note in generator.notes(sentence):
            print(f"Note: {sentence!r}: {note}")
    output_dir.mkdir(parents=True, exist_ok=True)
    seeds, embeddings = np.arange(seed, seed + num_images), generator.embed(sentences)
    for number, sentence in enumerate(tqdm(sentences, unit="sentence", delay=1), 1):
        stem = _stem(number, sentence)
        same = tf.repeat(embeddings[number - 1 : number], num_images, axis=0)
        rows = generator.generate(same, seeds)
        for index, image in enumerate(rows["image"]):
            pixels.write_image(output_dir / f"{stem}_{seed + index}.png", image)
        pixels.write_image(output_dir / f"{stem}.png", pixels.draw_grid(rows, title=sentence))
    if interpolate:
        for number in range(1, len(sentences)):
            one, other = embeddings[number - 1], embeddings[number]
            shares = tf.linspace(0.0, 1.0, _COLUMNS)[:, tf.newaxis]
            between = (1 - shares) * one + shares * other
            rows = {
                f"seed {value}": generator.generate(between, np.full(_COLUMNS, value))["image"]
                for value in seeds
            }
            title = f"{sentences[number - 1]}  to  {sentences[number]}"
            path = output_dir / f"between_{number:02d}_{number + 1:02d}.png"
            pixels.write_image(path, pixels.draw_grid(rows, title=title))
    print(f"Wrote {len(sentences) * num_images} image(s) and their grids to {output_dir}.")


def _stem(number: int, sentence: str) -> str:
    """01_a_red_boot, of a sentence however long and in whatever script."""
    return "_".join([f"{number:02d}", *re.findall(r"[a-z0-9]+", sentence.lower())])[:60]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"--text_file={file}: not UTF-8 ({error}). Save it as UTF-8") from error


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        sentences = list(values.text)
        if values.text_file:
            sentences += _lines(Path(values.text_file))
        generate(
            Path(values.workdir), sentences, Path(values.output_dir), values.num_images,
            values.seed, values.checkpoint, values.interpolate,
        )  # fmt: skip


def define_flags() -> None:
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_multi_string("text", [], "A sentence; repeat for several.")
    flags.DEFINE_string("text_file", None, "File with a sentence per line, UTF-8.")
    flags.DEFINE_string("output_dir", "generated", "Folder for the images.")
    flags.DEFINE_integer("num_images", 8, "Images of each sentence.", lower_bound=1)
    flags.DEFINE_integer("seed", 0, "Seed of the first image of each sentence.", lower_bound=0)
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_boolean(
        "interpolate", False, "Generate also what lies between each sentence and the next."
    )


if __name__ == "__main__":
    define_flags()
    app.run(main)
