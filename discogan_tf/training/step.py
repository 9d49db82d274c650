"""One training step: losses -> weighted sums -> gradients -> optimizers."""

from collections.abc import Callable

import keras
import tensorflow as tf

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError
from discogan_tf.training.optimizer import Adam
from discogan_tf.training.schedules import DISCRIMINATOR, GENERATOR, UpdateSchedule

# Prefix of the gradient norms among the metrics of a step.
GRADIENT_NORM = "gradient_norm_"


def create_optimizers(model, config: Config) -> dict[str, keras.optimizers.Optimizer]:
    """Adam for each side, with its slots built: under a strategy they cannot be made within a step.

    Differs from the chapter, which leaves beta_1 at 0.9, and from the paper's code, which has 0.5:
    no momentum by default, as Gulrajani et al. 2017 (algorithm 1) train discriminators whose
    gradients are bounded.
    """
    optimizers = {}
    for side, variables in _trainable_variables(model).items():
        optimizer = Adam(
            config.learning_rate, config.beta_1, name=f"adam_{side}", l2_weight=config.weight_decay
        )
        if config.precision == "float16":
            # Small gradients vanish in float16's range unless the loss is scaled up.
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, name=f"loss_scale_{side}")
        optimizer.build(variables)
        optimizers[side] = optimizer
    return optimizers


def create_step(
    model,
    optimizers: dict[str, keras.optimizers.Optimizer],
    strategy: tf.distribute.Strategy,
    updates: UpdateSchedule,
    learning_rate: Callable[[tf.Tensor], tf.Tensor],
    loss_weights: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    make_batches: Callable | None = None,
    xla: bool = False,
):
    """Creates the compiled training step.

    Args:
      model: A model of `MODELS`.
      optimizers: Of each side, as returned by `create_optimizers`.
      strategy: Where the step runs.
      updates: For each batch of the step, the sides that learn from it.
      learning_rate: Function that maps the number of a step to its learning rate.
      loss_weights: Function that maps the number of a step to the weight of each loss, by name.
      make_batches: Optional function that makes the batches from an input element (see
        `DistributedInput`).
      xla: Whether losses and gradients are compiled with XLA.

    Returns:
      A function of one element of `DistributedInput.elements` and the step's number, from 1 on. It
      returns float32 scalars by name, averaged over replicas, from the first batch that updates the
      side: the unweighted losses, the weighted `generator_total` and
      `discriminator_total`; and `gradient_norm_NETWORK`, summed over the step's updates, which is
      not finite if any gradient of the network is not.

    Raises:
      ConfigError: when called, if the model gives a loss no weight.
    """
    variables = _trainable_variables(model)
    losses_of = {
        GENERATOR: model.generator_losses,
        DISCRIMINATOR: model.discriminator_losses,
    }
    # Loss scaling of float16 expects gradients that are not finite, and leaves such steps out.
    scales_loss = any(
        isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        for optimizer in optimizers.values()
    )

    def compute_gradients(batch, number, sides) -> tuple[dict, dict]:
        """Losses, and the gradients of each side's variables."""
        metrics, objectives = {}, {}
        weights = loss_weights(number)
        with tf.GradientTape(persistent=True) as tape:
            tensors = model.forward(batch, number)
            for side in sides:
                losses = losses_of[side](tensors)
                weighted = _weighted(losses, weights)
                # Keras optimizers add up the replicas' gradients, and the loss is their mean.
                objectives[side] = [
                    optimizers[side].scale_loss(_sum(terms) / strategy.num_replicas_in_sync)
                    for terms in _grouped(weighted, model.separate_losses)
                ]
                metrics |= losses | {f"{side}_total": _sum(list(weighted.values()))}
        # Differs from the chapter, whose generators use discriminators that were just updated: all
        # gradients are taken before any update, so that both sides share the passes of `forward`.
        return metrics, {
            side: _added([tape.gradient(objective, variables[side]) for objective in found])
            for side, found in objectives.items()
        }

    if xla:
        compute_gradients = tf.function(compute_gradients, jit_compile=True)

    def update(batch, number, sides) -> dict[str, tf.Tensor]:
        metrics, gradients = compute_gradients(batch, number, sides)
        if not scales_loss:
            metrics |= _gradient_norms(model, variables, gradients)
        for side in sides:
            optimizers[side].apply(gradients[side], variables[side])
        return metrics

    def replica_step(batches, number) -> dict[str, tf.Tensor]:
        batches = make_batches(batches) if make_batches else batches
        metrics = [
            update(batch, number, [side for side in sides if side in variables])
            for batch, sides in zip(batches, updates, strict=True)
        ]
        first = {name: value for update in reversed(metrics) for name, value in update.items()}
        norms = {name for name in first if name.startswith(GRADIENT_NORM)}
        return first | {
            name: _sum([update[name] for update in metrics if name in update]) for name in norms
        }

    @tf.function
    def step(element, number=1) -> dict[str, tf.Tensor]:
        for optimizer in optimizers.values():
            optimizer.learning_rate = learning_rate(number)
        metrics = strategy.run(replica_step, args=(element, number))
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in metrics.items()
        }

    return step


def _weighted(losses: dict[str, tf.Tensor], weights: dict[str, tf.Tensor]) -> dict:
    if missing := losses.keys() - weights.keys():
        raise ConfigError(
            f"the model gives these losses no weight: {', '.join(sorted(missing))}. "
            "Add them to its loss_weights"
        )
    return {name: weights[name] * loss for name, loss in losses.items()}


def _grouped(weighted: dict[str, tf.Tensor], separate: frozenset[str]) -> list[list[tf.Tensor]]:
    """The losses that share passes, and those that do not, if there are any."""
    shared = [loss for name, loss in weighted.items() if name not in separate]
    others = [loss for name, loss in weighted.items() if name in separate]
    return [group for group in (shared, others) if group]


def _added(gradients: list[list[tf.Tensor]]) -> list[tf.Tensor]:
    """Sums of the gradients of each variable, always in this order."""
    total, *others = gradients
    for other in others:
        # TensorFlow would merge a sum of sums into one, in an order that varies.
        total = [
            tf.ensure_shape(one, one.shape) + tf.ensure_shape(two, two.shape)
            for one, two in zip(total, other, strict=True)
        ]
    return total


def _sum(scalars: list[tf.Tensor]) -> tf.Tensor:
    """Their sum, always in this order.

    TensorFlow merges several additions into one operation that adds more than two terms in an order
    that varies, so the last bit would differ between runs.
    """
    return tf.reduce_sum(tf.stack(scalars))


def _gradient_norms(model, variables: dict, gradients: dict) -> dict[str, tf.Tensor]:
    """The norm of each network's gradients, of the sides that have gradients."""
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


def _trainable_variables(model) -> dict[str, list]:
    """The trainable variables of each side that has networks."""
    return {
        side: [v for network in networks.values() for v in network.trainable_variables]
        for side, networks in ((GENERATOR, model.generators), (DISCRIMINATOR, model.discriminators))
        if networks
    }
