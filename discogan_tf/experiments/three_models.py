"""The paper's claim on pictures: GAN, GAN with reconstruction and DiscoGAN from equally many of them.

    python -m data_prep sample --data_dir=data
    python -m discogan_tf.experiments.three_models --flagfile=quickstart.cfg --workdir=runs/three_models

Trains each model with the same settings and the same pictures in the same order, as `train.py` would, in
a folder of its own within the workdir, and measures the translations from domain a to b, the way that all
three have, on validation pictures. With `--seeds=3` each is trained three times, and numbers are means
with the lowest and the highest. Writes `three_models.md`, `three_models.png` and a page,
`three_models.html`. Run again, it goes on where it was stopped. Exit status as `train.py`'s.
"""

import dataclasses
import shlex
import statistics
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.experiments import MODEL_WORDS
from discogan_tf.flags import config_from_flags, define_training_flags
from discogan_tf.quiet import quiet_libraries

_PICTURES = 200
_SHOWN = 10


def configs_of(config: Config, seeds: int) -> dict[str, list[Config]]:
    """Name of a model -> the settings of its runs, one for each seed from `config.seed` on."""
    return {
        name: [
            dataclasses.replace(
                config, model=name, seed=seed, workdir=str(Path(config.workdir) / f"{name}_seed_{seed}")
            )
            for seed in range(config.seed, config.seed + seeds)
        ]
        for name in MODEL_WORDS
    }


def over_seeds(reports: list[dict]) -> dict:
    """One report of several: of each metric the mean, and the lowest and the highest as its interval.

    A single one stays as it is, with the bootstrap intervals over its pictures.

    Args:
      reports: As `subject.measure` gives them, of the same metrics.
    """
    if len(reports) == 1:
        return reports[0]
    directions = {}
    for direction, found in reports[0]["directions"].items():
        directions[direction] = {}
        for metric, entry in found.items():
            values = [report["directions"][direction][metric]["value"] for report in reports]
            of_all = {"value": statistics.fmean(values), "low": min(values), "high": max(values)}
            directions[direction][metric] = entry | of_all
    return reports[0] | {"directions": directions}


def measure(configs: dict[str, list[Config]], resamples: int) -> tuple[dict, dict]:
    """What the trained runs make of validation pictures.

    Args:
      configs: What `configs_of` gave.
      resamples: Samples for each bootstrap interval.

    Returns:
      A model's words -> its report over all seeds; and the rows of a sheet, of the first seed: label ->
      pictures, float32 [n, size, size, 3] in [0, 1].
    """
    from discogan_tf.data.domains import evenly_spaced
    from discogan_tf.evaluation import subject

    reports, rows = {}, {}
    for name, runs in configs.items():
        measured = []
        for run in runs:
            of = subject.load_subject(run, "val", "last", _PICTURES)
            measured.append(subject.measure(of, resamples))
            if run is runs[0]:
                view = of.views[_direction(run)]
                rows[run.name_a] = evenly_spaced(view.inputs, _SHOWN)
                rows[MODEL_WORDS[name]] = evenly_spaced(view.outputs, _SHOWN)
        reports[MODEL_WORDS[name]] = over_seeds(measured)
    return reports, rows


def show(configs: dict[str, list[Config]], command: str, resamples: int = 200) -> None:
    """Measures the trained runs, prints the table and writes table, sheet and page into their folder.

    Args:
      configs: What `configs_of` gave.
      command: What made them, for the page.
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
    table, sheet = tables.side_by_side(reports, direction), pixels.draw_sheet(rows)
    notes = tables.notes(next(iter(reports.values())))[:2]
    if seeds > 1:
        notes[1] = f"Means of {seeds} seeds; in brackets the lowest and the highest."
    print(f"\n{direction}\n\n{tables.in_columns(*table)}\n", *notes, sep="\n")
    (folder / "three_models.md").write_text(tables.in_markdown(*table) + "\n")
    pixels.write_png(folder / "three_models.png", sheet)
    pictures = page.picture(sheet, "translations")
    drawn = curves.draw_metrics({path.name: read_records(path) for path in workdirs}, direction)
    sections = [
        page.section(direction, page.table(*table), *(page.text(note, "note") for note in notes)),
        page.section(f"The same validation pictures by each, seed {first.seed}", pictures),
        page.section("During training", page.curves(*drawn)),
        page.section("Command", page.preformatted(command)),
    ]
    content = page.page("GAN, GAN with reconstruction, DiscoGAN", *sections)
    (folder / "three_models.html").write_text(content)
    print(f"Written to {folder}: three_models.md, .png and .html.")


def _direction(config: Config) -> str:
    """Name of the translation from domain a to b, the way that all three models have."""
    return next(name for name, of_model in config.directions.items() if of_model == "a_to_b")


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    quiet_libraries()
    from discogan_tf.experiments.running import errors_for_people, train_all

    with errors_for_people():
        if flags.FLAGS["model"].present:
            raise ConfigError("--model: all three are trained; leave it out")
        config = config_from_flags()
        if config.distribute != "none":
            # One process trains them all, and TensorFlow would mix up the replicas of one with another's.
            raise ConfigError(
                f"--distribute={config.distribute}: train each model by train.py, and compare"
            )
        configs = configs_of(config, flags.FLAGS.seeds)
        # Seeds outermost: whoever stops it early has all three models of some seeds.
        train_all(
            {
                f"{MODEL_WORDS[run.model]}, seed {run.seed}": run
                for runs in zip(*configs.values(), strict=True)
                for run in runs
            }
        )
        show(configs, f"python -m discogan_tf.experiments.three_models {shlex.join(sys.argv[1:])}")


if __name__ == "__main__":
    define_training_flags()
    flags.DEFINE_integer("seeds", 1, "How many runs of each model.", lower_bound=1)
    app.run(main)
