"""One training step: losses -> weighted sums -> gradients -> optimizers. Only it knows gradients."""

import keras
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.training import schedules
from discogan_tf.training.adam import Adam

# Before a network's name, in what a step reports.
GRADIENT_NORM = "gradient_norm_"


def create_optimizers(model, config: Config) -> dict[str, keras.optimizers.Optimizer]:
    """Adam for each side, its slots built: under a strategy they cannot be made within a step.

    Differs from the chapter, which leaves beta_1 at 0.9: 0.5 by default, as in the paper's code.
    """
    optimizers = {}
    for side, variables in _variables(model).items():
        optimizer = Adam(
            config.learning_rate, config.beta_1, name=f"adam_{side}", weight_share=config.weight_decay
        )
        if config.precision == "float16":
            # Small gradients vanish in float16's range unless the loss is scaled up.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name=f"loss_scale_{side}")
        optimizer.build(variables)
        optimizers[side] = optimizer
    return optimizers


def create_step(model, optimizers, config: Config, strategy: tf.distribute.Strategy, make_batches=None):
    """The compiled step.

    Args:
      model: A model of `MODELS`.
      optimizers: What `create_optimizers` gave.
      config: The run's settings.
      strategy: Where the step runs.
      make_batches: What makes the batches from what the step gets, if that is not the batches themselves
        (see `Feed`).

    Returns:
      A function of one element of `Feed.elements` and the step's number, from 1 on. It gives, of the first
      of the step's batches that a side learns from: float32 scalars by name, the unweighted losses of both
      sides and the weighted `generator_total` and `discriminator_total`, each the mean over the replicas;
      and `gradient_norm_NETWORK`, added up over the step's updates, which is not finite where any gradient
      of the network is not.
    """
    variables = _variables(model)
    losses_of = {
        schedules.GENERATOR: model.generator_losses,
        schedules.DISCRIMINATOR: model.discriminator_losses,
    }

    def gradients_of(batch, number, sides) -> tuple[dict, dict]:
        """Losses, and the gradients of each side's variables."""
        reported, objectives = {}, {}
        with tf.GradientTape(persistent=True) as tape:
            tensors = model.forward(batch)
            for side in sides:
                losses = losses_of[side](tensors)
                weighted = [schedules.loss_weight(config, k, number) * v for k, v in losses.items()]
                total = _sum(weighted)
                # The optimizers add up the replicas' gradients, and the loss is their mean.
                objectives[side] = optimizers[side].scale_loss(total / strategy.num_replicas_in_sync)
                reported |= losses | {f"{side}_total": total}
        # Differs from the chapter, whose generators meet discriminators updated a moment before: all
        # gradients come before any update, which lets both sides share the passes of `forward`.
        return reported, {side: tape.gradient(objectives[side], variables[side]) for side in sides}

    if config.xla:
        gradients_of = tf.function(gradients_of, jit_compile=True)

    def update(batch, number, sides) -> dict[str, tf.Tensor]:
        reported, gradients = gradients_of(batch, number, sides)
        if config.precision != "float16":  # Whose loss scaling expects gradients that are not finite.
            reported |= _gradient_norms(model, variables, gradients)
        for side in sides:
            optimizers[side].apply(gradients[side], variables[side])
        return reported

    def replica_step(batches, number) -> dict[str, tf.Tensor]:
        batches = make_batches(batches) if make_batches else batches
        reported = [
            update(batch, number, sides)
            for batch, sides in zip(batches, schedules.updates(config), strict=True)
        ]
        first = {name: value for update in reversed(reported) for name, value in update.items()}
        norms = {name for name in first if name.startswith(GRADIENT_NORM)}
        return first | {
            name: _sum([update[name] for update in reported if name in update]) for name in norms
        }

    @tf.function
    def step(element, number=1) -> dict[str, tf.Tensor]:
        losses = strategy.run(replica_step, args=(element, number))
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, loss, axis=None)
            for name, loss in losses.items()
        }

    return step


def _sum(scalars: list[tf.Tensor]) -> tf.Tensor:
    """Their sum, always in this order: TensorFlow makes one operation of several additions, and adds up
    more than two terms as they come, which differs from run to run in the last bit."""
    return tf.reduce_sum(tf.stack(scalars))


def _gradient_norms(model, variables: dict, gradients: dict) -> dict[str, tf.Tensor]:
    """The norm of each network's gradients, of the sides that there are gradients of."""
    by_variable = {
        id(variable): gradient
        for side in gradients
        for variable, gradient in zip(variables[side], gradients[side], strict=True)
    }
    return {
        GRADIENT_NORM + network.name: tf.linalg.global_norm(
            [by_variable[id(variable)] for variable in network.trainable_variables]
        )
        for network in (*model.generators.values(), *model.discriminators.values())
        if id(network.trainable_variables[0]) in by_variable
    }


def _variables(model) -> dict[str, list]:
    """The trainable variables of each side."""
    return {
        side: [v for network in networks.values() for v in network.trainable_variables]
        for side, networks in (
            (schedules.GENERATOR, model.generators),
            (schedules.DISCRIMINATOR, model.discriminators),
        )
    }
