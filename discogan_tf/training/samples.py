"""Sample grids: the same validation images at every step, and their translations."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.config import Config
from discogan_tf.data.domains import evenly_spaced, to_input
from discogan_tf.networks.statistics import (
    has_running_statistics,
    reestimate_statistics,
    statistics_function,
)

_COLUMNS = 10
# Batch-norm statistics are estimated on this many batches of training images of this size.
_STATISTICS_BATCHES = 8
_STATISTICS_BATCH_SIZE = 64
_NOISE_SEED = 2


class SampleGrids:
    """Makes sample grids, and prepares the generators for use outside training.

    Args:
      model: A model of `MODELS`.
      config: The run's settings.
      training: Name of each stream -> its training images, uint8 [n, size, size, 3].
      validation: Name of each stream -> its validation images, likewise.
      is_average: Whether the model holds an average of the weights that train. Otherwise statistics
        that training maintains belong to the run, and stay as they are.
    """

    def __init__(
        self, model, config: Config, training: dict, validation: dict, is_average: bool = False
    ):
        self._model, self._names = model, config.display_names
        self._inputs = {
            stream: to_input(evenly_spaced(images, _COLUMNS))
            for stream, images in validation.items()
        }
        self._sample = tf.function(model.sample)
        self._statistics_batches = _statistics_batches(training)
        self._measure = {
            name: statistics_function(model.generators[name])
            for name in model.generator_inputs(self._inputs)
            if is_average or not has_running_statistics(model.generators[name])
        }

    def reestimate_statistics(self) -> None:
        """Estimates batch-norm statistics for the current weights, on training images.

        No training step does it: call it before anything is shown, evaluated, saved or exported.
        """
        for name, measure in self._measure.items():
            reestimate_statistics(self._model.generators[name], measure, self._inputs_of(name))

    def _inputs_of(self, name: str) -> Iterator[tuple[tf.Tensor, ...]]:
        """The inputs of one generator, for each batch that has its streams."""
        for number, batch in enumerate(self._statistics_batches):
            some = {stream: to_input(values) for stream, values in batch.items()}
            if self._model.noise_size:
                shape = (len(next(iter(some.values()))), self._model.noise_size)
                some["noise"] = tf.random.stateless_normal(shape, [number, _NOISE_SEED])
            inputs = self._model.generator_inputs(some)
            if name in inputs:
                yield tuple(inputs[name].values())

    def make(self) -> np.ndarray:
        """The current grid, uint8 [height, width, 3]: one row per entry of the sample."""
        rows = {
            self._label(name): images.numpy() for name, images in self._sample(self._inputs).items()
        }
        return pixels.draw_grid(rows)

    def _label(self, name: str) -> str:
        """ "fake_b" -> "fake shoes"."""
        kind, _, stream = name.rpartition("_")
        return f"{kind} {self._names.get(stream, stream)}".strip()


def _statistics_batches(training: dict) -> list[dict[str, np.ndarray]]:
    """Batches of evenly spaced images: stream -> uint8 [batch, size, size, 3].

    All are full, except the only batch of a small domain. Later batches lack the smaller domains.
    """
    batches = [{} for _ in range(_STATISTICS_BATCHES)]
    for stream, images in training.items():
        some = evenly_spaced(images, _STATISTICS_BATCHES * _STATISTICS_BATCH_SIZE)
        count = max(1, len(some) // _STATISTICS_BATCH_SIZE)
        size = len(some) if count == 1 else _STATISTICS_BATCH_SIZE
        for index in range(count):
            batches[index][stream] = some[index * size : (index + 1) * size]
    return [batch for batch in batches if batch]
