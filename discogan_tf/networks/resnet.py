"""The networks of CycleGAN (Zhu et al. 2017, arXiv 1703.10593, section 7.2)."""

import keras
import tensorflow as tf

from discogan_tf.networks.layers import PaddedConv, UpsampleConv, run_strided_convs
from discogan_tf.networks.normalization import DISCRIMINATOR_NORMALIZATIONS, NORMALIZATIONS


class ResidualBlock(keras.layers.Layer):
    """x + f(x), with f two 3x3 convolutions: features [batch, h, w, c] to features of that shape.

    Args:
      filters: c.
      norm: A class of `NORMALIZATIONS`.
      name: Of the layer.
    """

    def __init__(self, filters: int, norm: type, name: str):
        super().__init__(name=name, autocast=False)
        self.convs = [_conv(filters, 3, 1, f"conv_{number}", "REFLECT") for number in (1, 2)]
        self.norms = [norm(f"conv_{number}_norm") for number in (1, 2)]

    def call(self, x, **mode):
        y = tf.nn.relu(self.norms[0](self.convs[0](x), **mode))
        return x + self.norms[1](self.convs[1](y), **mode)


class ResidualGenerator(keras.Model):
    """Two strided convolutions, residual blocks at a quarter of the size, two upsamplings.

    Images [batch, h, w, 3] in [0, 1], in the dtype to compute in, to images of the same shape in
    [0, 1], always float32; h and w are multiples of 4. Differs from the authors' code, which
    upsamples by transposed convolutions; see `UpsampleConv`.

    Args:
      name: Of the network.
      base_filters: Channels of the first convolution; the blocks have four times as many.
      blocks: Number of residual blocks; the paper's are 6 at 128 pixels and 9 from 256 on.
      normalization: A key of `NORMALIZATIONS`; the paper's is "instance".
    """

    def __init__(
        self,
        name: str = "generator",
        base_filters: int = 64,
        blocks: int = 6,
        normalization: str = "instance",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "base_filters": base_filters,
            "blocks": blocks,
            "normalization": normalization,
        }
        norm, base = NORMALIZATIONS[normalization], base_filters
        self.encoder = [
            _conv(base, 7, 1, "encode_1", "REFLECT"),
            _conv(2 * base, 3, 2, "encode_2"),
            _conv(4 * base, 3, 2, "encode_3"),
        ]
        self.encoder_norms = [norm(f"{conv.name}_norm") for conv in self.encoder]
        self.blocks = [ResidualBlock(4 * base, norm, f"block_{n + 1}") for n in range(blocks)]
        self.decoder = [
            UpsampleConv(count, False, f"decode_{number}", _normal())
            for number, count in enumerate((2 * base, base), 1)
        ]
        self.decoder_norms = [norm(f"{conv.name}_norm") for conv in self.decoder]
        self.to_image = _conv(3, 7, 1, "to_image", "REFLECT", use_bias=True)

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False, update_statistics=False):
        mode = {"training": training, "update_statistics": update_statistics}
        x = images
        for conv, norm in zip(self.encoder, self.encoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), **mode))
        for block in self.blocks:
            x = block(x, **mode)
        for conv, norm in zip(self.decoder, self.decoder_norms, strict=True):
            x = tf.nn.relu(norm(conv(x), **mode))
        # The paper's tanh, for images in [0, 1].
        return tf.sigmoid(tf.cast(self.to_image(x), tf.float32))


class PatchDiscriminator(keras.Model):
    """Classifies each overlapping patch of an image (PatchGAN, Isola et al. 2017).

    Images [batch, h, w, 3] in [0, 1], in the dtype to compute in, to logits, float32 [batch,
    h / 2^layers - 2, w / 2^layers - 2, 1], and to the features after every convolution but the
    last. A logit sees a patch of 16, 34, 70 or 142 pixels with 1, 2, 3 or 4 layers.

    Args:
      name, base_filters: As for `ResidualGenerator`.
      layers: Number of strided convolutions; the paper's are 3.
      normalization: A key of `DISCRIMINATOR_NORMALIZATIONS`; the paper's is "instance".
    """

    def __init__(
        self,
        name: str = "discriminator",
        base_filters: int = 64,
        layers: int = 3,
        normalization: str = "instance",
    ):
        super().__init__(name=name, autocast=False)
        self._config = {
            "base_filters": base_filters,
            "layers": layers,
            "normalization": normalization,
        }
        norm = DISCRIMINATOR_NORMALIZATIONS[normalization]
        spectral = norm is None
        # Each convolution doubles the channels, at most to eight times as many as at first.
        filters = [base_filters * min(2**number, 8) for number in range(layers + 1)]
        self.convs = [
            _conv(
                count, 4, 2 if index < layers else 1, f"conv_{index + 1}",
                use_bias=spectral or index == 0, spectral=spectral,
            )
            for index, count in enumerate(filters)
        ]  # fmt: skip
        self.norms = [] if spectral else [norm(f"{conv.name}_norm") for conv in self.convs[1:]]
        self.to_logits = _conv(1, 4, 1, "to_logits", use_bias=True, spectral=spectral)

    def get_config(self):
        return {"name": self.name} | self._config

    def call(self, images, training=False):
        features = run_strided_convs(images, self.convs, self.norms, training=training)
        logits = self.to_logits(features[-1], training=training)
        return tf.cast(logits, tf.float32), features


def _conv(
    filters, kernel_size, stride, name, mode="CONSTANT", use_bias=False, spectral=False
) -> PaddedConv:
    """With the paper's initial weights: normal with standard deviation 0.02.

    Padding is that of the authors' code: half of the kernel. Before a normalization a bias would
    have no gradient but rounding noise, which Adam turns into drift.
    """
    padding = (kernel_size - 1) // 2
    return PaddedConv(
        filters, kernel_size, stride, padding, use_bias, name, mode, _normal(), spectral
    )


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)
