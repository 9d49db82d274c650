"""The model card of an export: what it is, how it was made, how it was checked, where it ends."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from discogan_tf import images
from discogan_tf.config import Config
from discogan_tf.data.domains import count_pictures
from discogan_tf.serving.decoding import MAX_PIXELS

CARD, SHEET = "MODEL_CARD.md", "sample_sheet.png"


@dataclasses.dataclass(frozen=True)
class Direction:
    """What was found out about one direction while it was exported.

    Attributes:
      differences: As `parity.check_parity` gives them.
      statistics_gap: As `parity.statistics_gap` gives it.
      num_compared: Number of validation pictures behind these.
      reconstruction_error: Mean squared error of those pictures, there and back; None where the model
        knows no way back.
      rows: Label -> validation pictures or what became of them, for the sheet.
    """

    differences: dict[str, float]
    statistics_gap: float
    num_compared: int
    reconstruction_error: float | None
    rows: dict[str, np.ndarray]


def parity_lines(direction: Direction) -> list[str]:
    """What export prints of a direction."""
    lines = [f"  {value:.1e}  {name}" for name, value in direction.differences.items()]
    lines.append(
        f"  {direction.statistics_gap:.1e}  mean change if batch norm used the statistics of these "
        f"{direction.num_compared} pictures, as training does"
    )
    return lines


def write_card(
    folder: Path, config: Config, step: int, version: int, directions: dict[str, Direction]
) -> None:
    """Writes `MODEL_CARD.md` and the sheet that it shows.

    Args:
      folder: Where to.
      config: The run's settings.
      step: That of the checkpoint.
      version: That of the export.
      directions: Name -> findings.
    """
    rows = {}
    for direction in directions.values():
        rows |= direction.rows
    images.write_png(folder / SHEET, images.draw_sheet(rows))
    (folder / CARD).write_text(_card(config, step, version, directions))


def _card(config: Config, step: int, version: int, directions: dict[str, Direction]) -> str:
    names = " and ".join(directions)
    size = f"{config.image_size} x {config.image_size} pixels"
    return f"""# {names}, version {version}

Translates pictures of {config.name_a} and of {config.name_b} into each other, at {size}. Nobody told it
which belong together: it learned from unpaired pictures that what is translated must look like the
other domain, and must come back.

![Validation pictures, what they are translated to, and back]({SHEET})

## How it was made

Model `{config.model}`, {step:,} steps of {config.batch_size} + {config.batch_size} pictures. All settings
are in `config.cfg`; `python train.py --flagfile=config.cfg` trains it again.

| domain | prepared as | training pictures | validation pictures |
|---|---|---|---|
{_domain_row(config, config.name_a, config.domain_a)}
{_domain_row(config, config.name_b, config.domain_b)}

The export holds the generators alone, in float32, with batch norm folded into the convolutions. Batch
norm's statistics were measured on training pictures, so that a picture's translation does not depend on
those it is sent with.

## How it was measured

Validation metrics at the last evaluation up to this checkpoint (the project's README says what they mean):

{_metrics(Path(config.workdir), step)}

Training losses at the last log up to this checkpoint:

{_losses(Path(config.workdir), step)}

On validation pictures, which training never saw. Values of a picture go from 0 to 1:

| | {" | ".join(directions)} |
|---|{"---|" * len(directions)}
{_measurements(directions)}

## What it is for

Studying and showing what such models learn, and as a start for products of one's own after measurements
of one's own. It makes up what it draws: a translation is a plausible picture of the other domain, not a
thing that exists.

## Where it ends

- It knows pictures like those it was trained on. Anything else is translated too, without a warning.
- Pictures come out at {size}, whatever came in. What is not square is padded with white.
- `translate_bytes` takes JPEG, PNG, still WebP and GIF (the first frame, without transparency) of up to
  {MAX_PIXELS // 1_000_000} megapixels. It does not turn pictures by their EXIF orientation; this project's
  client does.
- The pictures in the sheet and in `assets.extra/golden` are validation pictures: whoever may not pass
  those on may not pass this on.
"""


def _domain_row(config: Config, name: str, domain: str) -> str:
    counts = count_pictures(config.data_dir, domain, config.image_size)
    return f"| {name} | `{domain}` | {counts.get('train', 0):,} | {counts.get('val', 0):,} |"


def _losses(workdir: Path, step: int) -> str:
    """The run's losses at its last log up to `step`, as a table."""
    last = _last_line(workdir, step, "generator_total")
    if last is None:
        return "(The run's `metrics.jsonl` has none.)"
    return "\n".join(
        ["| loss | value |", "|---|---|"]
        + [f"| `{name}` | {value:.4g} |" for name, value in last.items() if name != "step"]
    )


def _metrics(workdir: Path, step: int) -> str:
    """The run's metrics at its last evaluation up to `step`, as a table."""
    last = _last_line(workdir, step, "metrics")
    if last is None:
        return "(The run's `metrics.jsonl` has none.)"
    found = last["metrics"]
    lines = [f"| metric, step {last['step']:,} | {' | '.join(found)} |", f"|---|{'---|' * len(found)}"]
    for metric in next(iter(found.values())):
        lines.append(f"| `{metric}` | {' | '.join(f'{values[metric]:.3g}' for values in found.values())} |")
    return "\n".join(lines)


def _last_line(workdir: Path, step: int, key: str) -> dict | None:
    """The last line of `metrics.jsonl` up to `step` that has `key`."""
    path, last = workdir / "metrics.jsonl", None
    for line in path.read_text().splitlines() if path.is_file() else ():
        values = json.loads(line)
        if values["step"] <= step and key in values:
            last = values
    return last


def _measurements(directions: dict[str, Direction]) -> str:
    rows = {"pictures": [str(direction.num_compared) for direction in directions.values()]}
    rows["there and back: mean squared error"] = [
        "" if direction.reconstruction_error is None else f"{direction.reconstruction_error:.4f}"
        for direction in directions.values()
    ]
    rows["mean change if batch norm used the statistics of these pictures"] = [
        f"{direction.statistics_gap:.4f}" for direction in directions.values()
    ]
    for name in next(iter(directions.values())).differences:
        rows[f"largest difference: {name}"] = [f"{d.differences[name]:.1e}" for d in directions.values()]
    return "\n".join(f"| {name} | {' | '.join(values)} |" for name, values in rows.items())
