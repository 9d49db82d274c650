"""How the weights of the losses and the choice of side change with the step. The only place."""

from discogan_tf.config import Config

GENERATOR, DISCRIMINATOR = "generator", "discriminator"


def updates(config: Config) -> tuple[tuple[str, ...], ...]:
    """The updates of one step: for each of its batches, the sides that learn from it.

    The chapter updates both sides on one batch and the generators once more on a fresh one.
    """
    more = config.generator_updates_per_step - 1
    return ((DISCRIMINATOR, GENERATOR),) + ((GENERATOR,),) * more


def loss_weight(config: Config, name: str) -> float:
    """What the loss `name` counts in its side's total.

    The chapter's totals are plain sums; `--reconstruction_weight` is 1 there.
    """
    return config.reconstruction_weight if name.startswith("reconstruction_") else 1.0
