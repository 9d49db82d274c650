"""The networks of the paper authors' code (Kim et al. 2017), for pictures of 64 pixels."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, Conv, ConvTranspose, Dense

_FILTERS = (64, 128, 256, 512)
# What the generator squeezes a picture through.
_BOTTLENECK = 100


class PaperGenerator(keras.Model):
    """Five convolutions down to 100 numbers, and five transposed convolutions back up.

    Images [batch, 64, 64, 3] in [0, 1], in the dtype to compute in, to images of the same shape in
    [0, 1], always float32. The fifth convolution covers all of the 4x4 places that are left: it is a
    fully connected layer. No layer has a bias. In their code the two layers of the bottleneck are an
    option ("extra layers").
    """

    def __init__(self, name: str = "generator"):
        super().__init__(name=name, autocast=False)
        self.encoder = [
            Conv(filters, 2, use_bias=False, name=f"encode_{index + 1}")
            for index, filters in enumerate(_FILTERS)
        ]
        self.encoder_norms = [BatchNorm(f"encode_{index + 1}_norm") for index in range(1, len(_FILTERS))]
        self.squeeze = Dense(_BOTTLENECK, use_bias=False, name="squeeze")
        self.squeeze_norm = BatchNorm("squeeze_norm")
        self.decoder = [
            ConvTranspose(filters, 4 if index == 0 else 2, use_bias=False, name=f"decode_{index + 1}")
            for index, filters in enumerate(reversed(_FILTERS))
        ]
        self.decoder_norms = [BatchNorm(f"decode_{index + 1}_norm") for index in range(len(_FILTERS))]
        self.to_image = ConvTranspose(3, 2, use_bias=False, name="to_image")

    def call(self, images, training=False):
        x = tf.nn.leaky_relu(self.encoder[0](images), 0.2)
        for conv, norm in zip(self.encoder[1:], self.encoder_norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=training), 0.2)
        x = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        x = tf.nn.leaky_relu(self.squeeze_norm(self.squeeze(x), training=training), 0.2)
        x = x[:, tf.newaxis, tf.newaxis, :]
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), training=training))
        return tf.sigmoid(tf.cast(self.to_image(x), tf.float32))


class PaperDiscriminator(keras.Model):
    """Five convolutions, the last over all of the 4x4 places that are left.

    Images [batch, 64, 64, 3] in [0, 1], in the dtype to compute in, to logits [batch] and features, as
    `Discriminator`.
    """

    def __init__(self, name: str = "discriminator"):
        super().__init__(name=name, autocast=False)
        self.convs = [
            Conv(filters, 2, use_bias=False, name=f"conv_{index + 1}")
            for index, filters in enumerate(_FILTERS)
        ]
        self.conv_norms = [BatchNorm(f"conv_{index + 1}_norm") for index in range(1, len(_FILTERS))]
        self.to_logit = Dense(1, use_bias=False, name="to_logit")

    def call(self, images, training=False):
        x = tf.nn.leaky_relu(self.convs[0](images), 0.2)
        features = []
        for conv, norm in zip(self.convs[1:], self.conv_norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=training), 0.2)
            features.append(x)
        x = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        return tf.cast(tf.squeeze(self.to_logit(x), axis=1), tf.float32), features
