"""Exponential moving average (EMA) of the generators' weights."""

import tensorflow as tf


class ExponentialMovingAverage:
    """EMA of a model's generators, kept in the generators of another model.

    Single checkpoints of such networks oscillate: colors come and go within a few hundred steps.
    The average of the weights over the last steps, w <- decay * w + (1 - decay) * w_step, does not
    (Yazici et al. 2019, arXiv 1806.04498). At first the decay is smaller (warm-up),
    because the initial weights are random: in step t it is at most (1 + t) / (10 + t).

    Args:
      model: The model that trains.
      ema_model: One of the same kind, whose generators become the EMA.
      decay: In (0, 1). The EMA averages over about 1 / (1 - decay) steps; during warm-up over about
        a ninth of the steps so far.
    """

    def __init__(self, model, ema_model, decay: float):
        pairs = [
            (average.value, variable.value)
            for name, network in ema_model.generators.items()
            for average, variable in zip(
                network.trainable_variables, model.generators[name].trainable_variables, strict=True
            )
        ]
        for average, variable in pairs:
            average.assign(variable)

        @tf.function
        def update(step):
            step = tf.cast(step, tf.float32)
            rate = 1 - tf.minimum(decay, (1 + step) / (10 + step))
            for average, variable in pairs:
                average.assign(average + rate * (variable - average))

        self._update = update

    def update(self, step: tf.Tensor) -> None:
        """Updates the EMA with the weights after `step`, scalar int64."""
        self._update(step)
