"""The metrics log and the sample grids of a run, as reports use them."""

import dataclasses
from pathlib import Path

from discogan_tf.errors import DataError
from discogan_tf.runs.metrics_log import METRICS, WARNING, read_metrics_log

# (step, value) each.
Series = list[tuple[int, float]]


@dataclasses.dataclass(frozen=True)
class Records:
    """What a run recorded.

    Attributes:
      losses: Name -> its values.
      metrics: Metric -> direction -> its values.
      warnings: (step, text) of each.
      grids: Step -> file of its sample grid.
    """

    losses: dict[str, Series]
    metrics: dict[str, dict[str, Series]]
    warnings: list[tuple[int, str]]
    grids: dict[int, Path]


def read_records(workdir: Path) -> Records:
    """Reads the metrics log of a run and lists its sample grids.

    Raises:
      DataError: if the run has logged nothing yet.
    """
    lines = read_metrics_log(workdir)
    if not lines:
        raise DataError(f"{workdir} has no metrics log: train first")
    losses, metrics, warnings = {}, {}, []
    for line in lines:
        step = line["step"]
        if WARNING in line:
            warnings.append((step, line[WARNING]))
        elif METRICS in line:
            for direction, values in line[METRICS].items():
                for metric, value in values.items():
                    series = metrics.setdefault(metric, {}).setdefault(direction, [])
                    series.append((step, value))
        else:
            for name, value in line.items():
                if name != "step":
                    losses.setdefault(name, []).append((step, value))
    grids = {
        int(file.stem.removeprefix("step_")): file
        for file in (workdir / "samples").glob("step_*.png")
    }
    return Records(losses, metrics, warnings, dict(sorted(grids.items())))
