"""Generators: picture in, picture of the same size out."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, Conv, EnlargingConv
from discogan_tf.networks.strided import create_strided, run_strided

# The chapter's sizes.
_ENCODER_FILTERS = (32, 64, 128, 256)
_DECODER_FILTERS = (128, 64, 32, 16)

# Differs from the chapter, where this bias starts at 0 under a ReLU.
# Where no feature speaks, the untrained generator draws this logit: dark, as the chapter's ReLU
# does. From 0, a middle grey, every feature first learns to brighten, for most of the pictures is
# white, and none is left to draw what is dark: hundreds of steps later all is still white or grey.
_DARK = -2.0


class Generator(keras.Model):
    """The chapter's generator: four strided convolutions down, four depth-to-space upsamplings up.

    Images [batch, size, size, 3] in [0, 1], in the dtype to compute in, to images of the same shape
    in [0, 1], always float32. `size` is a multiple of 16. At 64 pixels the picture passes through
    32x32x32, 16x16x64, 8x8x128, 4x4x256 and back through 8x8x128, 16x16x64, 32x32x32, 64x64x16.
    """

    def __init__(self, name: str = "generator"):
        super().__init__(name=name, autocast=False)
        self.encoder, self.encoder_norms = create_strided(_ENCODER_FILTERS, "encode")
        # Each but the first enlarges what it gets.
        # Differs from the chapter: its printed code enlarges by tf.reshape, which scrambles space.
        first, *others = (4 * filters for filters in _DECODER_FILTERS)
        self.decoder = [Conv(first, 1, use_bias=False, name="decode_1")] + [
            EnlargingConv(filters, use_bias=False, name=f"decode_{number}")
            for number, filters in enumerate(others, 2)
        ]
        self.decoder_norms = [
            BatchNorm(f"decode_{index + 1}_norm") for index in range(len(_DECODER_FILTERS))
        ]
        self.to_image = EnlargingConv(3, use_bias=True, name="to_image", initial_bias=_DARK)

    def call(self, images, training=False):
        x = run_strided(images, self.encoder, self.encoder_norms, training)[-1]
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x, training=training), training=training))
        # Differs from the chapter, whose last activation is a ReLU: colours above 1 wrapped around.
        return tf.sigmoid(tf.cast(self.to_image(x, training=training), tf.float32))
