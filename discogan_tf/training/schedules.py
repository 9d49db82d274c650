"""How the weights of the losses and the choice of side change with the step. The only place."""

import tensorflow as tf

from discogan_tf.config import Config

GENERATOR, DISCRIMINATOR = "generator", "discriminator"


# Loss names begin with these.
_ADVERSARIAL, _FEATURES, _RECONSTRUCTION = "adversarial_", "feature_matching_", "reconstruction_"


def updates(config: Config) -> tuple[tuple[str, ...], ...]:
    """The updates of one step: for each of its batches, the sides that learn from it.

    The chapter updates both sides on one batch and the generators once more on a fresh one. The authors'
    code has batches for the discriminators alone: one, and then two for the generators.
    """
    generators = ((GENERATOR,),) * config.generator_updates_per_step
    if config.discriminators_apart:
        return ((DISCRIMINATOR,), *generators)
    return ((DISCRIMINATOR, GENERATOR), *generators[1:])


def loss_weight(config: Config, name: str, step: tf.Tensor) -> tf.Tensor:
    """What the loss `name` counts in its side's total at a step: float32 scalar.

    The chapter's totals are plain sums. In the authors' code the generators' is
    (1 - r) * (0.1 * adversarial + 0.9 * feature matching) + r * reconstruction, with r small at first.

    Args:
      config: The run's settings.
      name: Of a loss.
      step: Number of the step, from 1 on; scalar int64.
    """
    weights = {
        _ADVERSARIAL: config.adversarial_weight,
        _FEATURES: config.feature_matching_weight,
        _RECONSTRUCTION: config.reconstruction_weight,
        f"{DISCRIMINATOR}_": config.discriminator_weight,
    }
    kind = next(prefix for prefix in weights if name.startswith(prefix))
    weight = tf.constant(weights[kind])
    if not config.reconstruction_rate or kind == f"{DISCRIMINATOR}_":
        return weight
    early = tf.cast(step, tf.int64) <= config.early_steps
    rate = tf.where(early, config.early_reconstruction_rate, config.reconstruction_rate)
    return weight * (rate if kind == _RECONSTRUCTION else 1 - rate)
