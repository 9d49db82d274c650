"""Whether the generator that is shown and exported is the function that trains."""

import numpy as np
import tensorflow as tf


def training_gaps(model, batch: dict[str, tf.Tensor]) -> dict[str, float]:
    """How far each generator in training mode is from the same weights outside it.

    In training a generator sees batches of three kinds: real inputs, translations to reconstruct,
    and images of its target domain. Batch norm computes another function for each of them, and
    losses on one kind say nothing about the others. A normalization with one set of statistics
    gives 0.

    Args:
      model: A model of `MODELS`.
      batch: Real data, as for its `generator_inputs`.

    Returns:
      Name of each translation whose inputs `batch` has -> mean absolute difference in [0, 1], of
      the kind of batch for which it is largest.
    """
    found = {}
    inputs = model.generator_inputs(batch)
    for name, source, target, inverse in model.translations:
        if name not in inputs:
            continue
        kinds = [tuple(inputs[name].values())]
        if source in batch and target in batch:
            kinds.append((batch[target],))
        if inverse and target in batch:
            kinds.append((model.generators[inverse](batch[target]),))
        found[name] = max(_gap(model.generators[name], kind) for kind in kinds)
    return found


def _gap(generator, inputs: tuple[tf.Tensor, ...]) -> float:
    in_training = generator(*inputs, training=True).numpy()
    return float(np.abs(in_training - generator(*inputs).numpy()).mean())
