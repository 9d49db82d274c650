"""Evaluations during training: metrics, the best checkpoint so far, alarms."""

from pathlib import Path

from discogan_tf.checkpoints import BestCheckpoints
from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced, thinned
from discogan_tf.evaluation import metrics
from discogan_tf.evaluation.view import Viewer
from discogan_tf.training.alarms import Alarms
from discogan_tf.training.journal import Journal
from discogan_tf.training.progress import Progress

# Fewer than `evaluate.py` takes: it must not hold up training.
_HELD_OUT, _TRAINING = 200, 2000


class Judge:
    """Measures a model's translations on the same validation pictures every time, and acts on it.

    Args:
      model: The model whose generators are shown.
      config: The run's settings.
      validation: "a", "b" -> the `Domain` of its validation pictures.
      training: "a", "b" -> training pictures, uint8 [n, size, size, 3].
    """

    def __init__(self, model, config: Config, validation: dict, training: dict):
        held_out = {key: thinned(domain, _HELD_OUT) for key, domain in validation.items()}
        chosen = {key: evenly_spaced(pictures, _TRAINING) for key, pictures in training.items()}
        self._viewer = Viewer(model, config, held_out, chosen)
        self._best = BestCheckpoints(Path(config.workdir), model)
        self._alarms = Alarms()
        self._names = {"a": config.name_a, "b": config.name_b}

    def recall(self, lines: list[dict]) -> None:
        """Lets the alarms hear of the evaluations before a run was resumed.

        Args:
          lines: What `journal.logged` gave.
        """
        self._alarms = Alarms()
        for line in lines:
            if "metrics" in line:
                self._alarms.look(line["metrics"], losses_of(lines, line["step"]), self._names)

    def judge(self, step: int, losses: dict[str, float], journal: Journal, progress: Progress) -> None:
        """Measures, keeps what is the best so far, and sounds alarms.

        Batch norm's statistics must have been recomputed for the weights of this moment.
        """
        measured = self._measure()
        best = self._best.offer(step, {name: values["score"] for name, values in measured.items()})
        # Last, for once it is there a run that goes on takes the evaluation for done.
        journal.write_metrics(step, measured)
        lines = [
            f"{name} score {values['score']:.0f} (sliced Wasserstein {values['sliced_wasserstein']:.0f}, "
            f"relation {values['relation']:.2f}, diversity {values['diversity']:.2f})"
            for name, values in measured.items()
        ]
        lines += [f"best so far: {', '.join(best)}"] if best else []
        progress.say(f"step {step}: {'; '.join(lines)}")
        for words in self._alarms.look(measured, losses, self._names):
            journal.write_alarm(step, words)
            progress.say(f"ALARM at step {step}: {words}")

    def _measure(self) -> dict[str, dict[str, float]]:
        """Name of each direction -> metric -> value; and `saturated`, for the alarms: the share of
        values at black or white in outputs, less that in real pictures.
        """
        found = {}
        for name, view in self._viewer.views().items():
            found[name] = {metric: value.value for metric, value in metrics.measure(view).items()}
            found[name]["saturated"] = _at_ends(view.outputs) - _at_ends(view.targets)
        return found


def evaluated(lines: list[dict], step: int) -> bool:
    """Whether the evaluation of a step is among what `journal.logged` gave."""
    return any(line["step"] == step and "metrics" in line for line in lines)


def losses_of(lines: list[dict], step: int) -> dict[str, float]:
    """The losses of a step from what `journal.logged` gave; of a step that was not logged, none."""
    found = (line for line in lines if line["step"] == step and not line.keys() & {"metrics", "alarm"})
    return next(found, {})


def _at_ends(pictures) -> float:
    """Share of values within half a step of 8 bits from black or white."""
    return float(((pictures < 0.002) | (pictures > 0.998)).mean())
