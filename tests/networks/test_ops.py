"""Convolutions as they are trained, and their gradients, against sums written out in float64."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.ops import convolve, convolve_upsampled


def _reference(x, kernel, upstream, stride):
    """The convolution, its gradients by x and by the kernel: each kernel place by itself, in float64."""
    size, out = x.shape[1], upstream.shape[1]
    before = 1  # TensorFlow's SAME padding of a kernel of 4: the odd pixel comes after.
    padded = np.pad(x, [(0, 0), (before, 2), (before, 2), (0, 0)])
    result = np.zeros_like(upstream)
    by_padded, by_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    span = stride * (out - 1) + 1
    for i in range(4):
        for j in range(4):
            seen = np.s_[:, i : i + span : stride, j : j + span : stride]
            result += padded[seen] @ kernel[i, j]
            by_kernel[i, j] = np.einsum("nhwc,nhwf->cf", padded[seen], upstream)
            by_padded[seen] += np.einsum("nhwf,cf->nhwc", upstream, kernel[i, j])
    return result, by_padded[:, before : before + size, before : before + size], by_kernel


def _trained(convolution, x, kernel, upstream, dtype):
    """What `convolution` gives in training, its gradients, and the kinds of operations of both."""
    x, kernel, upstream = (tf.cast(array, dtype) for array in (x, kernel, upstream))

    @tf.function
    def run(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            result = convolution(x, kernel, training=True)
            objective = tf.reduce_sum(tf.cast(result * upstream, tf.float32))
        return [result, *tape.gradient(objective, [x, kernel])]

    nodes = {node.type for node in run.get_concrete_function(x, kernel).graph.get_operations()}
    return [tf.cast(array, tf.float64).numpy() for array in run(x, kernel)], nodes


def _strided(stride):
    return lambda x, kernel, training: convolve(x, kernel, stride, training)


def _drawn(*shapes):
    """Numbers that bfloat16 holds: what is left is the error of the computation."""
    rng = np.random.default_rng(0)
    return [
        tf.cast(rng.normal(size=shape), tf.bfloat16).numpy().astype(np.float64) for shape in shapes
    ]


def _assert_close(found, exact, error):
    for ours, theirs in zip(found, exact, strict=True):
        assert np.linalg.norm(ours - theirs) < error * np.linalg.norm(theirs)


_PRECISIONS = pytest.mark.parametrize(("dtype", "error"), [(tf.float32, 1e-6), (tf.bfloat16, 6e-3)])


@_PRECISIONS
@pytest.mark.parametrize(
    ("size", "stride"), [(2, 2), (4, 2), (8, 2), (16, 2), (1, 1), (2, 1), (4, 1), (8, 1)]
)
def test_convolutions_and_their_gradients(size, stride, dtype, error):
    arrays = _drawn((3, size, size, 5), (4, 4, 5, 6), (3, size // stride, size // stride, 6))
    found, _ = _trained(_strided(stride), *arrays, dtype)
    _assert_close(found, _reference(*arrays, stride), error)


@_PRECISIONS
@pytest.mark.parametrize("filters", [3, 6])
def test_enlarged_ones_and_their_gradients(filters, dtype, error):
    pixels, kernel, upstream = _drawn((3, 10, 10, 5), (4, 4, 5, filters), (3, 10, 10, filters))
    features = tf.nn.space_to_depth(pixels, 2).numpy()
    found, nodes = _trained(convolve_upsampled, features, kernel, upstream, dtype)
    assert ("EnsureShape" in nodes) == (filters == 3)  # Few filters are computed in blocks.
    result, by_pixels, by_kernel = _reference(pixels, kernel, upstream, 1)
    _assert_close(found, (result, tf.nn.space_to_depth(by_pixels, 2).numpy(), by_kernel), error)


@pytest.mark.parametrize("height", [2, 6])
def test_images_need_not_be_square(height):
    arrays = [tf.cast(array, tf.float32) for array in _drawn((2, height, 2, 5), (4, 4, 5, 6))]
    for stride in (1, 2):
        plain = convolve(*arrays, stride, training=False)
        np.testing.assert_allclose(convolve(*arrays, stride, training=True), plain, atol=1e-4)


def test_small_ones_are_products_and_large_ones_are_convolutions():
    _, nodes = _trained(_strided(2), *_drawn((2, 4, 4, 3), (4, 4, 3, 2), (2, 2, 2, 2)), tf.float32)
    assert "MatMul" in nodes and not {node for node in nodes if node.startswith("Conv2DBackprop")}
    _, nodes = _trained(
        _strided(2), *_drawn((2, 16, 16, 3), (4, 4, 3, 2), (2, 8, 8, 2)), tf.float32
    )
    assert "MatMul" not in nodes and {"Conv2D", "Conv2DBackpropFilter"} <= nodes


def test_outside_training_they_are_plain_convolutions():
    """So that exports, and what reads them, know nothing of it."""
    x, kernel = tf.ones((1, 4, 4, 16)), tf.ones((4, 4, 4, 2))

    @tf.function
    def run(x):
        enlarged = convolve_upsampled(x, kernel, training=False)
        return enlarged, convolve(x, tf.ones((4, 4, 16, 2)), 2, training=False)

    nodes = {node.type for node in run.get_concrete_function(x).graph.get_operations()}
    assert "Conv2D" in nodes and not nodes & {"MatMul", "EnsureShape"}
