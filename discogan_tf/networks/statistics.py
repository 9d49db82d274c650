"""Batch norm's statistics for use outside training, measured on training pictures."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import recorded_statistics


def statistics_function(network: keras.Model):
    """A compiled function that measures the statistics of each batch norm layer of `network`.

    It takes one batch of images, float32 [batch, size, size, 3] in [0, 1], normalizes every layer
    with that batch, as training does, and gives {layer path: (mean, variance)}. Nothing is changed.
    """

    @tf.function
    def measure(images):
        with recorded_statistics() as record:
            network(images, training=True)
        return {layer.path: (mean, variance) for layer, mean, variance in record}

    return measure


def recompute_statistics(network: keras.Model, measure, batches) -> None:
    """Sets the mean and variance of every batch norm layer to those of all `batches` together.

    The batches count alike, so they should be equally large. The variance of the whole is the mean
    of the batches' variances plus the variance of their means.

    Args:
      network: The network whose layers are set.
      measure: What `statistics_function(network)` gave; kept by the caller, for it is compiled.
      batches: Batches of images, float32 [batch, size, size, 3] in [0, 1].
    """
    measured = [measure(images) for images in batches]
    layers = {layer.path: layer for layer in network.layers}
    for path in measured[0]:
        means = tf.stack([statistics[path][0] for statistics in measured])
        variances = tf.stack([statistics[path][1] for statistics in measured])
        layers[path].mean.assign(tf.reduce_mean(means, 0))
        layers[path].variance.assign(tf.reduce_mean(variances, 0) + tf.math.reduce_variance(means, 0))
