"""Loss curves of training that goes well and that does not, on the synthetic sample.

    python -m data_prep sample --data_dir=data --image_size=32
    python -m discogan_tf.experiments.curves --workdir=runs/curves

Trains a few small runs that differ in one setting, and plots the losses of each beside its final
translations of the same handbags: `curves.png`, with the warnings in `curves.md`. It takes minutes
on two cores. The same command resumes it.
"""

import argparse
import dataclasses
from pathlib import Path

# Title of each run -> how its settings differ.
CASES = {
    "Healthy training": {},
    "No cycle consistency: --reconstruction_weight=0": {"reconstruction_weight": 0.0},
    "Learning rate too high: --learning_rate=0.02": {"learning_rate": 0.02},
    "The discriminators win: --adversarial_weight=0.002": {"adversarial_weight": 0.002},
}
# Curves of the direction that is shown: loss -> label.
_LOSSES = {
    "adversarial_a_to_b": "generator, adversarial",
    "discriminator_b_real": "discriminator, on real",
    "discriminator_b_fake": "discriminator, on translations",
}
_SHOWN = 6
_WINDOW = 10


def configs_of(data_dir: str, workdir: Path, num_steps: int) -> dict:
    """Label of a case -> its settings."""
    from discogan_tf.config import Config
    from discogan_tf.experiments.paper_settings import PAPER_SETTINGS

    common = Config(
        data_dir=data_dir,
        domain_a="sample_edges2handbags/photo",
        domain_b="sample_edges2shoes/photo",
        image_size=32,
        num_steps=num_steps,
        ema_decay=0.9,
        **PAPER_SETTINGS,
        log_every_steps=1,
        sample_every_steps=num_steps,
        evaluate_every_steps=max(1, num_steps // 5),
        save_every_steps=max(1, num_steps // 2),
    )
    return {
        label: dataclasses.replace(common, workdir=str(workdir / f"run_{number}"), **changes)
        for number, (label, changes) in enumerate(CASES.items(), 1)
    }


def draw(configs: dict, path: Path) -> None:
    """The figure: one row per run with its losses, reconstruction errors and translations."""
    import numpy as np
    from matplotlib.figure import Figure

    from discogan_tf.evaluation.evaluated_run import load_evaluated_run
    from discogan_tf.reporting.records import read_records

    figure = Figure(figsize=(13, 2.7 * len(configs)), layout="constrained")
    axes = figure.subplots(len(configs), 3, squeeze=False, width_ratios=(1, 1, 1.6))
    for row, (label, config) in zip(axes, configs.items(), strict=True):
        losses = read_records(Path(config.workdir)).losses
        for name, text in _LOSSES.items():
            _plot(row[0], losses[name], text)
        row[0].axhline(np.log(2), color="gray", linestyle=":", linewidth=1)
        row[0].set_ylim(0, 6)
        for name in ("reconstruction_a", "reconstruction_b"):
            _plot(row[1], losses[name], name.replace("_", " "))
        row[1].set_ylim(0, 1)
        row[0].set_title(label, loc="left", fontsize=11)
        for axis in row[:2]:
            axis.legend(fontsize=7, frameon=False, loc="upper right")
            axis.grid(alpha=0.3)
        batch = next(iter(load_evaluated_run(config, "val", "last", _SHOWN).batches.values()))
        images = [np.concatenate(list(line), axis=1) for line in (batch.inputs, batch.outputs)]
        row[2].imshow(np.concatenate(images), interpolation="nearest")
        row[2].set(xticks=[], yticks=[], title="handbags, and their translations")
    for axis in axes[-1][:2]:
        axis.set_xlabel("step")
    figure.savefig(path, dpi=100)


def _plot(axis, series: list[tuple[int, float]], label: str) -> None:
    """Plots means over a few steps: single ones vary too much to be read."""
    import numpy as np

    values = np.array(series)
    values = values[: len(values) // _WINDOW * _WINDOW].reshape(-1, _WINDOW, 2).mean(1)
    axis.plot(*values.T, label=label, linewidth=1.2)


def warnings(configs: dict) -> str:
    """The warnings of each run, as Markdown."""
    from discogan_tf.reporting.records import read_records

    lines = []
    for label, config in configs.items():
        found = read_records(Path(config.workdir)).warnings
        lines += [f"- {label}", *(f"  - step {step}: {text}" for step, text in found)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m discogan_tf.experiments.curves",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--workdir", type=Path, default=Path("runs/curves"))
    parser.add_argument("--num_steps", type=int, default=600, help="of each run (600)")
    values = parser.parse_args()
    if values.num_steps < _WINDOW:
        parser.error(f"--num_steps: at least {_WINDOW}")

    from discogan_tf.experiments.running import train_all
    from discogan_tf.startup import exit_on_errors, silence_startup_logs

    with exit_on_errors():
        silence_startup_logs()
        configs = configs_of(values.data_dir, values.workdir, values.num_steps)
        train_all(configs)
        draw(configs, values.workdir / "curves.png")
    markdown = warnings(configs)
    (values.workdir / "curves.md").write_text(markdown + "\n")
    print(f"\nWarnings:\n{markdown}\n\nWritten to {values.workdir}: curves.png and curves.md.")


if __name__ == "__main__":
    main()
