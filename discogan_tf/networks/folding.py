"""Batch norm folded into the preceding layers, for inference."""

import keras

from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import BatchNorm


def fold(network: keras.Model) -> keras.Model:
    """A copy of `network` that computes the same outside training mode, with less work.

    Each layer with variables implements `fold` (see `layers.py`). The batch norm after a layer
    `NAME` is named `NAME_norm` and has the same parent. Instance norm depends on
    the image, and stays.

    The copy has no variables: its weights are constants of whatever graph it is traced into, where
    TensorFlow arranges them for the processor once instead of at each call. Its convolutions are
    plain.

    Args:
      network: A network with `get_config`, built.

    Returns:
      The copy. It has no training mode.

    Raises:
      TypeError: if a layer has variables of its own and no method `fold`.
    """
    config = network.get_config()
    if "conv_implementation" in config:
        config["conv_implementation"] = "plain"
    copy = type(network)(**config)
    sources = named_layers(network)
    for path, layer in named_layers(copy).items():
        if hasattr(layer, "fold"):
            norm = sources.get(f"{path}_norm")
            layer.fold(sources[path], norm if isinstance(norm, BatchNorm) else None)
        elif len(sources[path]._trainable_variables) + len(sources[path]._non_trainable_variables):
            raise TypeError(
                f"{network.name}: the layer {path} has no method fold, so the network cannot be "
                "exported"
            )
    return copy
