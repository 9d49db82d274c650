"""Makes the figures of docs/learning_rate_and_batch_size.md from the runs that it names.

    python docs/figures/learning_rate_and_batch_size.py --runs=runs

Writes docs/images/learning_rate.svg and docs/images/batch_size.svg: metrics against images seen.
"""

import argparse
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from discogan_tf.reporting.records import read_records
from discogan_tf.runs.workdir import read_config

_IMAGES = Path(__file__).parents[1] / "images"
_FIGURES = {
    "learning_rate": {"rate_1e-4": "1e-4", "rate_4e-4": "4e-4", "rate_1.6e-3": "1.6e-3"},
    "batch_size": {"rate_4e-4": "batches of 16", "batch_64": "batches of 64"},
}
_METRICS = {
    "sliced_wasserstein": "sliced Wasserstein (lower is better)",
    "relation": "relation (higher is better)",
}
_STYLES = {"handbags2shoes": "-", "shoes2handbags": "--"}


def _draw(runs: Path, labels: dict[str, str], path: Path) -> None:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for place, (metric, title) in enumerate(_METRICS.items(), 1):
        axes = figure.add_subplot(
            1, len(_METRICS), place, title=title, xlabel="images of each domain seen"
        )
        for number, (run, label) in enumerate(labels.items()):
            records, config = read_records(runs / run), read_config(runs / run)
            for direction, style in _STYLES.items():
                steps, values = zip(*records.metrics[metric][direction], strict=True)
                seen = [step * config.batch_size for step in steps]
                axes.plot(
                    seen,
                    values,
                    style,
                    color=f"C{number}",
                    marker="o",
                    label=f"{label}, {direction}",
                )
        if metric == "sliced_wasserstein":
            axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    FigureCanvasSVG(figure).print_svg(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, required=True)
    values = parser.parse_args()
    for name, labels in _FIGURES.items():
        _draw(values.runs, labels, _IMAGES / f"{name}.svg")


if __name__ == "__main__":
    main()
