"""Several steps in one call, with Python out of the way between them."""

from typing import NamedTuple

import tensorflow as tf


class Reported(NamedTuple):
    """What the steps of a call reported; it may still be on the device.

    Attributes:
      first_step: Number of the first of them.
      names: Of losses and gradient norms.
      values: float32 [steps, names].
    """

    first_step: int
    names: list[str]
    values: tf.Tensor


def create_calls(step, strategy: tf.distribute.Strategy, averages=None):
    """What takes several steps in one call.

    Args:
      step: What `create_step` gave.
      strategy: Where it runs.
      averages: The `WeightAverages` to keep up with the weights, if there are any.

    Returns:
      A function of what `Feed.elements` gave, the number of the first step and how many
      steps to take, which gives a `Reported`. Steps give the same bits however many are in a call.
    """
    names = []

    @tf.function
    def run(elements, first_step, count):
        values = tf.TensorArray(tf.float32, size=count)
        for index in tf.range(count):
            # One after another: the order of what they do to variables is the order of the steps.
            tf.autograph.experimental.set_loop_options(parallel_iterations=1)
            number = first_step + tf.cast(index, tf.int64)
            losses = step(next(elements), number)
            if averages is not None:
                with strategy.scope():
                    averages.update(number)
            names[:] = losses
            values = values.write(index, tf.stack(list(losses.values())))
        return values.stack()

    def call(elements, first_step: int, count: int) -> Reported:
        values = run(elements, tf.constant(first_step, tf.int64), tf.constant(count))
        return Reported(first_step, names, values)

    return call
