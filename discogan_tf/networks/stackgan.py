"""The networks of StackGAN (Zhang et al. 2017, arXiv 1612.03242)."""

from typing import NamedTuple

import keras
import tensorflow as tf

from discogan_tf.networks.layers import (
    Dense,
    JoinConv,
    PaddedConv,
    UpsampleConv,
    run_strided_convs,
    strided_convs,
)
from discogan_tf.networks.normalization import DISCRIMINATOR_NORMALIZATIONS, NORMALIZATIONS
from discogan_tf.networks.resnet import ResidualBlock
from discogan_tf.networks.text import TextEncoder

# Height and width of the features that Stage I starts from, of those that discriminators join with
# text, and of those that Stage II joins with it.
_START, _JOINED, _REFINED = 4, 4, 16
# Size of the discriminators' own view of a text embedding.
_TEXT_CHANNELS = 128


class Generated(NamedTuple):
    """What a generator makes of texts.

    Attributes:
      images: float32 [batch, size, size, 3] in [0, 1].
      mean, log_deviation: Of the distribution of the conditioning variable, float32
        [batch, condition size].
    """

    images: tf.Tensor
    mean: tf.Tensor
    log_deviation: tf.Tensor


class ConditioningAugmentation(keras.layers.Layer):
    """Samples the conditioning variable c of a text: c = mean + deviation * noise.

    Zhang et al. 2017, section 3.2. A text thus means many images, and texts between those of the
    training set mean something, too. Mean and logarithm of the deviation are linear in the
    embedding. Differs from the authors' code, where leaky ReLUs follow, which compress negative
    logarithms.

    Args:
      size: Of c.
      name: Of the layer.
      noisy: Whether there is noise; without it, c is the mean.
    """

    def __init__(self, size: int, name: str, noisy: bool = True):
        super().__init__(name=name, autocast=False)
        self._noisy = noisy
        self.to_moments = Dense(2 * size, True, "to_moments", keras.initializers.GlorotUniform())

    def call(self, embedding, noise):
        """c, mean and logarithm of the deviation of it; noise [batch, size], standard normal."""
        mean, log_deviation = tf.split(self.to_moments(embedding), 2, axis=1)
        c = mean + tf.exp(log_deviation) * noise if self._noisy else mean
        return c, mean, log_deviation


class StageIGenerator(keras.Model):
    """Generates small images from texts: shape and colors.

    Args:
      name: Of the network.
      size: Height and width of its images.
      base_filters: The first features, of 4x4 pixels, have eight times as many channels. Each
        upsampling halves them, so that the last ones at 64 pixels have this number.
      text_features: Size of a text embedding.
      condition_size: Size of c.
      noise_size: Size of z.
      normalization: A key of `NORMALIZATIONS`; the paper's is "batch".
      augment: Whether there is conditioning augmentation, noise in c.

    Attributes:
      num_noise: How many random numbers it takes for an image: those for c, then z.
      augment: As the argument.
    """

    def __init__(
        self,
        name: str = "generator",
        size: int = 64,
        base_filters: int = 128,
        text_features: int = 256,
        condition_size: int = 128,
        noise_size: int = 100,
        normalization: str = "batch_renorm",
        augment: bool = True,
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "size": size,
            "base_filters": base_filters,
            "text_features": text_features,
            "condition_size": condition_size,
            "noise_size": noise_size,
            "normalization": normalization,
            "augment": augment,
        }
        self.num_noise, self.augment = condition_size + noise_size, augment
        norm, first = NORMALIZATIONS[normalization], 8 * base_filters
        self.encoder = _frozen(TextEncoder("text_encoder", text_features))
        self.augmentation = ConditioningAugmentation(condition_size, "augmentation", augment)
        self._condition_size, self._first = condition_size, first
        self.start = Dense(_START * _START * first, False, "start")
        self.start_norm = norm("start_norm")
        count = (size // _START).bit_length() - 1
        self.blocks = [
            ResidualBlock(first >> index, norm, f"block_{index + 1}")
            for index in range(min(2, count))
        ]
        self.ups = [
            UpsampleConv(max(4, first >> (index + 1)), False, f"up_{index + 1}", _normal())
            for index in range(count - 1)
        ]
        self.up_norms = [norm(f"{conv.name}_norm") for conv in self.ups]
        self.to_image = UpsampleConv(3, True, "to_image", _normal())

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, texts, noise, training=False, update_statistics=False, details=False):
        """Images of texts and noise.

        Args:
          texts: Characters, int32 [batch, 99], or their embeddings, float32 [batch, text features].
          noise: Standard normal, [batch, num_noise], in the dtype to compute in.
          training, update_statistics: As for `BatchRenorm`.
          details: Whether to return `Generated`, all that losses need, instead of the images.
        """
        mode = {"training": training, "update_statistics": update_statistics}
        embedding = _embedded(self.encoder, texts)
        for_c, z = noise[:, : self._condition_size], noise[:, self._condition_size :]
        c, mean, log_deviation = self.augmentation(embedding, tf.cast(for_c, tf.float32))
        x = self.start(tf.concat([tf.cast(c, noise.dtype), z], axis=1))
        x = tf.nn.relu(self.start_norm(x, **mode))
        x = tf.reshape(x, [-1, _START, _START, self._first])
        for index in range(len(self.ups) + 1):
            if index < len(self.blocks):
                x = tf.nn.relu(self.blocks[index](x, **mode))
            if index < len(self.ups):
                x = tf.nn.relu(self.up_norms[index](self.ups[index](x), **mode))
        images = tf.sigmoid(tf.cast(self.to_image(x), tf.float32))
        return Generated(images, mean, log_deviation) if details else images


