"""Inner training loop: several steps per execution of TensorFlow, without Python between them."""

from typing import NamedTuple

import tensorflow as tf


class StepMetrics(NamedTuple):
    """Metrics of the steps of one execution; they may still be on the device.

    Attributes:
      first_step: Number of the first step.
      names: Of losses and gradient norms.
      values: float32 [steps, names].
    """

    first_step: int
    names: list[str]
    values: tf.Tensor


def create_train_loop(step, strategy: tf.distribute.Strategy, ema=None):
    """A function that takes several steps in one call.

    Args:
      step: The result of `create_step`.
      strategy: Where it runs.
      ema: The `ExponentialMovingAverage` to update after each step, if there is one.

    Returns:
      A function of `DistributedInput.elements`, the number of the first step and the number of
      steps, which returns `StepMetrics`. Results are bitwise identical for any number of steps per
      call.
    """
    names = []

    @tf.function
    def run(elements, first_step, count):
        values = tf.TensorArray(tf.float32, size=count)
        for index in tf.range(count):
            # One at a time: steps change variables in their order.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            number = first_step + tf.cast(index, tf.int64)
            metrics = step(next(elements), number)
            if ema is not None:
                with strategy.scope():
                    ema.update(number)
            names[:] = metrics
            values = values.write(index, tf.stack(list(metrics.values())))
        return values.stack()

    def train_loop(elements, first_step: int, count: int) -> StepMetrics:
        values = run(elements, tf.constant(first_step, tf.int64), tf.constant(count))
        return StepMetrics(first_step, names, values)

    return train_loop
