"""What a run leaves for people: TensorBoard's log, `metrics.jsonl`, and sample sheets as PNG."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images
from discogan_tf.config import Config, to_flagfile
from discogan_tf.training import event_log


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
        self._metrics = _open_metrics(workdir / "metrics.jsonl", first_step)
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
        self._log.flush()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self._metrics.close()
        self._log.close()


def _open_metrics(path: Path, first_step: int):
    """Opens `metrics.jsonl` to add to it, without the lines of later steps, which a crash undid."""
    if path.exists():
        lines = path.read_text().splitlines()
        kept = [line + "\n" for line in lines if _step_of(line) <= first_step]
        temporary = path.with_name(path.name + ".part")
        temporary.write_text("".join(kept))
        temporary.replace(path)
    return path.open("a")


def _step_of(line: str) -> float:
    """The step of a line; infinite for one that a crash cut short."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