class StageIIGenerator(keras.Model):
    """Refines the images of Stage I, with the text again: details, and what Stage I got wrong.

    Stage I, within it, does not learn.

    Args:
      name, size, base_filters, text_features, condition_size, noise_size, normalization, augment:
        As for `StageIGenerator`; `base_filters` are the channels of the first features.
      stage_1_size: Height and width of the images of Stage I, 16 or more.
      blocks: Number of residual blocks; the paper's are 4 for images of 256 pixels, 2 for 128.

    Attributes:
      num_noise: How many random numbers it takes for an image: those of Stage I, so that a seed
        gives the same image there, then those for c.
    """

    def __init__(
        self,
        name: str = "generator",
        size: int = 256,
        stage_1_size: int = 64,
        base_filters: int = 128,
        blocks: int = 4,
        text_features: int = 256,
        condition_size: int = 128,
        noise_size: int = 100,
        normalization: str = "batch_renorm",
        augment: bool = True,
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "size": size,
            "stage_1_size": stage_1_size,
            "base_filters": base_filters,
            "blocks": blocks,
            "text_features": text_features,
            "condition_size": condition_size,
            "noise_size": noise_size,
            "normalization": normalization,
            "augment": augment,
        }
        norm = NORMALIZATIONS[normalization]
        self.stage_1 = _frozen(
            StageIGenerator(
                "stage_1", stage_1_size, base_filters, text_features, condition_size, noise_size,
                normalization, augment,
            )
        )  # fmt: skip
        self.num_noise = self.stage_1.num_noise + condition_size
        self.augmentation = ConditioningAugmentation(condition_size, "augmentation", augment)
        strides = (stage_1_size // _REFINED).bit_length() - 1
        widest = base_filters << 2
        self.down = [_conv(base_filters if strides else widest, 3, "down_1")] + [
            _conv(widest >> (strides - 1 - index), 4, f"down_{index + 2}", stride=2)
            for index in range(strides)
        ]
        self.down_norms = [norm(f"{conv.name}_norm") for conv in self.down]
        self.join = JoinConv(widest, 3, False, "join", _normal())
        self.join_norm = norm("join_norm")
        self.blocks = [ResidualBlock(widest, norm, f"block_{n + 1}") for n in range(blocks)]
        self.ups = [
            UpsampleConv(max(16, widest >> (index + 1)), False, f"up_{index + 1}", _normal())
            for index in range((size // _REFINED).bit_length() - 1)
        ]
        self.up_norms = [norm(f"{conv.name}_norm") for conv in self.ups]
        self.to_image = _conv(3, 3, "to_image", use_bias=True)

    def get_config(self):
        return {"name": self.name} | self._config

    @property
    def encoder(self) -> TextEncoder:
        """The text encoder of Stage I, which both stages use."""
        return self.stage_1.encoder

    def call(self, texts, noise, training=False, update_statistics=False, details=False):
        """Images of texts and noise, as `StageIGenerator.call`."""
        mode = {"training": training, "update_statistics": update_statistics}
        of_stage_1 = self.stage_1.num_noise
        for_stage_1, for_c = noise[:, :of_stage_1], noise[:, of_stage_1:]
        embedding = _embedded(self.encoder, texts)
        # Outside training mode, which Keras would pass on: Stage II learns from the images that
        # Stage I is shown with.
        sketch = self.stage_1(embedding, for_stage_1, training=False)
        c, mean, log_deviation = self.augmentation(embedding, tf.cast(for_c, tf.float32))
        x = tf.cast(tf.stop_gradient(sketch), noise.dtype)
        for conv, norm in zip(self.down, self.down_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), **mode))
        x = tf.nn.relu(self.join_norm(self.join(x, tf.cast(c, x.dtype)), **mode))
        for block in self.blocks:
            x = tf.nn.relu(block(x, **mode))
        for conv, norm in zip(self.ups, self.up_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), **mode))
        images = tf.sigmoid(tf.cast(self.to_image(x), tf.float32))
        return Generated(images, mean, log_deviation) if details else images


