"""Discriminators: picture in, one logit out, and the features on the way."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, Conv, Dense

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
        self.convs = [
            Conv(filters, 2, use_bias=index == 0, name=f"conv_{index + 1}")
            for index, filters in enumerate(_FILTERS)
        ]
        self.conv_norms = [BatchNorm(f"conv_{index + 1}_norm") for index in range(1, len(_FILTERS))]
        self.features = Dense(_FEATURES, use_bias=False, name="features")
        self.features_norm = BatchNorm("features_norm")
        self.to_logit = Dense(1, use_bias=True, name="to_logit")

    def call(self, images, training=False):
        x = tf.nn.leaky_relu(self.convs[0](images), 0.2)
        features = []
        for conv, norm in zip(self.convs[1:], self.conv_norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=training), 0.2)
            features.append(x)
        x = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        x = tf.nn.leaky_relu(self.features_norm(self.features(x), training=training), 0.2)
        # Differs from the chapter, which ends in a sigmoid and feeds it to a loss that wants logits.
        return tf.cast(tf.squeeze(self.to_logit(x), axis=1), tf.float32), features[:3]
