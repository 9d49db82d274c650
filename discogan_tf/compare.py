"""Compares runs: metrics side by side, curves in one plot, the settings that differ.

    python -m discogan_tf.compare runs/a runs/b --output=compare.html

Prints the tables, and writes them with curves and images as one HTML file that opens offline. Exit
status: 0 when done, 1 on an error that the message explains.
"""

import dataclasses
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP, Config
from discogan_tf.errors import ConfigError
from discogan_tf.startup import exit_on_errors, silence_startup_logs

_IMAGES = 200
_VERDICTS = (
    "Verdicts compare intervals: better or worse where they do not overlap. They say nothing about "
    "other seeds."
)


def compare(configs: dict[str, Config], checkpoint: str, resamples: int = 200) -> str:
    """Prints the comparison. Returns it as HTML.

    Args:
      configs: Name of each run -> its settings, with `workdir` and `data_dir` as they are now.
      checkpoint: As for `restore_generators`.
      resamples: Samples for each bootstrap interval.

    Raises:
      CheckpointError, DataError: if a checkpoint or the runs' images are missing.
      ConfigError: if the runs have no direction in common, or other images.
    """
    from discogan_tf.evaluation import efficientnet_lite, evaluated_run, plane, tables
    from discogan_tf.reporting import curves, page
    from discogan_tf.reporting.records import read_records

    if len({frozenset(config.display_names.values()) for config in configs.values()}) > 1:
        raise ConfigError("these runs translate between different domains: nothing can be compared")
    for name in ("domain_a", "domain_b", "domain", "image_size"):
        values = {run: getattr(config, name) for run, config in configs.items()}
        if len(set(values.values())) > 1:
            had = ", ".join(f"{run} has {value}" for run, value in values.items())
            raise ConfigError(f"metrics of different images cannot be compared: --{name}: {had}")
    split = evaluated_run.usable_split(next(iter(configs.values())))
    _require_same_images(configs, split)
    settings = ["setting", *configs], _differing_settings(list(configs.values()))
    print(tables.in_columns(*settings), end="\n\n")
    runs = {
        name: evaluated_run.load_evaluated_run(config, split, checkpoint, _IMAGES)
        for name, config in configs.items()
    }
    directions = evaluated_run.common_directions(runs.values())
    if not directions:
        raise ConfigError("these runs have no direction in common: nothing can be compared")
    measured = {name: evaluated_run.measure(run, resamples) for name, run in runs.items()}
    records = {name: read_records(Path(config.workdir)) for name, config in configs.items()}
    extract = efficientnet_lite.create_extractor()
    sections = [page.section("Settings that differ", page.table(*settings))]
    for direction in directions:
        metrics = tables.side_by_side(measured, direction)
        print(f"{direction}\n\n{tables.in_columns(*metrics)}\n")
        plots = curves.draw_metrics(records, direction)
        batches = {
            name: run.batches[direction] for name, run in runs.items() if direction in run.batches
        }
        if batches and next(iter(batches.values())).inputs is not None:
            axes = "color_cost", plane.distance_name(extract)
            found = plane.points(batches, extract)
            rows = [[label, *map(tables.number, point)] for label, point in found.items()]
            print(tables.in_columns(["", *axes], rows), end="\n\n")
            plots.insert(0, curves.draw_plane("realism against color cost", found, *axes))
        sections.append(page.section(direction, page.table(*metrics), page.curves(*plots)))
    notes = [*tables.notes(next(iter(measured.values())))[:2], _VERDICTS]
    print(*notes, sep="\n")
    sections.append(page.section("About the numbers", *(page.text(note, "note") for note in notes)))
    for name, record in records.items():
        if record.grids:
            step, grid = list(record.grids.items())[-1]
            image = page.image(grid, f"sample grid of {name}")
            sections.append(page.section(f"{name}, step {step:,}", image))
    return page.page(" and ".join(configs), *sections)


def _require_same_images(configs: dict[str, Config], split: str) -> None:
    """Checks that the runs have the same images in a split.

    Raises:
      ConfigError: if they differ.
      DataError: if they are missing.
    """
    from discogan_tf.data.domains import fingerprints

    for domain in next(iter(configs.values())).domains.values():
        found = {
            name: fingerprints(config.data_dir, domain, config.image_size).get(split)
            for name, config in configs.items()
        }
        if len(set(found.values())) > 1:
            places = ", ".join(f"{name} has --data_dir={configs[name].data_dir}" for name in found)
            raise ConfigError(
                f"metrics of different images cannot be compared: {domain} differs between "
                f"folders ({places}). Give one --data_dir for all"
            )


def _differing_settings(configs: list[Config]) -> list[list[str]]:
    rows = []
    for field in dataclasses.fields(Config):
        values = [str(getattr(config, field.name)) for config in configs]
        if field.name not in ("workdir", "data_dir") and len(set(values)) > 1:
            rows.append([f"--{field.name}", *values])
    return rows


def main(argv: list[str]) -> None:
    workdirs = [Path(argument) for argument in argv[1:]]
    if len(workdirs) < 2:
        raise app.UsageError("give the workdirs of two runs or more")
    if len({workdir.resolve() for workdir in workdirs}) < len(workdirs):
        raise app.UsageError("the same workdir is given twice")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        from discogan_tf.runs.workdir import read_config

        configs = {}
        for workdir in workdirs:
            config = read_config(workdir, values.data_dir)
            # The folder's name, or its path if two have the same name.
            alike = sum(other.name == workdir.name for other in workdirs) > 1
            configs[str(workdir) if alike else workdir.name] = config
        content = compare(configs, values.checkpoint)
        if values.output:
            Path(values.output).parent.mkdir(parents=True, exist_ok=True)
            Path(values.output).write_text(content)
            print(f"Written to {values.output}: open it in a browser.")


if __name__ == "__main__":
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string("output", None, "File for the comparison, as HTML.")
    flags.DEFINE_string("data_dir", None, "Where the runs' domains are prepared, if they moved.")
    app.run(main)
