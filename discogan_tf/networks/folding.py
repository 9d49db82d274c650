"""Batch norm folded into the layers before it, for networks that train no more."""

import keras
import numpy as np

from discogan_tf.networks.layers import EPSILON, BatchNorm


def fold(network: keras.Model) -> keras.Model:
    """A copy of `network` that computes the same outside training mode, with less work.

    Outside training, batch norm is one multiplication and one addition for each channel, both
    known. With factor = scale / sqrt(variance + epsilon), it turns a linear layer's

        x * kernel    into    x * (kernel * factor) + (offset - mean * factor)

    and that is again a linear layer, with a bias. Every batch norm layer stands behind the layer
    whose name it bears: `conv_2_norm` behind `conv_2`.

    The copy has no variables: its weights are constants of whatever graph it is traced into, where
    TensorFlow can arrange them once for the processor instead of at each call.

    Args:
      network: A network of `generators.py` or `discriminators.py`, built.

    Returns:
      The copy. What its training mode gives means nothing.
    """
    copy = type(network)(network.name)
    sources = {layer.name: layer for layer in network.layers}
    for layer in copy.layers:
        if isinstance(layer, BatchNorm):
            layer.folded = True
            continue
        layer.kernel, layer.bias = _folded_weights(sources[layer.name], sources.get(f"{layer.name}_norm"))
        layer.use_bias = layer.bias is not None
        layer.built = True  # Or Keras would make variables in their place.
    return copy


def _folded_weights(layer, norm: BatchNorm | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Kernel and bias, float32, that do the work of a linear layer and the batch norm behind it."""
    kernel = layer.kernel.numpy().astype(np.float64)
    bias = layer.bias.numpy().astype(np.float64) if layer.use_bias else None
    if norm is not None:
        scale, offset, mean, variance = (
            value.numpy().astype(np.float64)
            for value in (norm.scale, norm.offset, norm.mean, norm.variance)
        )
        factor = scale / np.sqrt(variance + EPSILON)
        kernel, bias = kernel * factor, offset + ((0.0 if bias is None else bias) - mean) * factor
    return kernel.astype(np.float32), None if bias is None else bias.astype(np.float32)
