"""The images that metrics compare, for each direction of a model."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.domains import Domain, are_halves_of_one, evenly_spaced, to_input
from discogan_tf.hardware import inference_batch_size
from discogan_tf.models.contract import (
    SERVING_DEFAULT,
    TRANSLATED,
    Translation,
    by_display_name,
)


@dataclasses.dataclass(frozen=True)
class EvalBatch:
    """The images of one direction, each float32 [n, size, size, 3] in [0, 1].

    All but `unrounded` are images of 8 bits.

    Attributes:
      inputs: Held-out real images of the source domain; None if the source is not images.
      outputs: Their translations, in the same order.
      unrounded: The translations as the network returns them, before rounding to 8 bits.
      targets: Held-out real images of the target domain.
      training: Training images of the target domain.
      inverse: Function that translates images back to the source domain; None if there is none.
      pairs: For each input, the index of its ground truth in `targets`; None if unknown.
      ground_truth_colors: For each input, its known color, sRGB, [n, 3] in [0, 1]; None if unknown.
    """

    inputs: np.ndarray | None
    outputs: np.ndarray
    unrounded: np.ndarray
    targets: np.ndarray
    training: np.ndarray
    inverse: Callable[[np.ndarray], np.ndarray] | None = None
    pairs: np.ndarray | None = None
    ground_truth_colors: np.ndarray | None = None

    @functools.cached_property
    def other_real(self) -> np.ndarray | None:
        """Training images that are none of the targets, evenly spaced, as many as translations.

        What distances to real images are compared with. None if there are fewer than two.
        """
        found = indices_not_in(self.training, self.targets)
        return self.training[evenly_spaced(found, len(self.outputs))] if len(found) > 1 else None


def indices_not_in(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Indices of those of `images` that are not among `others`, bit for bit."""
    known = set(map(_digest, others))
    return np.flatnonzero([_digest(image) not in known for image in images])


def _digest(image: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(image), digest_size=16).digest()


class TranslationEvaluator:
    """Translates held-out images with a model, again and again as it trains.

    Args:
      model: A model of `MODELS`. Its networks run outside training mode.
      config: The run's settings.
      held_out: Name of each stream -> the images to evaluate on.
      training: Name of each stream -> training images, uint8 [n, size, size, 3].
    """

    def __init__(
        self, model, config: Config, held_out: dict[str, Domain], training: dict[str, np.ndarray]
    ):
        self._directions = by_display_name(model, config.display_names)
        self._held_out = {k: to_input(d.images).numpy() for k, d in held_out.items()}
        self._training = {k: to_input(images).numpy() for k, images in training.items()}
        self._inputs = {
            name: [np.asarray(value) for value in inputs.values()]
            for name, inputs in model.generator_inputs(self._held_out).items()
        }
        batch_size = inference_batch_size(config.image_size)
        self._translate = {
            name: _in_batches(signatures[SERVING_DEFAULT].function, batch_size)
            for name, signatures in model.signatures().items()
        }
        self._pairs, self._ground_truth_colors = {}, {}
        for name, source, target, _ in self._directions.values():
            if source in held_out:
                domains = config.domains[source], config.domains[target]
                self._pairs[name] = _pairs(*domains, held_out[source], held_out[target])
                self._ground_truth_colors[name] = _ground_truth_colors(
                    config.data_dir, config.domains[source], held_out[source]
                )

    def batches(self) -> dict[str, EvalBatch]:
        """Display name of each direction -> its images, with the model's current weights."""
        return {name: self._batch(translation) for name, translation in self._directions.items()}

    def _batch(self, translation: Translation) -> EvalBatch:
        name, source, target, inverse = translation
        unrounded = self._translate[name](*self._inputs[name])
        return EvalBatch(
            inputs=self._held_out.get(source),
            outputs=pixels.to_float(pixels.to_uint8(unrounded)).numpy(),
            unrounded=unrounded,
            targets=self._held_out[target],
            training=self._training[target],
            inverse=self._translate[inverse] if inverse else None,
            pairs=self._pairs.get(name),
            ground_truth_colors=self._ground_truth_colors.get(name),
        )


def _in_batches(function, batch_size: int):
    """The translations of any number of inputs."""
    run = tf.function(lambda *inputs: function(*inputs)[TRANSLATED], reduce_retracing=True)

    def translate(*inputs):
        parts = []
        for start in range(0, len(inputs[0]), batch_size):
            some = (tf.constant(value[start : start + batch_size]) for value in inputs)
            parts.append(run(*some).numpy())
        return np.concatenate(parts)

    return translate


def _pairs(domain: str, other_domain: str, inputs: Domain, targets: Domain) -> np.ndarray | None:
    """For halves of one archive, the index of each input's other half."""
    if not are_halves_of_one(domain, other_domain):
        return None
    places = {name: index for index, name in enumerate(targets.names)}
    if not all(name in places for name in inputs.names):
        return None
    return np.array([places[name] for name in inputs.names])


def _ground_truth_colors(data_dir: str, domain: str, inputs: Domain) -> np.ndarray | None:
    """Of the synthetic sample, whose attributes are recorded: sRGB, [n, 3] in [0, 1]."""
    path = Path(data_dir) / f"{domain.partition('/')[0]}.json"
    if not path.is_file():
        return None
    truth = json.loads(path.read_text())
    if not all(name in truth for name in inputs.names):
        return None
    colors = np.array([truth[name]["color_rgb"] for name in inputs.names], np.uint8)
    return pixels.to_float(colors).numpy()
