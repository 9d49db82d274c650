"""A run's checkpoint as it is evaluated, and all that is measured of it."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from discogan_tf.checkpoints import restore_generators
from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced, load_domain, load_training, thinned
from discogan_tf.errors import DataError
from discogan_tf.evaluation import features, metrics
from discogan_tf.evaluation.view import View, Viewer
from discogan_tf.models import create_model

# As floats, of 64 pixels, they are half a gigabyte.
_TRAINING = 10_000


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is evaluated: the settings of its run, the step, the split, and a view of each direction."""

    config: Config
    step: int
    split: str
    views: dict[str, View]


def load_subject(config: Config, split: str, checkpoint: str, num_pictures: int) -> Subject:
    """Translates a split with a checkpoint.

    Args:
      config: The run's settings, with `workdir` and `data_dir` as they are now.
      split: "val", or "train".
      checkpoint: As `restore_generators` takes it.
      num_pictures: How many of each domain, evenly spaced; all if there are fewer. Of training pictures
        to compare with, up to 10,000.

    Raises:
      CheckpointError, DataError: if the checkpoint or the pictures are missing, or too few.
    """
    model = create_model(config, tf.float32)
    step = restore_generators(Path(config.workdir), model, checkpoint)
    held_out = {}
    training = {k: evenly_spaced(domain.images, _TRAINING) for k, domain in load_training(config).items()}
    for key, name in (("a", config.domain_a), ("b", config.domain_b)):
        held_out[key] = thinned(load_domain(config.data_dir, name, split, config.image_size), num_pictures)
        if len(held_out[key].names) < 2:
            raise DataError(f"{name} has fewer than two {split} pictures: nothing can be measured")
    return Subject(config, step, split, Viewer(model, config, held_out, training).views())


def measure(subject: Subject, resamples: int, extract: Callable | None = None) -> dict:
    """Every metric of every direction.

    Args:
      subject: What to measure.
      resamples: Samples for each bootstrap interval; 0 for none.
      extract: What `features.create_extractor` gave, for Fréchet and kernel distance; None without.

    Returns:
      {"step", "split", "image_size", "directions": {name: {metric: `Measurement` as a dict}}}.
    """
    directions = {}
    for name, view in tqdm(subject.views.items(), unit="direction", delay=1):
        found = metrics.measure(view, resamples)
        if extract:
            found |= features.measure(view, resamples, extract)
        directions[name] = {metric: dataclasses.asdict(value) for metric, value in found.items()}
    return {
        "step": subject.step,
        "split": subject.split,
        "image_size": subject.config.image_size,
        "directions": directions,
    }
