"""The model card of an export: what it is, how it was made and checked, and its limits."""

import dataclasses
from pathlib import Path

import numpy as np

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.domains import count_images
from discogan_tf.data.run_images import split_of_examples
from discogan_tf.export.decoding import MAX_PIXELS
from discogan_tf.runs.metrics_log import METRICS, is_losses, read_metrics_log
from discogan_tf.text import LENGTH
from discogan_tf.tiling import TILE

CARD, SAMPLE_GRID = "MODEL_CARD.md", "sample_grid.png"
_WARNINGS = "Warnings that held at that evaluation:"
_NOTHING_LOGGED = "(The run's metrics log has none.)"


@dataclasses.dataclass(frozen=True)
class Direction:
    """What was measured of one direction while it was exported.

    Attributes:
      differences: The result of `parity.check_parity`.
      statistics_gap: The result of `parity.statistics_gap`.
      num_compared: Number of validation images behind these.
      reconstruction_error: Mean squared reconstruction error of those images; None if the model has
        no inverse translation.
      rows: Label -> validation images or their translations, for the sample grid.
    """

    differences: dict[str, float]
    statistics_gap: float | None
    num_compared: int
    reconstruction_error: float | None
    rows: dict[str, np.ndarray]


def parity_lines(direction: Direction) -> list[str]:
    """What export prints of a direction."""
    lines = [f"  {value:.1e}  {name}" for name, value in direction.differences.items()]
    if direction.statistics_gap is not None:
        lines.append(
            f"  {direction.statistics_gap:.1e}  mean change if batch norm used the statistics of "
            f"these {direction.num_compared} examples, as training does"
        )
    return lines


def write_card(
    folder: Path,
    config: Config,
    step: int,
    version: int,
    directions: dict[str, Direction],
    warnings: list[str],
    size_multiple: int | None,
) -> None:
    """Writes `MODEL_CARD.md` and the sample grid that it shows.

    Args:
      folder: Where to.
      config: The run's settings.
      step: That of the checkpoint.
      version: That of the export.
      directions: Display name -> what was measured.
      warnings: Those that hold at this checkpoint.
      size_multiple: Of the model.
    """
    rows = {}
    for direction in directions.values():
        rows |= direction.rows
    pixels.write_image(folder / SAMPLE_GRID, pixels.draw_grid(rows))
    text = _card(config, step, version, directions, warnings, size_multiple)
    (folder / CARD).write_text(text)


def _task(config: Config, directions: dict[str, Direction], size: str) -> str:
    if config.domain:
        return (
            f"Images from sentences, at {size}. It learned from images with captions: an image "
            "must look\nreal and suit its caption."
        )
    return (
        f"Image translation, {' and '.join(directions)}, at {size}. It learned from unpaired "
        "images: a\ntranslation must look like a real image of its domain"
        + _cycle(directions)
        + "."
    )


def _images_of_step(config: Config) -> str:
    return " + ".join([str(config.batch_size)] * len(config.domains))


def _limits(config: Config, size: str, size_multiple: int | None) -> str:
    if config.domain:
        return f"""\
- Valid are words of its training captions. It takes other sentences too, without a warning.
- `generate_bytes` reads the first {LENGTH} characters of a sentence. A sentence and a seed give the
  same image whatever else is in the request."""
    return f"""\
- It is valid only for images like its training images. It translates others too, without a warning.
- {_sizes(size, size_multiple)}
- `translate_bytes` takes JPEG, PNG, still WebP and GIF (the first frame, without transparency) of
  up to {MAX_PIXELS // 1_000_000} megapixels, rotated as their EXIF data
  says."""


def _cycle(directions: dict[str, Direction]) -> str:
    has_cycle = any(found.reconstruction_error is not None for found in directions.values())
    return ", and its reconstruction must equal the original" if has_cycle else ""


def _card(
    config: Config,
    step: int,
    version: int,
    directions: dict[str, Direction],
    warnings: list[str],
    size_multiple: int | None,
) -> str:
    names = " and ".join(directions)
    size = f"{config.image_size} x {config.image_size} pixels"
    return f"""# {names}, version {version}

{_task(config, directions, size)}

![{_grid(config)}]({SAMPLE_GRID})

## How it was made

Model `{config.model}`, {step:,} steps of {_images_of_step(config)} images. All
settings are in `config.cfg`; `python train.py --flagfile=config.cfg --workdir=NEW` repeats the run.

| domain | prepared as | training images | validation images |
|---|---|---|---|
{_domain_rows(config)}

The export holds the generators alone, in float32. {_normalization(config)}

## How it was measured

Metrics at the last evaluation up to this checkpoint (see the project's README):

{metrics_table(Path(config.workdir), step)}

{_warnings(warnings)}

Training losses at the last log up to this checkpoint:

{_losses(Path(config.workdir), step)}

{_measured_on(config)} Values of an image are in [0, 1]:

| | {" | ".join(directions)} |
|---|{"---|" * len(directions)}
{_measurements(directions)}

## Intended use

Research and demonstration. Evaluate it on your own data before you use it in a product. What it
makes is a plausible image, not an existing object.

## Limits

{_limits(config, size, size_multiple)}
- The sample grid and `assets.extra/golden` hold {_examples(config)}. Do not distribute
  the export if you may not distribute them.
"""


