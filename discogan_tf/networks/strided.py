"""The way down that all networks of pictures share: 4x4 convolutions with stride 2 and leaky ReLU."""

import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, Conv


def create_strided(filters: tuple[int, ...], name: str, first_bias: bool = True):
    """Convolutions, and the batch norm behind each but the first.

    Args:
      filters: Of each convolution.
      name: What the layers' names begin with.
      first_bias: Whether the first convolution, which has no batch norm behind it, has a bias.
    """
    convs = [
        Conv(count, 2, use_bias=first_bias and index == 0, name=f"{name}_{index + 1}")
        for index, count in enumerate(filters)
    ]
    return convs, [BatchNorm(f"{name}_{index + 1}_norm") for index in range(1, len(filters))]


def run_strided(x: tf.Tensor, convs: list[Conv], norms: list[BatchNorm], training: bool) -> list[tf.Tensor]:
    """What x, [batch, h, w, c], is behind each convolution: [batch, h/2, w/2, filters], and so on."""
    outputs = [tf.nn.leaky_relu(convs[0](x, training=training), 0.2)]
    for conv, norm in zip(convs[1:], norms, strict=True):
        x = norm(conv(outputs[-1], training=training), training=training)
        outputs.append(tf.nn.leaky_relu(x, 0.2))
    return outputs


def flattened(x: tf.Tensor) -> tf.Tensor:
    """[batch, h, w, c] -> [batch, h * w * c]."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
