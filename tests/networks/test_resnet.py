"""CycleGAN's networks: the sizes of the paper, and images that nearly are one color."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.layers import named_layers
from discogan_tf.networks.normalization import InstanceNorm
from discogan_tf.networks.normalization_ops import normalize_by_image
from discogan_tf.networks.resnet import PatchDiscriminator, ResidualBlock, ResidualGenerator


def _weights(network):
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def _useless_biases(*convs):
    """Biases before instance norm, which the authors' code has and which cannot learn anything."""
    return sum(conv.filters for conv in convs)


@pytest.mark.parametrize(
    ("blocks", "published"), [(6, 7_837_699), (9, 11_378_179), (10, 12_558_339)]
)
def test_generator_has_the_published_weights(blocks, published):
    generator = ResidualGenerator(blocks=blocks)
    generator(tf.zeros((1, 32, 32, 3)))
    convs = [*generator.encoder, *generator.decoder]
    convs += [conv for block in generator.blocks for conv in block.convs]
    assert _weights(generator) + _useless_biases(*convs) == published


def test_discriminator_has_the_papers_weights():
    discriminator = PatchDiscriminator()
    logits, _ = discriminator(tf.zeros((1, 256, 256, 3)))
    assert logits.shape == (1, 30, 30, 1)
    assert _weights(discriminator) + _useless_biases(*discriminator.convs[1:]) == 2_764_737


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_logit_sees_one_patch(layers, patch):
    discriminator = PatchDiscriminator(base_filters=4, layers=layers, normalization="spectral")
    side = 256 if layers == 4 else 128
    images = tf.random.stateless_uniform((1, side, side, 3), [1, 2])
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits, _ = discriminator(images)
        middle = logits[0, logits.shape[1] // 2, logits.shape[2] // 2, 0]
    seen = np.abs(tape.gradient(middle, images)[0]).sum(-1) > 0
    assert seen.any(1).sum() == seen.any(0).sum() == patch


def test_a_block_adds_to_its_input_what_two_reflecting_convolutions_give():
    """Written out: reflection padding, instance norm, no activation after the sum."""
    block = ResidualBlock(3, InstanceNorm, "block")
    x = tf.random.stateless_normal((2, 6, 5, 3), [1, 2])
    found = block(x)
    y = x
    for conv in block.convs:
        y = np.pad(y, [(0, 0), (1, 1), (1, 1), (0, 0)], "reflect")
        y = tf.nn.conv2d(y, conv.kernel.value, 1, "VALID").numpy()
        y = (y - y.mean((1, 2), keepdims=True)) / np.sqrt(y.var((1, 2), keepdims=True) + 1e-5)
        if conv is block.convs[0]:
            y = np.maximum(y, 0)
    np.testing.assert_allclose(found, x + y, atol=1e-4)
    assert float(tf.reduce_min(found)) < 0


@pytest.mark.parametrize("network", [ResidualGenerator, PatchDiscriminator])
def test_kernels_start_as_the_papers(network):
    found = network(base_filters=32)
    found(tf.zeros((1, 64, 64, 3)))
    for layer in named_layers(found).values():
        if hasattr(layer, "kernel"):
            kernel = layer.kernel.numpy()
            assert kernel.std() == pytest.approx(0.02, rel=0.1) and np.abs(kernel).max() > 0.04


@pytest.mark.parametrize("network", [ResidualGenerator, PatchDiscriminator])
def test_features_are_normalized_by_image(network):
    """All that convolutions give, but the first of a discriminator and the last."""
    found = network(base_filters=8)
    images = tf.random.stateless_uniform((1, 64, 64, 3), [1, 2])
    found(images)
    norms = [
        layer for layer in named_layers(found).values() if isinstance(layer, InstanceNorm)
    ]  # fmt: skip
    normalized = []
    for layer in norms:
        call = layer.call
        layer.call = lambda x, call=call, **mode: (
            normalized.append(call(x, **mode)) or normalized[-1]
        )
    found(images, training=True)
    assert len(normalized) == len(norms) == (17 if network is ResidualGenerator else 3)
    for features in normalized:
        assert np.abs(tf.reduce_mean(features, [1, 2])).max() < 1e-3
        # Of features with so little contrast, epsilon is a part of the variance.
        assert 0.3 < np.median(tf.math.reduce_std(features, [1, 2])) < 1.01


@pytest.mark.parametrize("shape", [(64, 64), (36, 52)])
def test_generators_translate_any_multiple_of_four(shape):
    generator = ResidualGenerator(base_filters=4, blocks=1)
    generator(tf.zeros((1, 32, 32, 3)))
    images = tf.random.stateless_uniform((2, *shape, 3), [1, 2])
    translated = generator(images)
    assert translated.shape == images.shape and translated.dtype == tf.float32
    assert float(tf.reduce_min(translated)) >= 0 and float(tf.reduce_max(translated)) <= 1


@pytest.mark.parametrize("normalization", ["instance", "spectral"])
def test_a_fully_trained_kernel_has_norm_one(normalization):
    discriminator = PatchDiscriminator(base_filters=4, normalization=normalization)
    images = tf.random.stateless_uniform((1, 64, 64, 3), [1, 2])
    for _ in range(50):
        discriminator(images, training=True)
    for conv in [*discriminator.convs, discriminator.to_logits]:
        kernel = conv.kernel_for(images, training=False).numpy()
        norm = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2)
        assert (norm == pytest.approx(1, abs=0.02)) == (normalization == "spectral")


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-3])
def test_white_photos_leave_everything_finite(dtype, noise):
    """Of an image without contrast, instance norm divides by almost nothing."""
    rng = np.random.default_rng(0)
    white = np.clip(1 - noise * rng.random((2, 32, 32, 3)), 0, 1).astype(np.float32)
    generator = ResidualGenerator(base_filters=4, blocks=2)
    discriminator = PatchDiscriminator(base_filters=4, layers=2)
    with tf.GradientTape() as tape:
        translated = generator(tf.cast(tf.constant(white), dtype), training=True)
        logits, _ = discriminator(tf.cast(translated, dtype), training=True)
        loss = tf.reduce_mean(tf.square(logits - 1)) + tf.reduce_mean(tf.abs(translated - white))
    variables = [*generator.trainable_variables, *discriminator.trainable_variables]
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        assert np.isfinite(gradient).all(), variable.path
        # Larger than with photos, by as much as the epsilon allows, and Adam divides it again.
        assert np.abs(gradient).max() < 1e3, variable.path


def test_instance_norm_and_its_gradient():
    """Against TensorFlow's own gradient of the plain formula, in float64 statistics."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(2, 3, (2, 5, 4, 3)), tf.float32)
    upstream = tf.constant(rng.normal(size=x.shape), tf.float32)

    def plain(x):
        mean = tf.reduce_mean(x, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(x - mean), [1, 2], keepdims=True)
        return (x - mean) / tf.sqrt(variance + 1e-5)

    results = []
    for function, value in ((normalize_by_image, x), (plain, tf.cast(x, tf.float64))):
        with tf.GradientTape() as tape:
            tape.watch(value)
            y = function(value)
        results.append((y, tape.gradient(y, value, tf.cast(upstream, value.dtype))))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
