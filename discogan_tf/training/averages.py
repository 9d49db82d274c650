"""Averages of the generators' weights over the steps of training, which wander less than they do."""

import tensorflow as tf


class WeightAverages:
    """Exponential moving averages of a model's generators, in the generators of another.

    Single checkpoints of such networks oscillate: colours come and go within a few hundred steps. The
    average of weights over the last steps, w <- decay * w + (1 - decay) * w_step, does not (Yazici et
    al. 2019, arXiv 1806.04498). At first it forgets faster, for the weights it starts from mean
    nothing: in step t the decay is at most (1 + t) / (10 + t).

    Args:
      model: The model that trains.
      averaged: One of the same kind, whose generators become the averages.
      decay: In (0, 1); once it is reached, about 1 / (1 - decay) steps count, and before that about a
        ninth of all steps so far.
    """

    def __init__(self, model, averaged, decay: float):
        pairs = [
            (average.value, variable.value)
            for name, network in averaged.generators.items()
            for average, variable in zip(
                network.trainable_variables, model.generators[name].trainable_variables, strict=True
            )
        ]
        for average, variable in pairs:
            average.assign(variable)

        @tf.function
        def update(step):
            step = tf.cast(step, tf.float32)
            share = 1 - tf.minimum(decay, (1 + step) / (10 + step))
            for average, variable in pairs:
                average.assign(average + share * (variable - average))

        self._update = update

    def update(self, step: tf.Tensor) -> None:
        """Takes the weights after `step`, scalar int64, into the averages."""
        self._update(step)
