"""Batch norm, its statistics, and their re-estimation, against plain NumPy in float64."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.chapter import Generator
from discogan_tf.networks.normalization import BatchNorm, BatchRenorm
from discogan_tf.networks.statistics import reestimate_statistics, statistics_function

_RNG = np.random.default_rng(0)


def _layer(channels):
    layer = BatchNorm("norm")
    layer.build((None, channels))
    layer.scale.assign(_RNG.normal(1, 0.2, channels))
    layer.offset.assign(_RNG.normal(0, 0.2, channels))
    return layer


def _reference(x, layer, mean, variance):
    scale, offset = layer.scale.numpy().astype(float), layer.offset.numpy().astype(float)
    return (x - mean) / np.sqrt(variance + 1e-3) * scale + offset


@pytest.mark.parametrize("shape", [(6, 5, 4, 8), (32, 8)])
def test_training_normalizes_with_the_batch(shape):
    x = _RNG.normal(3, 2, shape)
    layer = _layer(8)
    axes = tuple(range(len(shape) - 1))
    expected = _reference(x, layer, x.mean(axes), x.var(axes))
    y = layer(tf.constant(x, tf.float32), training=True)
    np.testing.assert_allclose(y, expected, atol=2e-5)
    assert layer.mean.numpy().max() == 0 and layer.variance.numpy().min() == 1  # Untouched.


@pytest.mark.parametrize("shape", [(6, 5, 4, 8), (32, 8)])
def test_elsewhere_it_normalizes_with_its_statistics(shape):
    x = _RNG.normal(3, 2, shape)
    layer = _layer(8)
    layer.mean.assign(_RNG.normal(3, 0.1, 8))
    layer.variance.assign(_RNG.uniform(1, 4, 8))
    expected = _reference(x, layer, layer.mean.numpy(), layer.variance.numpy())
    np.testing.assert_allclose(layer(tf.constant(x, tf.float32)), expected, atol=2e-5)


def test_batch_renormalization_begins_as_batch_norm():
    """And ends with one set of statistics for every batch."""
    layer = BatchRenorm("norm")
    batches = [tf.constant(_RNG.normal(mean, 2, (6, 5, 4, 8)), tf.float32) for mean in (3, 0)]
    layer(batches[0], training=True, update_statistics=True)
    plain = BatchNorm("plain")
    for batch in batches:
        np.testing.assert_allclose(
            layer(batch, training=True), plain(batch, training=True), atol=1e-5
        )
    layer.end_warm_up()
    for batch in batches:
        np.testing.assert_allclose(layer(batch, training=True), layer(batch), atol=1e-6)
    # The running averages are those of the only batch that updated them.
    np.testing.assert_allclose(layer.mean, batches[0].numpy().mean((0, 1, 2)), rtol=1e-4)


def test_two_replicas_renormalize_as_one():
    """Half way through the warm-up, where the statistics are not those of the batch."""
    x = tf.constant(_RNG.normal(1, 2, (8, 4, 4, 3)), tf.float32)
    upstream = tf.constant(_RNG.normal(0, 1, x.shape), tf.float32)

    def renormalize(strategy):
        count = strategy.num_replicas_in_sync
        with strategy.scope():
            layer = BatchRenorm("norm")
            layer.build(x.shape)
            layer.num_updates.assign(399.0)
            layer.mean.assign([0.0, 1.0, 2.0])
            layer.variance.assign([1.0, 4.0, 9.0])
            layer.scale.assign([0.5, 1.0, 2.0])

        def shares(values):
            return strategy.experimental_distribute_values_from_function(
                lambda context: tf.split(values, count)[context.replica_id_in_sync_group]
            )

        @tf.function
        def one_replica(x, upstream):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True, update_statistics=True)
                loss = tf.reduce_sum(y * upstream)
            return y, *tape.gradient(loss, (x, layer.scale, layer.offset))

        found = strategy.run(one_replica, (shares(x), shares(upstream)))
        y, grad_x, *of_weights = map(strategy.experimental_local_results, found)
        return [
            *(tf.concat(parts, 0) for parts in (y, grad_x)),
            *(tf.add_n(parts) for parts in of_weights),
            layer.mean, layer.variance, layer.num_updates,
        ]  # fmt: skip

    one = renormalize(tf.distribute.get_strategy())
    two = renormalize(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    assert float(one[-1]) == 400
    for expected, value in zip(one, two, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


def test_gradients_match_float64():
    x = _RNG.normal(0, 1, (8, 4, 4, 3))
    weights = _RNG.normal(0, 1, x.shape)
    layer = _layer(3)

    def gradients(x, function):
        variable = tf.Variable(x)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(function(variable) * tf.cast(weights, variable.dtype))
        return tape.gradient(loss, variable).numpy()

    def plain(x):
        mean, variance = tf.nn.moments(x, [0, 1, 2])
        scale, offset = (tf.cast(v.numpy(), tf.float64) for v in (layer.scale, layer.offset))
        return tf.nn.batch_normalization(x, mean, variance, offset, scale, 1e-3)

    fused = gradients(x.astype(np.float32), lambda v: layer(v, training=True))
    np.testing.assert_allclose(fused, gradients(x, plain), atol=1e-5)


def _reestimated(batches):
    generator = Generator(base_filters=8)
    generator(tf.zeros((1, 32, 32, 3)))
    reestimate_statistics(generator, statistics_function(generator), [(b,) for b in batches])
    return generator


def test_reestimated_statistics_are_those_of_the_images():
    """Of the first normalized layer, whose input no other statistics change."""
    batches = [tf.constant(_RNG.random((8, 32, 32, 3)) * (i + 1) / 3, tf.float32) for i in range(3)]
    generator = _reestimated(batches)
    first = tf.nn.leaky_relu(generator.encoder[0](tf.concat(batches, 0)), 0.2)
    x = generator.encoder[1](first).numpy().astype(float)
    norm = generator.encoder_norms[0]
    np.testing.assert_allclose(norm.mean.numpy(), x.mean((0, 1, 2)), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(norm.variance.numpy(), x.var((0, 1, 2)), rtol=5e-3)


def test_reestimated_statistics_reproduce_the_training_output():
    """Estimated on one batch, that batch is translated as in training."""
    images = tf.constant(_RNG.random((16, 32, 32, 3)), tf.float32)
    generator = _reestimated([images])
    np.testing.assert_allclose(generator(images), generator(images, training=True), atol=2e-3)


def test_a_translation_does_not_depend_on_its_batch():
    images = tf.constant(_RNG.random((9, 32, 32, 3)), tf.float32)
    generator = _reestimated([images])
    together = generator(images).numpy()
    for count in (1, 2, 7):
        np.testing.assert_allclose(generator(images[:count]), together[:count], atol=1e-5)
