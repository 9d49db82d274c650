"""A checkpoint of a run with its translations, and all that is measured of it."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

from tqdm import tqdm

from discogan_tf.config import Config
from discogan_tf.data.domains import count_images, evenly_spaced, load_training, thinned
from discogan_tf.data.run_images import load_split
from discogan_tf.errors import ConfigError, DataError
from discogan_tf.evaluation import content, efficientnet_lite, features, metrics
from discogan_tf.evaluation.text_fidelity import TextFidelity, load_fidelity
from discogan_tf.evaluation.text_precision import TextEvaluator, load_text_evaluator
from discogan_tf.evaluation.text_retrieval import TEXT_TO_IMAGE, TextRetrieval, load_retrieval
from discogan_tf.evaluation.translations import EvalBatch, TranslationEvaluator
from discogan_tf.models import create_inference_model
from discogan_tf.models.stackgan import StackGAN
from discogan_tf.runs.checkpoints import restore_generators

# As floats, at 64 pixels, they are half a gigabyte.
_TRAINING = 10_000
# Distances between images need two.
FEWEST = 2


@dataclasses.dataclass(frozen=True)
class EvaluatedRun:
    """The settings of a run, step and split of the evaluation, and the images of each direction.

    Of a text encoder, which makes no images, there is `retrieval` instead. Of a text-to-image
    model, there is `fidelity` beside them, and `text_evaluator` if one was named.
    """

    config: Config
    step: int
    split: str
    batches: dict[str, EvalBatch]
    retrieval: TextRetrieval | None = None
    fidelity: TextFidelity | None = None
    text_evaluator: TextEvaluator | None = None

    @property
    def directions(self) -> list[str]:
        """The directions that are measured."""
        return [*self.batches, *[TEXT_TO_IMAGE] * bool(self.retrieval)]


def common_directions(runs: Iterable[EvaluatedRun]) -> list[str]:
    """The directions that all runs have, in the order of the first."""
    first, *others = (run.directions for run in runs)
    return [name for name in first if all(name in other for other in others)]


def usable_split(config: Config) -> str:
    """The split that a run's pages measure: "val", or "train", with a note, if that is too small.

    Raises:
      DataError: if a domain is not prepared.
    """
    for domain in config.domains.values():
        count = count_images(config.data_dir, domain, config.image_size).get("val", 0)
        if count < FEWEST:
            print(f"Note: {domain} has {count} validation image(s). Training images are measured.")
            return "train"
    return "val"


def load_evaluated_run(
    config: Config, split: str, checkpoint: str, num_images: int, text_encoder: Path | None = None
) -> EvaluatedRun:
    """Translates a split with a checkpoint.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      split: "val" or "train".
      checkpoint: As for `restore_generators`.
      num_images: How many of each domain, evenly spaced; all if there are fewer. They are compared
        with up to 10,000 training images.
      text_encoder: Workdir of a text encoder to evaluate a text-to-image model with.

    Raises:
      CheckpointError, DataError: if the checkpoint or the images are missing, or too few.
      ConfigError: if the text encoder is none, or cannot evaluate this run.
    """
    model = create_inference_model(config)
    step = restore_generators(Path(config.workdir), model, checkpoint)
    text_evaluator = None
    if text_encoder:
        if not isinstance(model, StackGAN):
            raise ConfigError(f"--text_encoder is for --model=stackgan, not for {config.model}")
        text_evaluator = load_text_evaluator(text_encoder, model)
    training = {
        stream: evenly_spaced(domain.images, _TRAINING)
        for stream, domain in load_training(config, config.image_size).items()
    }
    for domain in config.domains.values():
        count = count_images(config.data_dir, domain, config.image_size).get(split, 0)
        if count < FEWEST:
            remedy = ". --split=train measures training images" if split == "val" else ""
            raise DataError(
                f"{domain} has {count} {split} image(s): nothing can be measured{remedy}"
            )
    held_out = {
        stream: thinned(domain, num_images) for stream, domain in load_split(config, split).items()
    }
    batches = TranslationEvaluator(model, config, held_out, training).batches()
    retrieval = load_retrieval(model, config, split, num_images)
    fidelity = load_fidelity(model, config, split, num_images)
    return EvaluatedRun(config, step, split, batches, retrieval, fidelity, text_evaluator)


def measure(run: EvaluatedRun, resamples: int, extract: Callable | None = None) -> dict:
    """Every metric of every direction, those of `content` only if its weights are installed.

    Args:
      run: What to measure.
      resamples: Samples for each bootstrap interval; 0 for none.
      extract: The result of `features.create_extractor`, for Fréchet and kernel distance on
        InceptionV3; None without.

    Returns:
      {"step", "split", "image_size", "directions": {name: {metric: `Measurement` as a dict}}}.
    """
    extract_content = efficientnet_lite.create_extractor()
    directions = {}
    for name, batch in tqdm(run.batches.items(), unit="direction", delay=1):
        found = metrics.measure(batch, resamples)
        if extract_content:
            found |= content.measure(batch, resamples, extract_content)
        if extract:
            found |= features.measure(batch, resamples, extract)
        if run.fidelity:
            found |= run.fidelity.measure(resamples, run.text_evaluator)
        directions[name] = {metric: dataclasses.asdict(value) for metric, value in found.items()}
    if run.retrieval:
        found = run.retrieval.measure(resamples)
        directions[TEXT_TO_IMAGE] = {key: dataclasses.asdict(value) for key, value in found.items()}
    return {
        "step": run.step,
        "split": run.split,
        "image_size": run.config.image_size,
        "directions": directions,
    }
