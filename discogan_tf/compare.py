"""Compares runs: their metrics side by side, their curves in one plot, the settings that differ.

    python -m discogan_tf.compare runs/a runs/b --output=compare.html

Prints the tables, and writes them with curves and pictures as one HTML file that opens offline. Exit
status: 0 when done, 1 on an error that the message explains.
"""

import dataclasses
import sys
from pathlib import Path

from absl import app, flags

from discogan_tf.checkpoint_names import CHECKPOINT_HELP
from discogan_tf.config import Config
from discogan_tf.errors import ConfigError, DiscoganError
from discogan_tf.quiet import quiet_libraries

_PICTURES = 200


def compare(configs: dict[str, Config], checkpoint: str, resamples: int = 200) -> str:
    """Prints the comparison, and gives the page.

    Args:
      configs: Name of each run -> its settings, with `workdir` and `data_dir` as they are now.
      checkpoint: As `restore_generators` takes it.
      resamples: Samples for each bootstrap interval.

    Raises:
      CheckpointError, DataError: if a checkpoint or the runs' pictures are missing.
      ConfigError: if the runs have no direction in common, or were of other pictures.
    """
    from discogan_tf.evaluation import subject, tables
    from discogan_tf.reporting import curves, page
    from discogan_tf.reporting.records import read_records

    if not set.intersection(*(set(config.directions) for config in configs.values())):
        raise ConfigError("these runs translate between different domains: nothing can be compared")
    for name in ("domain_a", "domain_b", "image_size"):
        values = {run: getattr(config, name) for run, config in configs.items()}
        if len(set(values.values())) > 1:
            had = ", ".join(f"{run} has {value}" for run, value in values.items())
            raise ConfigError(f"numbers of different pictures cannot be compared: of --{name}, {had}")
    settings = ["setting", *configs], _differing_settings(list(configs.values()))
    print(tables.in_columns(*settings), end="\n\n")
    measured, records = {}, {}
    for name, config in configs.items():
        loaded = subject.load_subject(config, "val", checkpoint, _PICTURES)
        measured[name], records[name] = (
            subject.measure(loaded, resamples),
            read_records(Path(config.workdir)),
        )
    sections = [page.section("Settings that differ", page.table(*settings))]
    for direction in tables.common_directions(measured):
        metrics = tables.side_by_side(measured, direction)
        print(f"{direction}\n\n{tables.in_columns(*metrics)}\n")
        drawn = curves.draw_metrics(records, direction)
        sections.append(page.section(direction, page.table(*metrics), page.curves(*drawn)))
    notes = tables.notes(next(iter(measured.values())))[:2]
    print(*notes, sep="\n")
    sections.append(page.section("About the numbers", *(page.text(note, "note") for note in notes)))
    for name, record in records.items():
        if record.sheets:
            step, sheet = list(record.sheets.items())[-1]
            sections.append(page.section(f"{name}, step {step:,}", page.picture(sheet, f"sheet of {name}")))
    return page.page(" and ".join(configs), *sections)


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
        raise app.UsageError("name the folders of two runs or more")
    quiet_libraries()
    values = flags.FLAGS
    try:
        from discogan_tf.training.workdir import read_config

        configs = {}
        for workdir in workdirs:
            config = read_config(workdir, values.data_dir)
            # The folder's name, or all of it where two are named alike.
            alike = sum(other.name == workdir.name for other in workdirs) > 1
            configs[str(workdir) if alike else workdir.name] = config
        content = compare(configs, values.checkpoint)
        if values.output:
            Path(values.output).write_text(content)
            print(f"Written to {values.output}: open it in a browser.")
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string("output", None, "File for the page.")
    flags.DEFINE_string("data_dir", None, "Where the runs' domains are prepared, if they moved.")
    app.run(main)
