"""The chapter's program as its book prints it, bugs included, in TensorFlow 2, for comparison.

Do not copy anything from here. The marks `# As printed:` show what the project does otherwise, and
the consequence; `against_chapter.py` trains it.
"""

import io
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from data_prep.archives import read_images
from data_prep.limits import LeftOut, Limits

_ENCODER_FILTERS = (32, 64, 128, 256)
_DECODER_FILTERS = (128, 64, 32, 16)
_DISCRIMINATOR_FILTERS = (32, 64, 128, 256, 512)
_FEATURES = 512
_LEARNING_RATE = 2e-4


def read_photos(archive: Path, split: str) -> np.ndarray:
    """The color halves of a pix2pix archive: float32 [n, 64, 64, 3] in [0, 1]."""
    photos = []
    for name, data in read_images(archive, (".jpg",), Limits(), LeftOut()):
        if Path(name).parent.name == split:
            # As printed: the whole pair is scaled, then cropped, so that the drawing bleeds into
            # the photo.
            pair = Image.open(io.BytesIO(data)).resize((128, 64), Image.Resampling.LANCZOS)
            # As printed: all of it in memory as float32.
            photos.append(np.asarray(pair.crop((64, 0, 128, 64)), np.float32) / 255)
    return np.stack(photos)


def _conv(filters: int, stride: int) -> keras.layers.Conv2D:
    # As printed: every convolution has a bias, also before batch norm, where it has no gradient.
    return keras.layers.Conv2D(
        filters,
        4,
        stride,
        "same",
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
    )


def _dense(units: int) -> keras.layers.Dense:
    return keras.layers.Dense(
        units, kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02)
    )


class Generator(keras.Model):
    """Images [batch, 64, 64, 3] in [0, 1] to images of the same shape, 0 or greater."""

    def __init__(self):
        super().__init__()
        self.encoder = [_conv(filters, 2) for filters in _ENCODER_FILTERS]
        self.encoder_norms = [keras.layers.BatchNormalization() for _ in _ENCODER_FILTERS[1:]]
        self.decoder = [_conv(4 * filters, 1) for filters in _DECODER_FILTERS]
        self.decoder_norms = [keras.layers.BatchNormalization() for _ in _DECODER_FILTERS]
        self.to_image = _conv(3, 1)

    def call(self, x):
        # As printed: batch norm always uses the statistics of the batch, also when images are
        # shown.
        x = tf.nn.leaky_relu(self.encoder[0](x), 0.2)
        for conv, norm in zip(self.encoder[1:], self.encoder_norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=True), 0.2)
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), training=True))
            # As printed: a reshape, which tears each position's channels into a strip four pixels
            # long.
            x = tf.reshape(x, (-1, 2 * x.shape[1], 2 * x.shape[2], x.shape[3] // 4))
        return tf.nn.relu(self.to_image(x))  # As printed: colors have no upper end.


class Discriminator(keras.Model):
    """Images [batch, 64, 64, 3] to [batch, 1]."""

    def __init__(self):
        super().__init__()
        self.convs = [_conv(filters, 2) for filters in _DISCRIMINATOR_FILTERS]
        self.conv_norms = [keras.layers.BatchNormalization() for _ in _DISCRIMINATOR_FILTERS[1:]]
        self.features, self.features_norm = _dense(_FEATURES), keras.layers.BatchNormalization()
        self.to_logit = _dense(1)

    def call(self, x):
        x = tf.nn.leaky_relu(self.convs[0](x), 0.2)
        for conv, norm in zip(self.convs[1:], self.conv_norms, strict=True):
            x = tf.nn.leaky_relu(norm(conv(x), training=True), 0.2)
        x = tf.reshape(x, (-1, 2 * 2 * _DISCRIMINATOR_FILTERS[-1]))
        x = tf.nn.leaky_relu(self.features_norm(self.features(x), training=True), 0.2)
        return tf.sigmoid(self.to_logit(x))  # As printed: the losses below take it for a logit.


class Chapter:
    """The four networks and one step of training."""

    def __init__(self):
        self.generators = {"a_to_b": Generator(), "b_to_a": Generator()}
        self.discriminators = {"a": Discriminator(), "b": Discriminator()}
        blank = tf.zeros((1, 64, 64, 3))
        for network in (*self.generators.values(), *self.discriminators.values()):
            network(blank)
        self._sides = {
            side: [
                variable
                for network in networks.values()
                for variable in network.trainable_variables
            ]
            for side, networks in (
                ("generators", self.generators),
                ("discriminators", self.discriminators),
            )
        }
        # As printed: Adam's own beta_1 of 0.9.
        self._optimizers = {
            side: keras.optimizers.Adam(_LEARNING_RATE, epsilon=1e-8) for side in self._sides
        }
        for side, optimizer in self._optimizers.items():
            optimizer.build(self._sides[side])
        self._update_generators = tf.function(self._update_generators)
        self._update_discriminators = tf.function(self._update_discriminators)

    def step(self, first: tuple, second: tuple) -> dict[str, tf.Tensor]:
        """One step on two batches, each (a, b) of float32 [batch, 64, 64, 3]; its losses.

        As printed: three runs of the graph, each with forward passes of its own.
        """
        losses = self._update_discriminators(*first)
        self._update_generators(*first)
        return losses | self._update_generators(*second)

    def _translate(self, a, b):
        fake_b, fake_a = self.generators["a_to_b"](a), self.generators["b_to_a"](b)
        return fake_a, fake_b

    def _update_discriminators(self, a, b):
        fake_a, fake_b = self._translate(a, b)
        with tf.GradientTape() as tape:
            loss = sum(
                _cross_entropy(self.discriminators[domain](real), 1.0)
                + _cross_entropy(self.discriminators[domain](fake), 0.0)
                for domain, real, fake in (("a", a, fake_a), ("b", b, fake_b))
            )
        self._apply("discriminators", tape, loss)
        return {"disc_loss": loss}

    def _update_generators(self, a, b):
        with tf.GradientTape() as tape:
            fake_a, fake_b = self._translate(a, b)
            adversarial = sum(
                _cross_entropy(self.discriminators[domain](fake), 1.0)
                for domain, fake in (("a", fake_a), ("b", fake_b))
            )
            reconstruction = tf.reduce_mean(tf.square(self.generators["b_to_a"](fake_b) - a))
            reconstruction += tf.reduce_mean(tf.square(self.generators["a_to_b"](fake_a) - b))
            loss = adversarial + reconstruction
        self._apply("generators", tape, loss)
        return {"gen_loss": loss, "const_loss": reconstruction}

    def _apply(self, side: str, tape: tf.GradientTape, loss: tf.Tensor) -> None:
        variables = self._sides[side]
        self._optimizers[side].apply_gradients(
            zip(tape.gradient(loss, variables), variables, strict=True)
        )


def _cross_entropy(output: tf.Tensor, label: float) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(
            labels=tf.fill(tf.shape(output), label), logits=output
        )
    )


def as_saved(images: np.ndarray) -> np.ndarray:
    """What its files contain: float32 [n, 64, 64, 3], 0 or greater, to 8 bits in [0, 1].

    As printed: the cast wraps around, so that a value just above white is black.
    """
    return ((images * 255).astype(np.int64) % 256).astype(np.float32) / 255
