"""Writes a report on a run: one HTML file that opens offline.

    python -m discogan_tf.report --workdir=runs/bags_shoes --output=report.html

Exit status: 0 when written, 1 on an error that the message explains.
"""

import platform
from pathlib import Path

from absl import app, flags

from discogan_tf.config import CHECKPOINT_HELP, Config
from discogan_tf.flagfile import to_flagfile
from discogan_tf.startup import exit_on_errors, silence_startup_logs

_PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "pillow")
_IMAGES, _MAX_GRIDS = 200, 16
_SPLITS = {"val": "validation", "train": "training"}
# The metrics that are plotted over the steps.
_CURVES = (
    "sliced_wasserstein", "relation", "diversity", "reconstruction_ssim", "recall_10",
    "class_accuracy", "color_follows", "score",
)  # fmt: skip


def report(config: Config, checkpoint: str = "last", resamples: int = 200) -> str:
    """The report, as HTML.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      checkpoint: Which to measure, as for `restore_generators`.
      resamples: Samples for each bootstrap interval.

    Raises:
      CheckpointError, DataError: if the checkpoint or the run's images are missing.
    """
    from discogan_tf.evaluation import evaluated_run, tables
    from discogan_tf.reporting import cases, page
    from discogan_tf.reporting.curves import draw_curves
    from discogan_tf.reporting.records import read_records

    workdir = Path(config.workdir)
    records = read_records(workdir)
    run = evaluated_run.load_evaluated_run(
        config, evaluated_run.usable_split(config), checkpoint, _IMAGES
    )
    measured = evaluated_run.measure(run, resamples)
    losses = [
        draw_curves(title, {name: records.losses[name] for name in names})
        for title, names in _loss_plots(records.losses).items()
    ]
    metrics = [
        draw_curves(metric, records.metrics[metric], tables.references(measured, metric))
        for metric in _CURVES
        if metric in records.metrics
    ]
    grids = [
        page.text(f"{name}, {what}: the best above, the worst below.")
        + page.image(grid, f"{name}, {what}")
        for name, batch in run.batches.items()
        for what, grid in cases.best_and_worst(batch).items()
    ]
    notes = [page.text(note, "note") for note in tables.notes(measured)]
    return page.page(
        f"{' and '.join(measured['directions'])}: {workdir.name}, step {run.step:,}",
        page.section("Warnings", *_warnings(page, records.warnings)),
        page.section("Samples during training", _samples(page, records.grids)),
        page.section("Metrics", page.table(*tables.cells(measured)), *notes),
        page.section("Metrics during training (dashed: the reference)", page.curves(*metrics)),
        page.section("Losses", page.curves(*losses)),
        page.section(f"Best and worst {_SPLITS[run.split]} images", *grids),
        page.section(
            "Data", page.table(["name", "domain", "training images", "validation"], _data(config))
        ),
        page.section("Settings", page.preformatted(to_flagfile(config))),
        page.section("Environment of this report", page.table(["", ""], _environment())),
    )


def _data(config: Config) -> list[list[str]]:
    from discogan_tf.data.domains import count_images

    rows = []
    for stream, domain in config.domains.items():
        name = config.display_names[stream]
        counts = count_images(config.data_dir, domain, config.image_size)
        rows.append([name, domain, f"{counts.get('train', 0):,}", f"{counts.get('val', 0):,}"])
    return rows


def _loss_plots(losses: dict) -> dict[str, list[str]]:
    """Title of each plot -> the names of its losses."""
    endings = {"totals": ("_total",), "discriminators": ("_real", "_fake", "_wrong")}
    plots = {
        title: [name for name in losses if name.endswith(ending)]
        for title, ending in endings.items()
    }
    for title in ("adversarial", "reconstruction", "identity", "color", "shape", "kl", "matching"):
        plots[title] = [name for name in losses if f"{name}_".startswith(f"{title}_")]
    return {title: names for title, names in plots.items() if names}


def _warnings(page, warnings: list) -> list[str]:
    if not warnings:
        return [page.text("None.")]
    return [page.text(f"Step {step:,}: {text}", "warning") for step, text in warnings]


def _samples(page, grids: dict) -> str:
    if not grids:
        return page.text("No sample grids yet.")
    steps = list(grids)
    indices = (round(i * (len(steps) - 1) / (_MAX_GRIDS - 1)) for i in range(_MAX_GRIDS))
    kept = sorted({steps[index] for index in indices})
    return page.slider({f"step {step:,}": grids[step] for step in kept}, "Sample grid")


def _environment() -> list[list[str]]:
    import tensorflow as tf

    from discogan_tf.runs.provenance import package_version

    devices = ", ".join(device.device_type for device in tf.config.list_physical_devices())
    return [
        ["Python", platform.python_version()],
        *([package, package_version(package) or "not installed"] for package in _PACKAGES),
        ["system", platform.platform()],
        ["devices", devices],
    ]


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"not a flag: {' '.join(argv[1:])}")
    values = flags.FLAGS
    with exit_on_errors():
        silence_startup_logs()
        from discogan_tf.runs.workdir import read_config

        config = read_config(Path(values.workdir), values.data_dir)
        content = report(config, values.checkpoint)
        output = Path(values.output or Path(values.workdir) / "report.html")
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(content)
    print(f"Written to {output} ({output.stat().st_size / 2**20:.1f} MiB): open it in a browser.")


if __name__ == "__main__":
    flags.DEFINE_string("workdir", None, "Folder of a trained run.", required=True)
    flags.DEFINE_string("checkpoint", "last", CHECKPOINT_HELP)
    flags.DEFINE_string(
        "output", None, "File for the report; by default report.html in the workdir."
    )
    flags.DEFINE_string("data_dir", None, "Where the run's domains are prepared, if they moved.")
    app.run(main)
