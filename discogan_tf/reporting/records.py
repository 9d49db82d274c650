"""What a run wrote down as it trained."""

import dataclasses
import json
from pathlib import Path

from discogan_tf.errors import DataError

# (step, value) for each time that something was written.
Series = list[tuple[int, float]]


@dataclasses.dataclass(frozen=True)
class Records:
    """Of one run.

    Attributes:
      losses: Name -> its values.
      metrics: Metric -> direction -> its values.
      alarms: (step, words) of each.
      sheets: Step -> file of its sample sheet.
    """

    losses: dict[str, Series]
    metrics: dict[str, dict[str, Series]]
    alarms: list[tuple[int, str]]
    sheets: dict[int, Path]


def read_records(workdir: Path) -> Records:
    """Reads `metrics.jsonl` and lists the sheets.

    Raises:
      DataError: if the run has written nothing yet.
    """
    path = workdir / "metrics.jsonl"
    if not path.is_file():
        raise DataError(f"{path} is missing: train first")
    losses, metrics, alarms = {}, {}, []
    for line in path.read_text().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # The last line of a run that is writing, or was killed.
            continue
        step = entry.pop("step")
        if "alarm" in entry:
            alarms.append((step, entry["alarm"]))
        elif "metrics" in entry:
            for direction, values in entry["metrics"].items():
                for metric, value in values.items():
                    metrics.setdefault(metric, {}).setdefault(direction, []).append((step, value))
        else:
            for name, value in entry.items():
                losses.setdefault(name, []).append((step, value))
    sheets = {
        int(file.stem.removeprefix("step_")): file for file in (workdir / "samples").glob("step_*.png")
    }
    return Records(losses, metrics, alarms, dict(sorted(sheets.items())))
