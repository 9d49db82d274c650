"""What a run leaves for people: TensorBoard's log, `metrics.jsonl`, and sample sheets as PNG."""

import json
import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images
from discogan_tf.config import Config, to_flagfile
from discogan_tf.sealed import write_durably
from discogan_tf.training import event_log

METRICS = "metrics.jsonl"


class Journal:
    """Writes one run's journal; a resumed run adds to it. A context manager: it closes its files.

    Args:
      config: The run's settings.
      first_step: The step resumed from, 0 for a new run.
    """

    def __init__(self, config: Config, first_step: int):
        workdir = Path(config.workdir)
        self._sheets_folder = workdir / "samples"
        self._sheets_folder.mkdir(exist_ok=True)
        # What an earlier part of the run logged: see `logged`.
        self.earlier = logged(workdir, first_step)
        self._metrics = _open_metrics(workdir / METRICS, self.earlier)
        event_log.forget_after(workdir / "logs", first_step)
        self._log = tf.summary.create_file_writer(str(workdir / "logs"))
        with self._log.as_default(first_step):
            tf.summary.text("config", "```\n" + to_flagfile(config) + "```")

    def write_losses(self, step: int, losses: dict[str, float]) -> None:
        with self._log.as_default(step):
            for name, value in losses.items():
                tf.summary.scalar(f"losses/{name}", value)
        self._metrics.write(json.dumps({"step": step} | losses) + "\n")
        self._metrics.flush()

    def write_metrics(self, step: int, measured: dict[str, dict[str, float]]) -> None:
        """Metrics of an evaluation: name of each direction -> metric -> value."""
        with self._log.as_default(step):
            for direction, values in measured.items():
                for metric, value in values.items():
                    tf.summary.scalar(f"metrics/{metric}/{direction}", value)
        self._metrics.write(json.dumps({"step": step, "metrics": measured}) + "\n")
        self._metrics.flush()

    def write_alarm(self, step: int, words: str) -> None:
        """An alarm, in plain words."""
        with self._log.as_default(step):
            tf.summary.text("alarms", words)
        self._metrics.write(json.dumps({"step": step, "alarm": words}) + "\n")
        self._metrics.flush()

    def write_sheet(self, step: int, sheet: np.ndarray) -> None:
        """A sample sheet, uint8 [height, width, 3]."""
        images.write_png(self._sheets_folder / f"step_{step:06d}.png", sheet)
        with self._log.as_default(step):
            tf.summary.image("samples", sheet[np.newaxis])

    def write_histograms(self, step: int, networks: list) -> None:
        """A histogram of every trainable variable."""
        with self._log.as_default(step):
            for network in networks:
                for variable in network.trainable_variables:
                    tf.summary.histogram(variable.path, variable.value)

    def flush(self) -> None:
        """Brings what was written to the disk, before a checkpoint says that it is there."""
        self._log.flush()
        os.fsync(self._metrics.fileno())

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._metrics.close()
        self._log.close()


def logged(workdir: Path, last_step: int) -> list[dict]:
    """What a run wrote to `metrics.jsonl` up to a step: a crash undid what came later.

    Returns:
      A dict with its `step` for each line: losses by name; or "metrics" of an evaluation, by direction;
      or an "alarm".
    """
    path, found = workdir / METRICS, []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            record = json.loads(line)
            if record["step"] <= last_step:
                found.append(record)
        except (ValueError, KeyError, TypeError):
            continue  # A crash cut it short.
    return found


def _open_metrics(path: Path, kept: list[dict]):
    """Opens `metrics.jsonl` to add to it, with only these lines in it."""
    if path.exists():
        write_durably(path, "".join(json.dumps(record) + "\n" for record in kept))
    return path.open("a")
