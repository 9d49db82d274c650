"""The networks of the paper authors' code (Kim et al. 2017), for images of 64 pixels."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import (
    ConvTranspose,
    Dense,
    flatten,
    run_strided_convs,
    strided_convs,
)
from discogan_tf.networks.normalization import DISCRIMINATOR_NORMALIZATIONS, NORMALIZATIONS


def _filters(base_filters: int) -> tuple[int, ...]:
    return tuple(base_filters * factor for factor in (1, 2, 4, 8))


class PaperGenerator(keras.Model):
    """Five convolutions down to 100 numbers, and five transposed convolutions back up.

    Images [batch, 64, 64, 3] in [0, 1], in the dtype to compute in, to images of the same shape in
    [0, 1], always float32. The fifth convolution covers the remaining 4x4 feature map: it is a
    fully connected layer. No layer has a bias. In the authors' code the two layers of the
    bottleneck are an option ("extra layers").

    Args:
      name: Of the network.
      base_filters: Channels after the first convolution; the authors' are 64.
      bottleneck: Size of the code between encoder and decoder.
      conv_implementation: As for `layers.Conv`.
      normalization: A key of `NORMALIZATIONS`; the authors' is "batch".
    """

    def __init__(
        self,
        name: str = "generator",
        base_filters: int = 64,
        bottleneck: int = 100,
        conv_implementation: str = "auto",
        normalization: str = "batch",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "base_filters": base_filters,
            "bottleneck": bottleneck,
            "conv_implementation": conv_implementation,
            "normalization": normalization,
        }
        norm = NORMALIZATIONS[normalization]
        filters = _filters(base_filters)
        self.encoder, self.encoder_norms = strided_convs(
            filters, "encode", conv_implementation, first_bias=False, norm=norm
        )
        self.squeeze = Dense(bottleneck, use_bias=False, name="squeeze")
        self.squeeze_norm = norm("squeeze_norm")
        self.decoder = [
            ConvTranspose(count, 4 if number == 1 else 2, use_bias=False, name=f"decode_{number}")
            for number, count in enumerate(reversed(filters), 1)
        ]
        self.decoder_norms = [norm(f"decode_{number}_norm") for number, _ in enumerate(filters, 1)]
        self.to_image = ConvTranspose(3, 2, use_bias=False, name="to_image")

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False, update_statistics=False):
        mode = {"training": training, "update_statistics": update_statistics}
        x = flatten(run_strided_convs(images, self.encoder, self.encoder_norms, **mode)[-1])
        x = tf.nn.leaky_relu(self.squeeze_norm(self.squeeze(x), **mode), 0.2)
        x = x[:, tf.newaxis, tf.newaxis, :]
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), **mode))
        return tf.sigmoid(tf.cast(self.to_image(x), tf.float32))


class PaperDiscriminator(keras.Model):
    """Five convolutions, the last over the remaining 4x4 feature map.

    Images [batch, 64, 64, 3] in [0, 1], in the dtype to compute in, to logits, float32 [batch], and
    the features after the second, third and fourth convolution, as in `chapter.Discriminator`.

    Args:
      name, base_filters, conv_implementation: As for `PaperGenerator`.
      normalization: A key of `DISCRIMINATOR_NORMALIZATIONS`; the authors' is "batch".
    """

    def __init__(
        self,
        name: str = "discriminator",
        base_filters: int = 64,
        conv_implementation: str = "auto",
        normalization: str = "batch",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "base_filters": base_filters,
            "conv_implementation": conv_implementation,
            "normalization": normalization,
        }
        norm = DISCRIMINATOR_NORMALIZATIONS[normalization]
        self.convs, self.conv_norms = strided_convs(
            _filters(base_filters), "conv", conv_implementation, first_bias=False, norm=norm
        )
        self.to_logit = Dense(1, use_bias=False, name="to_logit", spectral=norm is None)

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False):
        features = run_strided_convs(images, self.convs, self.conv_norms, training=training)
        logits = tf.squeeze(self.to_logit(flatten(features[-1]), training=training), axis=1)
        return tf.cast(logits, tf.float32), features[1:]