class TextDiscriminator(keras.Model):
    """Classifies pairs of an image and a text: a real image that the text describes, or not.

    Images [batch, size, size, 3] in [0, 1], in the dtype to compute in, and text embeddings,
    float32 [batch, text features], to logits, float32 [batch, 1, 1, 1].

    Args:
      name: Of the network.
      size: Height and width of the images.
      base_filters: Channels of the first convolution; each doubles them, at most to eight times as
        many. Differs from the paper's for 256 pixels, which go on to 32 times.
      conv_implementation: As for `layers.Conv`.
      normalization: A key of `DISCRIMINATOR_NORMALIZATIONS`; the paper's is "batch".
    """

    def __init__(
        self,
        name: str = "discriminator",
        size: int = 64,
        base_filters: int = 64,
        conv_implementation: str = "auto",
        normalization: str = "spectral",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "size": size,
            "base_filters": base_filters,
            "conv_implementation": conv_implementation,
            "normalization": normalization,
        }
        norm = DISCRIMINATOR_NORMALIZATIONS[normalization]
        spectral = norm is None
        count = (size // _JOINED).bit_length() - 1
        filters = tuple(base_filters << min(index, 3) for index in range(count))
        self.convs, self.norms = strided_convs(filters, "conv", conv_implementation, norm=norm)
        self.to_text = Dense(_TEXT_CHANNELS, True, "to_text", spectral=spectral)
        self.join = JoinConv(filters[-1], 1, spectral, "join", _normal(), spectral)
        self.join_norm = None if spectral else norm("join_norm")
        self.to_logits = PaddedConv(
            1, _JOINED, 1, 0, True, "to_logits", initializer=_normal(), spectral=spectral
        )

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, embedding, training=False):
        return self.classify(self.features(images, training), embedding, training)

    def features(self, images, training=False):
        """Features of images: [batch, 4, 4, channels]."""
        return run_strided_convs(images, self.convs, self.norms, training=training)[-1]

    def classify(self, features, embedding, training=False):
        """Logits of pairs of `features` and texts."""
        text = tf.nn.leaky_relu(self.to_text(embedding, training=training), 0.2)
        x = self.join(features, tf.cast(text, features.dtype), training=training)
        if self.join_norm:
            x = self.join_norm(x, training=training)
        return tf.cast(self.to_logits(tf.nn.leaky_relu(x, 0.2), training=training), tf.float32)


def _embedded(encoder: TextEncoder, texts: tf.Tensor) -> tf.Tensor:
    """Embeddings of texts, which may be embeddings already. No gradient leaves them."""
    return tf.stop_gradient(encoder(texts) if texts.dtype.is_integer else texts)


def _frozen(network: keras.Model) -> keras.Model:
    """A network within another that does not learn."""
    network.trainable = False
    return network


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _conv(filters, kernel_size, name, stride=1, use_bias=False, spectral=False) -> PaddedConv:
    padding = (kernel_size - 1) // 2
    return PaddedConv(
        filters, kernel_size, stride, padding, use_bias, name,
        initializer=_normal(), spectral=spectral,
    )  # fmt: skip
