"""What the metrics look at: one direction's pictures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.domains import Domain, are_halves_of_one

_BATCH_SIZE = 64
_OPPOSITE = {"a_to_b": "b_to_a", "b_to_a": "a_to_b"}


@dataclasses.dataclass(frozen=True)
class View:
    """The pictures of one direction. All are float32 [n, size, size, 3] in [0, 1]; pictures of 8 bits
    but for `unrounded`.

    Attributes:
      inputs: Real pictures of the domain that is translated, held out from training.
      outputs: Their translations, in the same order.
      unrounded: The translations as the network gives them, before they are rounded to 8 bits.
      targets: Held-out real pictures of the domain that is translated into.
      training: Training pictures of that domain.
      back: Translates back, a function of pictures; None where the model cannot.
      pairs: For each input the index of its true partner in `targets`; None where nobody knows.
      true_colours: For each input its true colour, [n, 3] in [0, 1], sRGB; None where nobody knows.
    """

    inputs: np.ndarray
    outputs: np.ndarray
    unrounded: np.ndarray
    targets: np.ndarray
    training: np.ndarray
    back: Callable[[np.ndarray], np.ndarray] | None = None
    pairs: np.ndarray | None = None
    true_colours: np.ndarray | None = None


class Viewer:
    """Makes the views of a model's directions, again and again as it trains.

    Args:
      model: A model of `MODELS`; its networks run outside training mode.
      config: The run's settings.
      held_out: "a", "b" -> the pictures to evaluate on.
      training: "a", "b" -> training pictures, uint8 [n, size, size, 3].
    """

    def __init__(self, model, config: Config, held_out: dict[str, Domain], training: dict[str, np.ndarray]):
        self._directions = {n: d for n, d in config.directions.items() if d in model.generators}
        self._translate = {d: _in_batches(network) for d, network in model.generators.items()}
        self._held_out = {k: pixels.to_float(domain.images).numpy() for k, domain in held_out.items()}
        self._training = {k: pixels.to_float(pictures).numpy() for k, pictures in training.items()}
        self._pairs = {
            "a_to_b": _pairs(config.domain_a, config.domain_b, held_out["a"], held_out["b"]),
            "b_to_a": _pairs(config.domain_b, config.domain_a, held_out["b"], held_out["a"]),
        }
        self._true_colours = {
            "a": _true_colours(config.data_dir, config.domain_a, held_out["a"]),
            "b": _true_colours(config.data_dir, config.domain_b, held_out["b"]),
        }

    def views(self) -> dict[str, View]:
        """Name of each direction -> its view, with the model's weights of this moment."""
        return {name: self._view(direction) for name, direction in self._directions.items()}

    def _view(self, direction: str) -> View:
        source, target = direction[0], direction[-1]
        unrounded = self._translate[direction](self._held_out[source])
        return View(
            inputs=self._held_out[source],
            outputs=pixels.to_float(pixels.to_uint8(unrounded)).numpy(),
            unrounded=unrounded,
            targets=self._held_out[target],
            training=self._training[target],
            back=self._translate.get(_OPPOSITE[direction]),
            pairs=self._pairs[direction],
            true_colours=self._true_colours[source],
        )


def _in_batches(network):
    """`network` on any number of pictures."""
    run = tf.function(network, reduce_retracing=True)

    def translate(pictures):
        starts = range(0, len(pictures), _BATCH_SIZE)
        return np.concatenate([run(tf.constant(pictures[i : i + _BATCH_SIZE])).numpy() for i in starts])

    return translate


def _pairs(domain: str, other_domain: str, inputs: Domain, targets: Domain) -> np.ndarray | None:
    """For halves of one archive, the index of each input's other half."""
    if not are_halves_of_one(domain, other_domain):
        return None
    places = {name: index for index, name in enumerate(targets.names)}
    if not all(name in places for name in inputs.names):
        return None
    return np.array([places[name] for name in inputs.names])


def _true_colours(data_dir: str, domain: str, inputs: Domain) -> np.ndarray | None:
    """Of the drawn sample, whose program wrote down what it drew: [n, 3] in [0, 1], sRGB."""
    path = Path(data_dir) / f"{domain.partition('/')[0]}.json"
    if not path.is_file():
        return None
    truth = json.loads(path.read_text())
    if not all(name in truth for name in inputs.names):
        return None
    colours = np.array([truth[name]["colour_rgb"] for name in inputs.names], np.uint8)
    return pixels.to_float(colours).numpy()
