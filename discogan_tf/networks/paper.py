"""The networks of the paper authors' code (Kim et al. 2017), for pictures of 64 pixels."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import BatchNorm, ConvTranspose, Dense
from discogan_tf.networks.strided import create_strided, flattened, run_strided

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
        self.encoder, self.encoder_norms = create_strided(_FILTERS, "encode", first_bias=False)
        self.squeeze = Dense(_BOTTLENECK, use_bias=False, name="squeeze")
        self.squeeze_norm = BatchNorm("squeeze_norm")
        self.decoder = [
            ConvTranspose(filters, 4 if index == 0 else 2, use_bias=False, name=f"decode_{index + 1}")
            for index, filters in enumerate(reversed(_FILTERS))
        ]
        self.decoder_norms = [BatchNorm(f"decode_{index + 1}_norm") for index in range(len(_FILTERS))]
        self.to_image = ConvTranspose(3, 2, use_bias=False, name="to_image")

    def call(self, images, training=False):
        x = flattened(run_strided(images, self.encoder, self.encoder_norms, training)[-1])
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
        self.convs, self.conv_norms = create_strided(_FILTERS, "conv", first_bias=False)
        self.to_logit = Dense(1, use_bias=False, name="to_logit")

    def call(self, images, training=False):
        outputs = run_strided(images, self.convs, self.conv_norms, training)
        logits = tf.squeeze(self.to_logit(flattened(outputs[-1])), axis=1)
        return tf.cast(logits, tf.float32), outputs[1:]
