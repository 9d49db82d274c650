"""Evaluations during training: metrics, the best checkpoint so far, warnings."""

from pathlib import Path

from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced, thinned, to_input
from discogan_tf.evaluation import consistency, metrics
from discogan_tf.evaluation.text_retrieval import TEXT_TO_IMAGE, load_retrieval
from discogan_tf.evaluation.translations import TranslationEvaluator
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models.contract import display_name
from discogan_tf.runs.checkpoints import BestCheckpoints
from discogan_tf.runs.console import Progress
from discogan_tf.runs.diagnostics import Diagnostics, Warnings, replay
from discogan_tf.runs.metrics_log import METRICS, MetricsLog

# Validation and training images of an evaluation. Fewer training images than in `evaluate.py` keep
# evaluations short.
_HELD_OUT, _TRAINING = 200, 2000
# Validation images among which captions must find theirs.
_RETRIEVED = 1000


class Evaluator:
    """Evaluates a model's translations on the same validation images every time.

    Args:
      model: The model whose generators are evaluated.
      config: The run's settings.
      validation: Name of each stream -> the `Domain` of its validation images.
      training: Name of each stream -> its training images, uint8 [n, size, size, 3].

    Attributes:
      warnings: What the last evaluation gave reason to warn of.
    """

    def __init__(self, model, config: Config, validation: dict, training: dict):
        held_out = {key: thinned(domain, _HELD_OUT) for key, domain in validation.items()}
        some = {key: evenly_spaced(images, _TRAINING) for key, images in training.items()}
        self._translations = TranslationEvaluator(model, config, held_out, some)
        self._retrieval = load_retrieval(model, config, "val", _RETRIEVED)
        self._best = BestCheckpoints(Path(config.workdir), model)
        self._model, self._config = model, config
        count = inference_batch_size(config.image_size)
        self._compared = {
            key: to_input(evenly_spaced(domain.images, count)) for key, domain in validation.items()
        }
        self.restore([])

    def restore(self, records: list[dict]) -> None:
        """Restores the state of the warnings of a run that resumes.

        Args:
          records: What `read_metrics_log` returned of the run.
        """
        self._diagnostics = Diagnostics(
            self._config, {name: target for name, _, target, _ in self._model.translations}
        )
        self.warnings: Warnings = replay(self._diagnostics, records)

    def record(
        self,
        step: int,
        measured: dict[str, dict[str, float]],
        losses: dict[str, float],
        metrics_log: MetricsLog,
        progress: Progress,
    ) -> None:
        """Saves the generators if they are the best so far, logs an evaluation, and warns.

        Args:
          step: Current step.
          measured: What `measure` returned.
          losses: Of the last step that was taken.
          metrics_log, progress: Where it is logged and shown.
        """
        scores = {name: values["score"] for name, values in measured.items()}
        best = self._best.update(step, scores)
        # Last, because a run that resumes takes a logged evaluation for finished.
        metrics_log.write_metrics(step, measured)
        lines = [_summary(name, values) for name, values in measured.items()]
        lines += [f"new best checkpoints: {', '.join(best)}"] if best else []
        progress.say(f"step {step}: {'; '.join(lines)}")
        self.warnings = self._diagnostics.update(step, measured, losses)
        for text in self.warnings.new:
            metrics_log.write_warning(step, text)
            progress.say(f"WARNING at step {step}: {text}")

    def measure(self) -> dict[str, dict[str, float]]:
        """Evaluates: display name of each direction -> metric -> value.

        Batch-norm statistics must be those of the current weights.
        Also, for the warnings: `saturated`, the share of values at black or white in translations
        minus that in real images; and `training_gap` (see `consistency`).
        """
        found = {}
        gaps = consistency.training_gaps(self._model, self._compared)
        gaps = {
            display_name(translation, self._config.display_names): gaps[translation.name]
            for translation in self._model.translations
            if translation.name in gaps
        }
        for name, batch in self._translations.batches().items():
            found[name] = {key: entry.value for key, entry in metrics.measure(batch).items()}
            found[name]["saturated"] = _saturation(batch.outputs) - _saturation(batch.targets)
            found[name]["training_gap"] = gaps[name]
        if self._retrieval:
            measured = self._retrieval.measure()
            found[TEXT_TO_IMAGE] = {key: entry.value for key, entry in measured.items()}
        return found


_SUMMARY = {
    "score": "score {:.0f}",
    "sliced_wasserstein": "sliced Wasserstein {:.0f}",
    "relation": "color correlation {:.2f}",
    "diversity": "diversity {:.2f}",
    "recall_10": "recall at 10 {:.2f}",
    "class_accuracy": "class {:.2f}",
    "color_follows": "color follows {:.2f}",
    "order_matters": "order matters {:.2f}",
}


def _summary(name: str, values: dict[str, float]) -> str:
    parts = [text.format(values[key]) for key, text in _SUMMARY.items() if key in values]
    return f"{name} {parts[0]} ({', '.join(parts[1:])})"


def was_evaluated(records: list[dict], step: int) -> bool:
    """Whether the evaluation of a step is in what `read_metrics_log` returned."""
    return any(record["step"] == step and METRICS in record for record in records)


def _saturation(images) -> float:
    """Share of values within half a step of 8 bits from black or white."""
    return float(((images < 0.002) | (images > 0.998)).mean())
