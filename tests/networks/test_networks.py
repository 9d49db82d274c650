"""Shapes, sizes and ranges of the networks, and that their gradients are right."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.chapter import Discriminator, Generator
from discogan_tf.networks.layers import ConvTranspose, JoinConv
from discogan_tf.networks.paper import PaperDiscriminator, PaperGenerator


def _trainable(network):
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def _norms(channels):
    return 2 * sum(channels)


def test_generator_has_the_chapters_parameters():
    generator = Generator()
    generator(tf.zeros((1, 64, 64, 3)))
    kernels = 16 * (
        3 * 32 + 32 * 64 + 64 * 128 + 128 * 256  # Down.
        + 256 * 512 + 128 * 256 + 64 * 128 + 32 * 64  # Up.
        + 16 * 3
    )  # fmt: skip
    norms = _norms([64, 128, 256, 512, 256, 128, 64])
    assert _trainable(generator) == kernels + norms + 32 + 3 == 3_478_563


def test_discriminator_has_the_chapters_parameters():
    discriminator = Discriminator()
    discriminator(tf.zeros((1, 64, 64, 3)))
    kernels = 16 * (3 * 32 + 32 * 64 + 64 * 128 + 128 * 256 + 256 * 512) + 2048 * 512 + 512
    norms = _norms([64, 128, 256, 512, 512])
    assert _trainable(discriminator) == kernels + norms + 32 + 1 == 3_838_881


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_every_image_size(size):
    images = tf.random.stateless_uniform((2, size, size, 3), [1, 2])
    for training in (False, True):
        translated = Generator()(images, training=training)
        assert translated.shape == images.shape and translated.dtype == tf.float32
        assert float(tf.reduce_min(translated)) >= 0 and float(tf.reduce_max(translated)) <= 1
        logits, features = Discriminator()(images, training=training)
        assert logits.shape == (2,) and logits.dtype == tf.float32
        assert [f.shape[1:].as_list() for f in features] == [
            [size // scale, size // scale, channels]
            for scale, channels in ((4, 64), (8, 128), (16, 256))
        ]


def test_the_authors_networks_have_a_bottleneck_of_100():
    images = tf.random.stateless_uniform((3, 64, 64, 3), [1, 2])
    generator, discriminator = PaperGenerator(), PaperDiscriminator()
    translated = generator(images, training=True)
    assert translated.shape == images.shape and translated.dtype == tf.float32
    assert generator.squeeze.kernel.shape == (4 * 4 * 512, 100)
    assert generator.decoder[0].kernel.shape == (4, 4, 100, 512)
    logits, features = discriminator(images, training=True)
    assert logits.shape == (3,) and [f.shape[-1] for f in features] == [128, 256, 512]
    down = 16 * (3 * 64 + 64 * 128 + 128 * 256 + 256 * 512)
    kernels = 2 * (down + 16 * 512 * 100)
    assert _trainable(generator) == kernels + _norms([128, 256, 512, 100, 512, 256, 128, 64])
    assert _trainable(discriminator) == down + 16 * 512 + _norms([128, 256, 512])


def test_transposed_convolution_is_the_transpose():
    """<conv(x), y> = <x, transpose(y)> for the same kernel."""
    rng = np.random.default_rng(0)
    for stride in (2, 4):
        x, y = rng.normal(size=(2, 8, 8, 3)), rng.normal(size=(2, 8 // stride, 8 // stride, 5))
        layer = ConvTranspose(3, stride, use_bias=False, name="transposed")
        back = layer(tf.constant(y, tf.float32))
        kernel = tf.transpose(
            layer.kernel.value, [0, 1, 3, 2]
        )  # As of the convolution: 3 to 5 features.
        there = tf.nn.conv2d(tf.constant(x, tf.float32), kernel, stride, "SAME")
        assert float(tf.reduce_sum(there * y)) == pytest.approx(
            float(tf.reduce_sum(back * x)), rel=1e-4
        )


@pytest.mark.parametrize("size", [1, 3])
def test_a_vector_is_joined_as_if_it_were_at_every_pixel(size):
    x = tf.random.stateless_normal((2, 5, 7, 4), [1, 2])
    vector = tf.random.stateless_normal((2, 3), [3, 4])
    layer = JoinConv(6, size, use_bias=True, name="join")
    found = layer(x, vector)
    layer.bias.assign(tf.range(6.0))
    at_every_pixel = tf.tile(vector[:, tf.newaxis, tf.newaxis, :], [1, 5, 7, 1])
    expected = tf.nn.conv2d(tf.concat([x, at_every_pixel], 3), layer.kernel.value, 1, "SAME")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(layer(x, vector), expected + tf.range(6.0), atol=1e-6)


def test_kernels_start_as_truncated_normal():
    generator = Generator()
    generator(tf.zeros((1, 64, 64, 3)))
    kernel = generator.decoder[0].kernel.numpy()
    assert np.abs(kernel).max() <= 0.04 + 1e-6
    assert kernel.std() == pytest.approx(0.02 * 0.8796, rel=0.01)  # Cut off at two deviations.
    assert np.abs(kernel.mean()) < 1e-4


def test_upsampling_keeps_space():
    """A change at one corner of the input changes that corner of the output most."""
    generator = Generator()
    images = np.zeros((1, 256, 256, 3), np.float32)
    before = generator(tf.constant(images)).numpy()
    images[0, :32, :32] = 1
    change = np.abs(generator(tf.constant(images)).numpy() - before)[0].mean(-1)
    assert change[:64, :64].mean() > 10 * change[128:, 128:].mean()


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_low_precision_is_near_float32(dtype):
    generator, discriminator = Generator(), Discriminator()
    images = tf.random.stateless_uniform((4, 64, 64, 3), [1, 2])
    for network, tolerance in ((generator, 0.01), (discriminator, 0.15)):
        exact = tf.nest.flatten(network(images, training=True))[0]
        rounded = tf.nest.flatten(network(tf.cast(images, dtype), training=True))[0]
        assert rounded.dtype == tf.float32
        np.testing.assert_allclose(rounded, exact, atol=tolerance)


def test_sizes_are_arguments():
    images = tf.zeros((1, 64, 64, 3))
    for kind in (Generator, Discriminator, PaperGenerator, PaperDiscriminator):
        small, large = kind(base_filters=4), kind(base_filters=8)
        small(images), large(images)
        assert 2 < _trainable(large) / _trainable(small) < 4


def test_the_implementation_of_convolutions_is_fixed_when_a_network_is_built():
    """Devices are not probed later, and both implementations agree up to rounding."""
    images = tf.random.stateless_uniform((2, 64, 64, 3), [1, 2])
    networks = {
        name: Generator(base_filters=8, conv_implementation=name) for name in ("auto", "plain")
    }
    results, kinds = {}, {}
    for name, network in networks.items():
        network(images)
        if name == "plain":
            network.set_weights(networks["auto"].get_weights())
        run = tf.function(lambda x, network=network: network(x, training=True))
        graph = run.get_concrete_function(images).graph
        kinds[name] = {node.type for node in graph.get_operations()}
        results[name] = run(images)
    assert "MatMul" in kinds["auto"] and "MatMul" not in kinds["plain"]
    np.testing.assert_allclose(results["auto"], results["plain"], atol=1e-4)
