"""Makes the figure of docs/how_it_works.md, section "One function, not three".

    python docs/figures/batch_norm.py --batch_norm=runs/batch_norm --defaults=runs/bags_shoes

Writes docs/images/batch_norm.svg: scores and losses of two runs, means of both directions.
"""

import argparse
import statistics
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from discogan_tf.reporting.records import Records, read_records

_IMAGE = Path(__file__).parents[1] / "images" / "batch_norm.svg"
# Losses vary from step to step: each point is the mean of so many.
_WINDOW = 400


def _mean_score(records: Records) -> dict[int, float]:
    """Step -> mean score of both directions."""
    one, other = (dict(series) for series in records.metrics["score"].values())
    return {step: (one[step] + other[step]) / 2 for step in one}


def _mean_loss(records: Records, name: str) -> dict[int, float]:
    """End of each window of steps -> mean of a loss of both domains."""
    windows: dict[int, list[float]] = {}
    for domain in "ab":
        for step, value in records.losses[f"{name}_{domain}"]:
            windows.setdefault(-(-step // _WINDOW) * _WINDOW, []).append(value)
    return {step: statistics.fmean(values) for step, values in windows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch_norm", type=Path, required=True)
    parser.add_argument("--defaults", type=Path, required=True)
    values = parser.parse_args()
    runs = {
        "batch norm": read_records(values.batch_norm),
        "defaults": read_records(values.defaults),
    }
    last = min(max(_mean_score(records)) for records in runs.values())
    figure = Figure(figsize=(9, 3), layout="constrained")
    score, losses = figure.subplots(1, 2)
    score.set_title("score of validation images (lower is better)", fontsize=10)
    losses.set_title("training losses", fontsize=10)
    for number, (label, records) in enumerate(runs.items()):
        curves = [
            (score, _mean_score(records), label, "-"),
            (losses, _mean_loss(records, "reconstruction"), f"{label}, reconstruction", "-"),
            (losses, _mean_loss(records, "identity"), f"{label}, identity", "--"),
        ]
        for axes, series, name, style in curves:
            shown = {step: value for step, value in series.items() if step <= last}
            axes.plot(*zip(*shown.items(), strict=True), style, color=f"C{number}", label=name)
    for axes in (score, losses):
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.legend(fontsize=7, frameon=False)
        axes.grid(alpha=0.3)
    FigureCanvasSVG(figure).print_svg(_IMAGE, metadata={"Date": None})


if __name__ == "__main__":
    main()
