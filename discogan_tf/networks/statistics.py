"""Precise batch norm: batch-norm statistics re-estimated on training images.

Moving averages lag behind the weights. Statistics measured with the current weights do not (Wu and
Johnson 2021, arXiv 2105.07576, section 3).
"""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import BatchNorm, BatchRenorm


def statistics_function(network: keras.Model):
    """A compiled function that measures the statistics of each batch norm layer of `network`.

    It takes the network's inputs for one batch, normalizes every layer with that batch, as training
    does, and returns {path of a layer: (mean, variance)}. Running averages become those of that
    batch; nothing else is changed.
    """
    norms = _norms(network)
    running = [norm for norm in norms.values() if isinstance(norm, BatchRenorm)]
    mode = {"update_statistics": True} if running else {}

    @tf.function
    def measure(*inputs):
        for norm in running:
            norm.reset()
        network(*inputs, training=True, **mode)
        return {path: norm.batch_statistics for path, norm in norms.items()}

    return measure


def has_statistics(network: keras.Model) -> bool:
    """Whether `network` normalizes with statistics of training images outside training mode."""
    return bool(_norms(network))


def has_running_statistics(network: keras.Model) -> bool:
    """Whether training maintains the statistics that `network` has outside training mode."""
    return any(isinstance(norm, BatchRenorm) for norm in _norms(network).values())


def reestimate_statistics(network: keras.Model, measure, batches) -> None:
    """Sets the mean and variance of every batch norm layer to those of all `batches` combined.

    All batches have equal weight, so they should be equally large. The variance of the whole is the
    mean of the batches' variances plus the variance of their means.

    Args:
      network: The network whose layers are set.
      measure: The result of `statistics_function(network)`, which the caller keeps: it is compiled.
      batches: The network's inputs for each batch, a tuple of tensors each.
    """
    norms = _norms(network)
    if not norms:
        return
    measured = [measure(*inputs) for inputs in batches]
    for path, norm in norms.items():
        means = tf.stack([statistics[path][0] for statistics in measured])
        variances = tf.stack([statistics[path][1] for statistics in measured])
        norm.mean.assign(tf.reduce_mean(means, 0))
        norm.variance.assign(tf.reduce_mean(variances, 0) + tf.math.reduce_variance(means, 0))
        if isinstance(norm, BatchRenorm):
            norm.end_warm_up()


def _norms(network: keras.Model) -> dict[str, BatchNorm]:
    """By path, of the layers that learn: a frozen network within this one keeps its statistics."""
    return {
        path: layer
        for path, layer in named_layers(network).items()
        if isinstance(layer, BatchNorm) and layer.trainable
    }
