"""Schedules of a step: which side learns from which batch, learning rate, loss weights."""

from collections.abc import Callable

import tensorflow as tf

from discogan_tf.config import Config

GENERATOR, DISCRIMINATOR = "generator", "discriminator"

# For each batch of a step, the sides that learn from it.
UpdateSchedule = tuple[tuple[str, ...], ...]


def update_schedule(config: Config) -> UpdateSchedule:
    """The updates of one step.

    The chapter updates both sides on one batch and the generators once more on a fresh one. The
    authors' code has batches for the discriminators alone: one, and then two for the generators.
    """
    generators = ((GENERATOR,),) * config.generator_updates_per_step
    if config.separate_discriminator_batch:
        return ((DISCRIMINATOR,), *generators)
    return ((DISCRIMINATOR, GENERATOR), *generators[1:])


def learning_rate_schedule(config: Config) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from the number of a step, scalar int64 from 1 on, to its learning rate, float32.

    With `learning_rate_hold_steps` it is full for that many steps and then falls as 1 / step, which
    is the same for runs of every length (Robbins and Monro 1951). With `learning_rate_decay_steps`
    it also falls linearly to 0 over the last steps of the run, as in CycleGAN (Zhu et al. 2017,
    section 4). The last step has the smallest rate above 0. With `learning_rate_halving_steps` it
    is halved again and again, as in StackGAN (Zhang et al. 2017, arXiv 1612.03242, section 4.3).
    """
    hold_steps, decay_steps = config.learning_rate_hold_steps, config.learning_rate_decay_steps
    halving_steps = config.learning_rate_halving_steps

    def learning_rate(step):
        rate = tf.constant(config.learning_rate, tf.float32)
        if hold_steps:
            rate *= tf.minimum(1.0, hold_steps / tf.cast(step, tf.float32))
        if decay_steps:
            remaining = tf.cast(config.num_steps - tf.cast(step, tf.int64) + 1, tf.float32)
            rate *= tf.minimum(1.0, remaining / (decay_steps + 1))
        if halving_steps:
            times = (tf.cast(step, tf.int64) - 1) // halving_steps
            rate *= tf.pow(0.5, tf.cast(times, tf.float32))
        return rate

    return learning_rate


def step_policies(config: Config, model) -> dict:
    """The schedules of a run as arguments of `create_step`.

    Args:
      config: The run's settings.
      model: A model of `MODELS`, whose losses are weighted.
    """
    return {
        "updates": update_schedule(config),
        "learning_rate": learning_rate_schedule(config),
        "loss_weights": model.loss_weights,
        "xla": config.xla,
    }
