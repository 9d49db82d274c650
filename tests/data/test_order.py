import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.data import order


def _indices(start, count, n, seed=0, stream=0):
    positions = tf.range(start, start + count, dtype=tf.int64)
    return order.image_indices(positions, n, seed, stream).numpy()


@pytest.mark.parametrize("n", [1, 2, 7, 100, 1000])
def test_every_epoch_is_a_permutation(n):
    for epoch in range(3):
        assert sorted(_indices(epoch * n, n, n)) == list(range(n))


def test_epochs_seeds_and_streams_differ():
    first = _indices(0, 100, 100)
    for other in (
        _indices(100, 100, 100),
        _indices(0, 100, 100, seed=1),
        _indices(0, 100, 100, stream=1),
    ):
        assert (first != other).mean() > 0.9


def test_order_depends_on_the_position_alone():
    whole = _indices(0, 50, 7)
    np.testing.assert_array_equal(whole[20:33], _indices(20, 13, 7))


def test_order_is_spread_out():
    """Neighbors in the domain do not stay neighbors, and no image has a preferred position."""
    places = np.stack([_indices(epoch * 64, 64, 64) for epoch in range(200)])
    assert np.abs(np.diff(places, axis=1)).mean() == pytest.approx(64 / 3, rel=0.05)
    assert np.abs(places.mean(axis=0) - 31.5).max() < 6


def test_flips_are_a_function_of_seed_and_position():
    def draw(position, seed=0, stream=0):
        return order.flips(tf.constant(position, tf.int64), 64, seed, stream).numpy()

    np.testing.assert_array_equal(draw(128), draw(128))
    for other in (draw(192), draw(128, seed=1), draw(128, stream=1)):
        assert 0.2 < (draw(128) != other).mean() < 0.8
    assert np.mean([draw(64 * i) for i in range(50)]) == pytest.approx(0.5, abs=0.05)
