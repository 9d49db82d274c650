"""The chapter's generator and discriminator."""

import keras
import tensorflow as tf

from discogan_tf.images import to_signed
from discogan_tf.networks.layers import (
    Conv,
    Dense,
    flatten,
    run_strided_convs,
    strided_convs,
)
from discogan_tf.networks.normalization import DISCRIMINATOR_NORMALIZATIONS, NORMALIZATIONS

# Differs from the chapter, where this bias starts at 0 under a ReLU. The untrained generator
# outputs this logit where no feature is active: dark, as with the chapter's ReLU. With bias 0, a
# middle gray, every feature first learns to brighten, because most pixels are white. After hundreds
# of steps images still contain only white and gray.
_DARK = -2.0


class Generator(keras.Model):
    """The chapter's generator: four strided convolutions, then four depth-to-space upsamplings.

    Images [batch, size, size, 3] in [0, 1], in the dtype to compute in, to images of the same shape
    in [0, 1], always float32. `size` is a multiple of 16. With 32 base filters, an image of 64
    pixels passes through 32x32x32, 16x16x64, 8x8x128, 4x4x256 and 8x8x128, 16x16x64, 32x32x32,
    64x64x16.

    Args:
      name: Of the network.
      base_filters: Channels after the first convolution, an even number; the chapter's are 32.
      conv_implementation: As for `layers.Conv`.
      normalization: A key of `NORMALIZATIONS`; the chapter's is "batch".
    """

    def __init__(
        self,
        name: str = "generator",
        base_filters: int = 32,
        conv_implementation: str = "auto",
        normalization: str = "batch",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "base_filters": base_filters,
            "conv_implementation": conv_implementation,
            "normalization": normalization,
        }
        norm = NORMALIZATIONS[normalization]
        down = tuple(base_filters * factor for factor in (1, 2, 4, 8))
        up = (4 * base_filters, 2 * base_filters, base_filters, base_filters // 2)
        self.encoder, self.encoder_norms = strided_convs(
            down, "encode", conv_implementation, norm=norm
        )
        self.decoder = [
            Conv(4 * filters, 1, False, f"decode_{number}", conv_implementation)
            for number, filters in enumerate(up, 1)
        ]
        self.decoder_norms = [norm(f"decode_{number}_norm") for number, _ in enumerate(up, 1)]
        self.to_image = Conv(3, 1, True, "to_image", conv_implementation, initial_bias=_DARK)

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False, update_statistics=False):
        mode = {"training": training, "update_statistics": update_statistics}
        x = run_strided_convs(images, self.encoder, self.encoder_norms, **mode)[-1]
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            # Differs from the chapter: its printed code upsamples by tf.reshape, which scrambles
            # space.
            x = tf.nn.depth_to_space(tf.nn.relu(norm(conv(x), **mode)), 2)
        # Differs from the chapter, whose last activation is a ReLU: colors above 1 wrapped around.
        return tf.sigmoid(tf.cast(self.to_image(x), tf.float32))


class Discriminator(keras.Model):
    """The chapter's discriminator: five strided convolutions and two fully connected layers.

    Images [batch, size, size, 3] in [0, 1], in the dtype to compute in, to logits, float32 [batch]:
    positive for images classified as real; and to the features after the second, third and fourth
    convolution, [batch, h, w, c] each, in the dtype of the images. `size` is a multiple of 32 and
    the same in every call.

    Args:
      name, base_filters, conv_implementation: As for `Generator`.
      normalization: A key of `DISCRIMINATOR_NORMALIZATIONS`; the chapter's is "batch".
    """

    def __init__(
        self,
        name: str = "discriminator",
        base_filters: int = 32,
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
        spectral = norm is None
        filters = tuple(base_filters * factor for factor in (1, 2, 4, 8, 16))
        self.convs, self.conv_norms = strided_convs(filters, "conv", conv_implementation, norm=norm)
        self.features = Dense(16 * base_filters, spectral, "features", spectral=spectral)
        self.features_norm = None if spectral else norm("features_norm")
        self.to_logit = Dense(1, use_bias=True, name="to_logit", spectral=spectral)

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False):
        # Spectral norm bounds how fast the logits change with what the first layer sees. In [-1, 1]
        # they may change twice as fast with the images.
        x = images if self.features_norm else to_signed(images)
        features = run_strided_convs(x, self.convs, self.conv_norms, training=training)
        x = self.features(flatten(features[-1]), training=training)
        if self.features_norm:
            x = self.features_norm(x, training=training)
        logits = tf.squeeze(self.to_logit(tf.nn.leaky_relu(x, 0.2), training=training), axis=1)
        # Differs from the chapter, which ends in a sigmoid and feeds it to a loss that takes
        # logits.
        return tf.cast(logits, tf.float32), features[1:4]
