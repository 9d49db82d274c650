"""A model of another kind than the paper's: what a new paper adds is a file like this.

One generator makes an image of the domain that a label names, from noise. The discriminator outputs
a grid of patch logits, the losses are whatever `--adversarial_loss` says, and each step depends on
the fakes of the step before.
"""

import keras
import tensorflow as tf

from discogan_tf import losses
from discogan_tf.models.contract import SERVING_DEFAULT, TRANSLATED, Signature, Translation
from discogan_tf.networks.layers import Conv, ConvTranspose, Dense
from discogan_tf.networks.normalization import BatchNorm

_NOISE = 6


class _Block(keras.layers.Layer):
    """Layers within a layer: folding and statistics must find them."""

    def __init__(self, name):
        super().__init__(name=name, autocast=False)
        self.conv = ConvTranspose(8, 2, use_bias=False, name="conv")
        self.norm = BatchNorm("conv_norm")

    def call(self, x, training=False):
        return tf.nn.relu(self.norm(self.conv(x), training=training))


class LabelGenerator(keras.Model):
    """Noise, float32 [batch, 6], and labels, int32 [batch], to images [batch, 32, 32, 3]."""

    def __init__(self, name="generator"):
        super().__init__(name=name, autocast=False)
        self.start = Dense(4 * 4 * 8, use_bias=True, name="start")
        self.blocks = [_Block(f"block_{number}") for number in (1, 2)]
        self.to_image = ConvTranspose(3, 2, use_bias=True, name="to_image")

    def get_config(self):
        return {"name": self.name}

    def call(self, noise, label, training=False):
        x = tf.concat([noise, tf.one_hot(label, 2, dtype=noise.dtype)], axis=1)
        x = tf.reshape(tf.nn.relu(self.start(x)), [-1, 4, 4, 8])
        for block in self.blocks:
            x = block(x, training=training)
        return tf.sigmoid(tf.cast(self.to_image(x), tf.float32))


class PatchDiscriminator(keras.Model):
    """Images [batch, 32, 32, 3] to logits of patches, float32 [batch, 8, 8, 1], and features."""

    def __init__(self, name="discriminator"):
        super().__init__(name=name, autocast=False)
        self.convs = [Conv(8, 2, True, "conv_1"), Conv(8, 2, True, "conv_2")]
        self.to_logits = Conv(1, 1, True, "to_logits")

    def call(self, images, training=False):
        features = [tf.nn.leaky_relu(self.convs[0](images), 0.2)]
        features.append(tf.nn.leaky_relu(self.convs[1](features[-1]), 0.2))
        return tf.cast(self.to_logits(features[-1]), tf.float32), features


class LabelGAN:
    """A GAN conditioned on labels, whose discriminator sees the fakes of the step before."""

    separate_losses = frozenset()
    streams = ("a", "b")
    usage = "Export:    python export.py --workdir={workdir}"
    noise_size = 0
    size_multiple = None
    translations = (Translation("generate", source=None, target="b"),)

    def __init__(self, config, compute_dtype=tf.float32):
        self._config, self._compute_dtype = config, compute_dtype
        self._loss = losses.ADVERSARIAL[config.adversarial_loss]
        self.generators = {"generate": LabelGenerator("generator")}
        self.discriminators = {"real": PatchDiscriminator("discriminator")}
        self.generators["generate"](tf.zeros((1, _NOISE)), tf.zeros((1,), tf.int32))
        self.discriminators["real"](tf.zeros((1, 32, 32, 3)))
        shape = (2 * config.batch_size, 32, 32, 3)
        self.state = {"earlier_fakes": tf.Variable(tf.zeros(shape), trainable=False)}

    def forward(self, batch, step):
        real = tf.concat([batch["a"], batch["b"]], axis=0)
        labels = tf.repeat([0, 1], self._config.batch_size)
        seed = tf.stack([tf.constant(self._config.seed, tf.int64), tf.cast(step, tf.int64)])
        noise = tf.random.stateless_normal((len(labels), _NOISE), seed)
        noise = tf.cast(noise, self._compute_dtype)
        tensors = {"fake": self.generators["generate"](noise, labels, training=True)}
        earlier = tf.identity(self.state["earlier_fakes"])
        self.state["earlier_fakes"].assign(tf.stop_gradient(tensors["fake"]))
        for name, images in (("real", real), ("fake", tensors["fake"]), ("earlier", earlier)):
            images = tf.cast(images, self._compute_dtype)
            tensors[f"{name}_logits"], _ = self.discriminators["real"](images, training=True)
        return tensors

    def generator_losses(self, tensors):
        return {"adversarial_generate": self._loss.generator(tensors["fake_logits"])}

    def discriminator_losses(self, tensors):
        return {
            "discriminator_real_real": self._loss.real(tensors["real_logits"]),
            "discriminator_real_fake": self._loss.fake(tensors["earlier_logits"]),
        }

    def loss_weights(self, step):
        # The discriminator learns only from the second step on, when there are earlier fakes.
        later = tf.cast(tf.cast(step, tf.int64) > 1, tf.float32)
        return {
            "adversarial_generate": tf.constant(1.0),
            "discriminator_real_real": later,
            "discriminator_real_fake": later,
        }

    def generator_inputs(self, batch):
        if "b" not in batch:
            return {}
        count = len(batch["b"])
        noise = tf.random.stateless_normal((count, _NOISE), [1, 2])
        return {"generate": {"noise": noise, "label": tf.ones(count, tf.int32)}}

    def sample(self, batch):
        inputs = self.generator_inputs(batch)["generate"]
        return {"real_b": batch["b"], "fake_b": self.generators["generate"](*inputs.values())}

    def signatures(self, generators=None):
        generator = (generators or self.generators)["generate"]
        inputs = {
            "noise": tf.TensorSpec((None, _NOISE), tf.float32, name="noise"),
            "label": tf.TensorSpec((None,), tf.int32, name="label"),
        }

        def generate(noise, label):
            return {TRANSLATED: generator(noise, label)}

        return {"generate": {SERVING_DEFAULT: Signature(generate, inputs)}}
