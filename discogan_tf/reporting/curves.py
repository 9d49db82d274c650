"""Curves as SVG, drawn by Matplotlib without a screen."""

import io

import numpy as np

from discogan_tf.reporting.records import Records, Series

_WIDTH, _HEIGHT = 5.2, 3.0
# Longer series are drawn as their mean over windows, or the file would be all curves.
_MOST_POINTS = 300
_COMPARED = ("sliced_wasserstein", "relation", "diversity", "reconstruction_ssim", "score")


def draw_metrics(records: dict[str, Records], direction: str) -> list[str]:
    """A plot for each metric that some run wrote down of a direction, with a curve for each run."""
    plots = []
    for metric in _COMPARED:
        curves = {
            name: record.metrics[metric][direction]
            for name, record in records.items()
            if direction in record.metrics.get(metric, {})
        }
        if curves:
            plots.append(draw_curves(metric, curves))
    return plots


def draw_curves(title: str, curves: dict[str, Series], floors: dict[str, float] | None = None) -> str:
    """One plot over the steps, as an <svg> element.

    Args:
      title: What it shows.
      curves: Label -> (step, value) each.
      floors: Label of a curve -> a level to hold it against, drawn dashed in its colour.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for label, series in curves.items():
        steps, values = _thinned(series)
        (line,) = axes.plot(
            steps, values, label=label, linewidth=1.2, marker="o" if len(steps) < 20 else "", ms=3
        )
        if floors and label in floors:
            axes.axhline(floors[label], color=line.get_color(), linestyle="--", linewidth=0.8)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    if len(curves) > 1:
        axes.legend(fontsize=7, frameon=False)
    file = io.StringIO()
    # Without a date and with names that are not random, the same run gives the same page.
    with rc_context({"svg.hashsalt": title}):
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    # Before the element stand a declaration and addresses of the format's definition.
    return "<svg" + file.getvalue().partition("<svg")[2]


def _thinned(series: Series) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(series, float)
    window = -(-len(values) // _MOST_POINTS)
    # The newest stay; the oldest that fill no window go.
    means = values[len(values) % window :].reshape(-1, window, 2).mean(1)
    return means[:, 0], means[:, 1]
