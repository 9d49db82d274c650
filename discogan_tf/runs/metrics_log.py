"""The metrics log of a run: `metrics.jsonl` and TensorBoard, with one writer and one reader.

A line of `metrics.jsonl` is a JSON object with the `step` and either losses by name, or "metrics"
of an evaluation (direction -> metric -> value), or a "warning".
"""

import contextlib
import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.flagfile import to_flagfile
from discogan_tf.runs.event_files import truncate_events
from discogan_tf.runs.manifest import write_durably

_NAME = "metrics.jsonl"
METRICS, WARNING = "metrics", "warning"


class MetricsLog:
    """Writes the metrics log of a run; a resumed run appends. A context manager.

    Args:
      config: The run's settings.
      first_step: The step resumed from, 0 for a new run.

    Attributes:
      earlier: What the run logged up to `first_step`, as returned by `read_metrics_log`.
    """

    def __init__(self, config: Config, first_step: int):
        workdir = Path(config.workdir)
        self._grid_folder = workdir / "samples"
        self.earlier = read_metrics_log(workdir, first_step)
        self._file = _open_for_append(workdir / _NAME, self.earlier)
        truncate_events(workdir / "logs", first_step)
        self._tensorboard = tf.summary.create_file_writer(str(workdir / "logs"))
        with self._tensorboard.as_default(first_step):
            tf.summary.text("config", "```\n" + to_flagfile(config) + "```")

    def write_losses(self, step: int, losses: dict[str, float]) -> None:
        """Losses and gradient norms of a step."""
        with self._tensorboard.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(f"losses/{name}", value)
        self._write_line({"step": step} | losses)

    def write_metrics(self, step: int, measured: dict[str, dict[str, float]]) -> None:
        """Metrics of an evaluation: display name of each direction -> metric -> value."""
        with self._tensorboard.as_default(step):
            for direction, values in measured.items():
                for metric, value in values.items():
                    tf.summary.scalar(f"metrics/{metric}/{direction}", value)
        self._write_line({"step": step, METRICS: measured})

    def write_warning(self, step: int, text: str) -> None:
        """A warning about how training goes."""
        with self._tensorboard.as_default(step):
            tf.summary.text("warnings", text)
        self._write_line({"step": step, WARNING: text})

    def write_sample_grid(self, step: int, grid: np.ndarray) -> None:
        """A sample grid, uint8 [height, width, 3]."""
        self._grid_folder.mkdir(exist_ok=True)
        pixels.write_image(self._grid_folder / f"step_{step:06d}.png", grid)
        with self._tensorboard.as_default(step):
            tf.summary.image("samples", grid[np.newaxis])

    def write_histograms(self, step: int, networks: list) -> None:
        """A histogram of every trainable variable, which TensorBoard lists after all else."""
        with self._tensorboard.as_default(step):
            for network in networks:
                for variable in network.trainable_variables:
                    tf.summary.histogram(f"weights/{variable.path}", variable.value)

    def flush(self) -> None:
        """Brings what was written to the disk, before a checkpoint says that it is there."""
        self._tensorboard.flush()
        os.fsync(self._file.fileno())

    def _write_line(self, record: dict) -> None:
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        # After an error, another one of closing would hide it.
        hidden = (OSError, tf.errors.OpError) if error else ()
        for close in (self._file.close, self._tensorboard.close):
            with contextlib.suppress(*hidden):
                close()


def read_metrics_log(workdir: Path, last_step: int | None = None) -> list[dict]:
    """The lines of a run's `metrics.jsonl`; none if it has no such file.

    A line that is not complete is left out: the run is writing it, or a crash cut it off.

    Args:
      workdir: Folder of the run.
      last_step: The last step to read; None for all. Lines after it were undone by a crash.
    """
    path, found = workdir / _NAME, []
    for line in path.read_text().splitlines() if path.is_file() else ():
        try:
            record = json.loads(line)
            if last_step is None or record["step"] <= last_step:
                found.append(record)
        except (ValueError, KeyError, TypeError):
            continue
    return found


def is_losses(record: dict) -> bool:
    """Whether a line of the log holds losses."""
    return METRICS not in record and WARNING not in record


def losses_at(records: list[dict], step: int) -> dict[str, float]:
    """The losses of a step among lines of the log; empty if the step was not logged."""
    found = (record for record in records if record["step"] == step and is_losses(record))
    return next(found, {})


def _open_for_append(path: Path, kept: list[dict]):
    """Opens `metrics.jsonl` with only these lines in it."""
    if path.exists():
        write_durably(path, "".join(json.dumps(record) + "\n" for record in kept))
    return path.open("a")
