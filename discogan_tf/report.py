"""Writes a page about a run: one HTML file that opens offline.

    python -m discogan_tf.report --workdir=runs/bags_shoes --output=report.html

Exit status: 0 when written, 1 on an error that the message explains.
"""

import platform
import sys
from importlib import metadata
from pathlib import Path

from absl import app, flags

from discogan_tf.checkpoint_names import CHECKPOINT_HELP
from discogan_tf.config import Config, to_flagfile
from discogan_tf.errors import DiscoganError
from discogan_tf.quiet import quiet_libraries

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "pillow")
_PICTURES, _MOST_SHEETS = 200, 16
# Of the metrics, those whose course through training is drawn.
_CURVES = ("sliced_wasserstein", "relation", "diversity", "reconstruction_ssim", "score")


def report(config: Config, checkpoint: str = "last", resamples: int = 200) -> str:
    """The page.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      checkpoint: As `restore_generators` takes it: which to measure and to show cases of.
      resamples: Samples for each bootstrap interval.

    Raises:
      CheckpointError, DataError: if the checkpoint or the run's pictures are missing.
    """
    from discogan_tf.evaluation import subject, tables
    from discogan_tf.reporting import cases, page
    from discogan_tf.reporting.curves import draw_curves
    from discogan_tf.reporting.records import read_records

    workdir = Path(config.workdir)
    records = read_records(workdir)
    loaded = subject.load_subject(config, "val", checkpoint, _PICTURES)
    measured = subject.measure(loaded, resamples)
    losses = [
        draw_curves(title, {name: records.losses[name] for name in names})
        for title, names in _loss_plots(records.losses).items()
    ]
    metrics = [
        draw_curves(metric, records.metrics[metric], tables.floors(measured, metric))
        for metric in _CURVES
        if metric in records.metrics
    ]
    sheets = [
        page.text(f"{name}, {what}: the best above, the worst below.")
        + page.picture(sheet, f"{name}, {what}")
        for name, view in loaded.views.items()
        for what, sheet in cases.best_and_worst(view).items()
    ]
    notes = [page.text(note, "note") for note in tables.notes(measured)]
    return page.page(
        f"{' and '.join(loaded.views)}: {workdir.name}, step {loaded.step:,}",
        page.section("Alarms", *_alarms(page, records.alarms)),
        page.section("Through training", _samples(page, records.sheets)),
        page.section("Metrics", page.table(*tables.cells(measured)), *notes),
        page.section("Metrics through training (dashed: the floor)", page.curves(*metrics)),
        page.section("Losses", page.curves(*losses)),
        page.section("Best and worst validation pictures", *sheets),
        page.section(
            "Data", page.table(["name", "domain", "training pictures", "validation"], _data(config))
        ),
        page.section("Settings", page.preformatted(to_flagfile(config))),
        page.section("Environment of this report", page.table(["", ""], _environment())),
    )


def _data(config: Config) -> list[list[str]]:
    from discogan_tf.data.domains import count_pictures

    rows = []
    for name, domain in ((config.name_a, config.domain_a), (config.name_b, config.domain_b)):
        counts = count_pictures(config.data_dir, domain, config.image_size)
        rows.append([name, domain, f"{counts.get('train', 0):,}", f"{counts.get('val', 0):,}"])
    return rows


def _loss_plots(losses: dict) -> dict[str, list[str]]:
    """Title -> names of the losses in one plot."""
    endings = {"totals": ("_total",), "discriminators": ("_real", "_fake")}
    plots = {title: [name for name in losses if name.endswith(ending)] for title, ending in endings.items()}
    for title in ("adversarial", "reconstruction"):
        plots[title] = [name for name in losses if name.startswith(f"{title}_")]
    return {title: names for title, names in plots.items() if names}


def _alarms(page, alarms: list) -> list[str]:
    if not alarms:
        return [page.text("None sounded.")]
    return [page.text(f"Step {step:,}: {words}", "alarm") for step, words in alarms]


def _samples(page, sheets: dict) -> str:
    if not sheets:
        return page.text("No sample sheets yet.")
    steps = list(sheets)
    kept = sorted({steps[round(i * (len(steps) - 1) / (_MOST_SHEETS - 1))] for i in range(_MOST_SHEETS)})
    return page.slider({f"step {step:,}": sheets[step] for step in kept}, "Sample sheet")


def _environment() -> list[list[str]]:
    import tensorflow as tf

    devices = ", ".join(device.device_type for device in tf.config.list_physical_devices())
    return [
        ["Python", platform.python_version()],
        *([package, metadata.version(package)] for package in _PACKAGES),
        ["system", platform.platform()],
        ["devices", devices],
    ]


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    quiet_libraries()
    values = flags.FLAGS
    try:
        from discogan_tf.training.workdir import read_config

        config = read_config(Path(values.workdir), values.data_dir)
        content = report(config, values.checkpoint)
        output = Path(values.output or Path(values.workdir) / "report.html")
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(content)
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"Written to {output} ({output.stat().st_size / 2**20:.1f} MiB): open it in a browser.")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string("output", None, "The page; by default report.html in the workdir.")
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    app.run(main)