# By the split of the examples.
_EXAMPLES = {"val": "validation", "train": "training"}


def _measured_on(config: Config) -> str:
    if split_of_examples(config) == "val":
        return "On validation images, which training never saw."
    return "On training images: a domain has no validation images, so new images may do worse."


def _grid(config: Config) -> str:
    kind = _EXAMPLES[split_of_examples(config)]
    if config.domain:
        return f"{kind.capitalize()} images, and images generated from their captions"
    return f"{kind.capitalize()} images, their translations and reconstructions"


def _examples(config: Config) -> str:
    kind = _EXAMPLES[split_of_examples(config)]
    return f"{kind} images and captions" if config.domain else f"{kind} images"


def _normalization(config: Config) -> str:
    if config.normalization == "instance":
        return (
            "Instance norm normalizes each\nimage by itself, so that an output does not depend "
            "on the other inputs of a request."
        )
    return (
        "Batch norm is folded into the\nconvolutions. Its statistics were estimated on training "
        "images, so that an output does not\ndepend on the other inputs of a request."
    )


def _sizes(size: str, size_multiple: int | None) -> str:
    if not size_multiple:
        return (
            f"Translations are {size}, whatever the size of the input. Images that are not square "
            "are framed as\n  those of training were."
        )
    return (
        f"`translate_bytes` translates images at their own size, longer sides than {TILE:,}"
        f" pixels scaled down\n  to that. The other signatures take {size}. Things should be about "
        "as large as in the training\n  images."
    )


def _domain_rows(config: Config) -> str:
    rows = []
    for stream, domain in config.domains.items():
        counts = count_images(config.data_dir, domain, config.image_size)
        train, val = counts.get("train", 0), counts.get("val", 0)
        rows.append(f"| {config.display_names[stream]} | `{domain}` | {train:,} | {val:,} |")
    return "\n".join(rows)


def _losses(workdir: Path, step: int) -> str:
    """The run's losses at its last log up to `step`, as a table."""
    logged = [record for record in read_metrics_log(workdir, step) if is_losses(record)]
    if not logged:
        return _NOTHING_LOGGED
    return "\n".join(
        ["| loss | value |", "|---|---|"]
        + [f"| `{name}` | {value:.4g} |" for name, value in logged[-1].items() if name != "step"]
    )


def metrics_table(workdir: Path, step: int) -> str:
    """The run's metrics at its last evaluation up to `step`, as a table."""
    evaluations = [record for record in read_metrics_log(workdir, step) if METRICS in record]
    if not evaluations:
        return _NOTHING_LOGGED
    last = evaluations[-1]
    found = last[METRICS]
    lines = [
        f"| metric, step {last['step']:,} | {' | '.join(found)} |",
        f"|---|{'---|' * len(found)}",
    ]
    # Some metrics exist in one direction only, such as those of known colors.
    for metric in dict.fromkeys(metric for values in found.values() for metric in values):
        cells = (f"{values[metric]:.3g}" if metric in values else "" for values in found.values())
        lines.append(f"| `{metric}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def read_warnings(text: str) -> list[str]:
    """The warnings in a model card."""
    _, _, after = text.partition(f"{_WARNINGS}\n\n")
    return [line.removeprefix("- ") for line in after.partition("\n\n")[0].splitlines()]


def _warnings(warnings: list[str]) -> str:
    if not warnings:
        return "No warning held at that evaluation."
    return "\n".join([_WARNINGS, "", *(f"- {w}" for w in warnings)])


def _measurements(directions: dict[str, Direction]) -> str:
    rows = {"examples": [str(direction.num_compared) for direction in directions.values()]}
    rows["reconstruction: mean squared error"] = [
        "" if direction.reconstruction_error is None else f"{direction.reconstruction_error:.4f}"
        for direction in directions.values()
    ]
    gaps = [direction.statistics_gap for direction in directions.values()]
    if None not in gaps:
        rows["mean change if batch norm used the statistics of these examples"] = [
            f"{gap:.4f}" for gap in gaps
        ]
    for name in next(iter(directions.values())).differences:
        rows[f"largest difference: {name}"] = [
            f"{direction.differences[name]:.1e}" for direction in directions.values()
        ]
    return "\n".join(f"| {name} | {' | '.join(values)} |" for name, values in rows.items())
