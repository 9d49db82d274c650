"""Sample sheets: the same validation pictures at every step, and what the translators make of them."""

import numpy as np
import tensorflow as tf

from discogan_tf import images
from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced
from discogan_tf.networks.statistics import recompute_statistics, statistics_function

_COLUMNS = 10
# Batch norm's statistics are measured on this many batches of training pictures of this size.
_STATISTICS_BATCHES = 8
_STATISTICS_BATCH_SIZE = 64


class SampleSheets:
    """Draws sample sheets, and keeps the translators fit to be shown.

    Args:
      model: A model of `MODELS`.
      config: The run's settings.
      training: Domain ("a", "b") -> its training pictures, uint8 [n, size, size, 3].
      validation: Domain -> its validation pictures, likewise.
    """

    def __init__(self, model, config: Config, training: dict, validation: dict):
        self._names = {"a": config.name_a, "b": config.name_b}
        self._inputs = {
            domain: images.to_float(evenly_spaced(pictures, _COLUMNS))
            for domain, pictures in validation.items()
        }
        self._sample = tf.function(model.sample)
        self._translators = [
            # "a_to_b" translates pictures of domain a.
            (network, statistics_function(network), _statistics_batches(training[direction[0]]))
            for direction, network in model.generators.items()
        ]

    def recompute_statistics(self) -> None:
        """Measures batch norm's statistics for the weights of this moment, on training pictures.

        To be called before anything is drawn, judged, saved or exported: no training step does it.
        """
        for network, measure, batches in self._translators:
            recompute_statistics(network, measure, map(images.to_float, batches))

    def draw(self) -> np.ndarray:
        """The sheet of this moment, uint8 [height, width, 3]: a row for each entry of the sample."""
        rows = {
            self._label(name): pictures.numpy() for name, pictures in self._sample(self._inputs).items()
        }
        return images.draw_sheet(rows)

    def _label(self, name: str) -> str:
        """ "fake_b" -> "fake shoes"."""
        kind, _, domain = name.rpartition("_")
        return f"{kind} {self._names[domain]}"


def _statistics_batches(pictures: np.ndarray) -> np.ndarray:
    """uint8 [batches, batch, size, size, 3]: full batches, or one smaller one of a small domain."""
    chosen = evenly_spaced(pictures, _STATISTICS_BATCHES * _STATISTICS_BATCH_SIZE)
    batches = max(1, len(chosen) // _STATISTICS_BATCH_SIZE)
    batch_size = len(chosen) // batches if batches == 1 else _STATISTICS_BATCH_SIZE
    return chosen[: batches * batch_size].reshape(batches, batch_size, *pictures.shape[1:])
