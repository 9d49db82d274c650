"""Discriminators: picture in, one logit out, and the features on the way."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, Dense
from discogan_tf.networks.strided import create_strided, flattened, run_strided

# The chapter's sizes.
_FILTERS = (32, 64, 128, 256, 512)
_FEATURES = 512


class Discriminator(keras.Model):
    """The chapter's discriminator: five strided convolutions and two fully connected layers.

    Images [batch, size, size, 3] in [0, 1], in the dtype to compute in, to logits [batch], float32:
    positive for pictures taken for real; and to the features after the second, third and fourth
    convolution, [batch, h, w, c] each, in the dtype of the images. `size` is a multiple of 32 and the same
    in every call.
    """

    def __init__(self, name: str = "discriminator"):
        super().__init__(name=name, autocast=False)
        self.convs, self.conv_norms = create_strided(_FILTERS, "conv")
        self.features = Dense(_FEATURES, use_bias=False, name="features")
        self.features_norm = BatchNorm("features_norm")
        self.to_logit = Dense(1, use_bias=True, name="to_logit")

    def call(self, images, training=False):
        outputs = run_strided(images, self.convs, self.conv_norms, training)
        x = flattened(outputs[-1])
        x = tf.nn.leaky_relu(self.features_norm(self.features(x), training=training), 0.2)
        # Differs from the chapter, which ends in a sigmoid and feeds it to a loss that wants logits.
        return tf.cast(tf.squeeze(self.to_logit(x), axis=1), tf.float32), outputs[1:4]
