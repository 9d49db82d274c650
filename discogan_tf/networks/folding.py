"""Batch norm folded into the layers before it, for networks that train no more."""

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.networks.layers import EPSILON, BatchNorm


def fold(network: keras.Model, image_shape: tuple[int, ...]) -> keras.Model:
    """A copy of `network` that computes the same outside training mode, with less work.

    Outside training, batch norm is one multiplication and one addition for each channel, both
    known. With factor = scale / sqrt(variance + epsilon), it turns a linear layer's

        x * kernel    into    x * (kernel * factor) + (offset - mean * factor)

    and that is again a linear layer, with a bias. Every batch norm layer stands behind the layer
    whose name it bears: `conv_2_norm` behind `conv_2`.

    Args:
      network: A network of `generators.py` or `discriminators.py`, built.
      image_shape: [size, size, 3], as it takes them.

    Returns:
      The copy, with variables of its own. What its training mode gives means nothing.
    """
    copy = type(network)(network.name)
    sources = {layer.name: layer for layer in network.layers}
    for layer in copy.layers:
        if isinstance(layer, BatchNorm):
            layer.folded = True
        else:
            layer.use_bias = layer.use_bias or f"{layer.name}_norm" in sources
    copy(tf.zeros((1, *image_shape)))
    for layer in copy.layers:
        if isinstance(layer, BatchNorm):
            continue
        source = sources[layer.name]
        kernel = source.kernel.numpy().astype(np.float64)
        bias = source.bias.numpy().astype(np.float64) if source.use_bias else 0.0
        norm = sources.get(f"{layer.name}_norm")
        if norm is not None:
            scale, offset, mean, variance = (
                value.numpy().astype(np.float64)
                for value in (norm.scale, norm.offset, norm.mean, norm.variance)
            )
            factor = scale / np.sqrt(variance + EPSILON)
            kernel, bias = kernel * factor, offset + (bias - mean) * factor
        layer.kernel.assign(kernel)
        if layer.use_bias:
            layer.bias.assign(bias)
    return copy
