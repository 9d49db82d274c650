"""The paper's three models on the same images: GAN, GAN with reconstruction, DiscoGAN.

    python -m data_prep sample --data_dir=data
    python -m discogan_tf.experiments.three_models --flagfile=quickstart.cfg \\
        --workdir=runs/three_models

Trains each model with the same settings and the same images in the same order, as `train.py` does,
in its own folder within the workdir, and measures the translations from domain a to b, which all
three have, on validation images. With `--seeds=3` each is trained three times, and numbers are
means with the lowest and the highest. Writes `three_models.md`, `three_models.png` and
`three_models.html`. The same command resumes it. Exit status: as of `train.py`.
"""

import dataclasses
import shlex
import statistics
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.experiments import MODEL_NAMES
from discogan_tf.experiments.paper_settings import PAPER_SETTINGS
from discogan_tf.flags import config_from_flags, define_training_flags
from discogan_tf.startup import exit_on_errors, silence_startup_logs

_IMAGES = 200
_SHOWN = 10


def configs_of(config: Config, seeds: int) -> dict[str, list[Config]]:
    """Name of a model -> the settings of its runs, one for each seed from `config.seed` on.

    All have the paper's objective: other losses would hide what the paper compares.
    """
    return {
        name: [
            dataclasses.replace(
                config,
                model=name,
                seed=seed,
                **PAPER_SETTINGS,
                workdir=str(Path(config.workdir) / f"{name}_seed_{seed}"),
            )
            for seed in range(config.seed, config.seed + seeds)
        ]
        for name in MODEL_NAMES
    }


def over_seeds(reports: list[dict]) -> dict:
    """Several reports as one: the mean of each metric, with its range as the interval.

    A single report keeps the bootstrap intervals over its images.

    Args:
      reports: Results of `evaluated_run.measure`, with the same metrics.
    """
    if len(reports) == 1:
        return reports[0]
    directions = {}
    for direction, found in reports[0]["directions"].items():
        directions[direction] = {}
        for metric, entry in found.items():
            values = [report["directions"][direction][metric]["value"] for report in reports]
            over_all = {"value": statistics.fmean(values), "low": min(values), "high": max(values)}
            directions[direction][metric] = entry | over_all
    return reports[0] | {"directions": directions}


def measure(configs: dict[str, list[Config]], resamples: int) -> tuple[dict, dict]:
    """Measures the trained runs on validation images.

    Args:
      configs: Results of `configs_of`.
      resamples: Samples for each bootstrap interval.

    Returns:
      Display name of each model -> its report over all seeds; and the rows of a grid, of the first
      seed: label -> images, float32 [n, size, size, 3] in [0, 1].
    """
    from discogan_tf.data.domains import evenly_spaced
    from discogan_tf.evaluation import evaluated_run

    reports, rows = {}, {}
    for name, runs in configs.items():
        measured = []
        for run in runs:
            loaded = evaluated_run.load_evaluated_run(run, "val", "last", _IMAGES)
            measured.append(evaluated_run.measure(loaded, resamples))
            if run is runs[0]:
                batch = loaded.batches[_direction(run)]
                rows[run.name_a] = evenly_spaced(batch.inputs, _SHOWN)
                rows[MODEL_NAMES[name]] = evenly_spaced(batch.outputs, _SHOWN)
        reports[MODEL_NAMES[name]] = over_seeds(measured)
    return reports, rows


def show(configs: dict[str, list[Config]], command: str, resamples: int = 200) -> None:
    """Measures the trained runs, and writes a table, a grid and a page into their folder.

    Args:
      configs: Results of `configs_of`.
      command: The command that trained them, for the page.
      resamples: Samples for each bootstrap interval.
    """
    from discogan_tf import images as pixels
    from discogan_tf.evaluation import tables
    from discogan_tf.reporting import curves, page
    from discogan_tf.reporting.records import read_records

    reports, rows = measure(configs, resamples)
    workdirs = [Path(run.workdir) for runs in configs.values() for run in runs]
    first, folder, seeds = configs["discogan"][0], workdirs[0].parent, len(configs["discogan"])
    direction = _direction(first)
    table, grid = tables.side_by_side(reports, direction), pixels.draw_grid(rows)
    notes = tables.notes(next(iter(reports.values())))[:2]
    if seeds > 1:
        notes[1] = f"Means of {seeds} seeds; in brackets the lowest and the highest."
    print(f"\n{direction}\n\n{tables.in_columns(*table)}\n", *notes, sep="\n")
    (folder / "three_models.md").write_text(tables.in_markdown(*table) + "\n")
    pixels.write_image(folder / "three_models.png", grid)
    images = page.image(grid, "translations")
    plots = curves.draw_metrics({path.name: read_records(path) for path in workdirs}, direction)
    sections = [
        page.section(direction, page.table(*table), *(page.text(note, "note") for note in notes)),
        page.section(f"The same validation images by each, seed {first.seed}", images),
        page.section("During training", page.curves(*plots)),
        page.section("Command", page.preformatted(command)),
    ]
    content = page.page("GAN, GAN with reconstruction, DiscoGAN", *sections)
    (folder / "three_models.html").write_text(content)
    print(f"Written to {folder}: three_models.md, .png and .html.")


def _direction(config: Config) -> str:
    """Display name of the translation from domain a to b, which all three models have."""
    from discogan_tf.models.contract import display_name
    from discogan_tf.models.discogan import GAN

    return display_name(GAN.translations[0], config.display_names)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    from discogan_tf.experiments.running import train_all

    with exit_on_errors():
        silence_startup_logs()
        if flags.FLAGS["model"].present:
            raise ConfigError("--model: all three are trained. Omit it")
        config = config_from_flags()
        if config.distribute != "none":
            # One process trains them all, and TensorFlow would confuse the replicas of one with
            # another's.
            raise ConfigError(
                f"--distribute={config.distribute}: train each model by train.py, then compare"
            )
        configs = configs_of(config, flags.FLAGS.seeds)
        # Seeds in the outer loop: if it is stopped early, some seeds have all three models.
        train_all(
            {
                f"{MODEL_NAMES[run.model]}, seed {run.seed}": run
                for runs in zip(*configs.values(), strict=True)
                for run in runs
            }
        )
        show(configs, f"python -m discogan_tf.experiments.three_models {shlex.join(sys.argv[1:])}")


if __name__ == "__main__":
    define_training_flags()
    flags.DEFINE_integer("seeds", 1, "Number of runs of each model.", lower_bound=1)
    app.run(main)
