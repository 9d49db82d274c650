"""Plots of curves as SVG, by Matplotlib without a display."""

import io

import numpy as np

from discogan_tf.reporting.records import Records, Series

_WIDTH, _HEIGHT = 5.2, 3.0
# Longer series are averaged over windows, or the file would be mostly curves.
_MAX_POINTS = 300
_COMPARED = ("sliced_wasserstein", "relation", "diversity", "reconstruction_ssim", "score")


def draw_metrics(records: dict[str, Records], direction: str) -> list[str]:
    """A plot for each metric that some run logged for a direction, with a curve for each run."""
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


def draw_curves(
    title: str, curves: dict[str, Series], references: dict[str, float] | None = None
) -> str:
    """One plot over the steps, as an <svg> element.

    Args:
      title: Its title.
      curves: Label -> (step, value) each.
      references: Label of a curve -> its reference, plotted dashed in the same color.
    """
    axes = _create_axes(title, "step")
    for label, series in curves.items():
        steps, values = _thinned(series)
        (line,) = axes.plot(
            steps, values, label=label, linewidth=1.2, marker="o" if len(steps) < 20 else "", ms=3
        )
        if references and label in references:
            axes.axhline(references[label], color=line.get_color(), linestyle="--", linewidth=0.8)
    if len(curves) > 1:
        axes.legend(fontsize=7, frameon=False)
    return _to_svg(axes, title)


def draw_plane(title: str, points: dict[str, tuple[float, float]], x: str, y: str) -> str:
    """Labeled points, as an <svg> element.

    Args:
      title: Its title.
      points: Label -> (x, y).
      x, y: Labels of the axes.
    """
    axes = _create_axes(title, x)
    axes.set_ylabel(y, fontsize=8)
    for label, (horizontal, vertical) in points.items():
        axes.plot(horizontal, vertical, marker="o", linestyle="", ms=5)
        axes.annotate(
            label, (horizontal, vertical), xytext=(4, 4), textcoords="offset points", fontsize=7
        )
    axes.margins(0.15)
    return _to_svg(axes, title)


def _create_axes(title: str, x: str):
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    return axes


def _to_svg(axes, title: str) -> str:
    from matplotlib import rc_context

    file = io.StringIO()
    # Without a date and random names, so that the same run gives the same page.
    with rc_context({"svg.hashsalt": title}):
        no_metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        axes.figure.savefig(file, format="svg", metadata=no_metadata)
    # The element follows an XML declaration and addresses of the format's definition.
    return "<svg" + file.getvalue().partition("<svg")[2]


def _thinned(series: Series) -> tuple[np.ndarray, np.ndarray]:
    values = np.array(series, float)
    window = -(-len(values) // _MAX_POINTS)
    # The oldest points that fill no window are left out.
    means = values[len(values) % window :].reshape(-1, window, 2).mean(1)
    return means[:, 0], means[:, 1]
