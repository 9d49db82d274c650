"""Gradients of convolutions against sums written out in float64."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks.convolution import convolve


def _reference(x, kernel, upstream, stride):
    """Gradients by x and by the kernel: each kernel place by itself, in float64."""
    size, out = x.shape[1], upstream.shape[1]
    before = 1  # TensorFlow's SAME padding of a kernel of 4: the odd pixel comes after.
    padded = np.pad(x, [(0, 0), (before, 2), (before, 2), (0, 0)])
    by_padded, by_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    span = stride * (out - 1) + 1
    for i in range(4):
        for j in range(4):
            seen = np.s_[:, i : i + span : stride, j : j + span : stride]
            by_kernel[i, j] = np.einsum("nhwc,nhwf->cf", padded[seen], upstream)
            by_padded[seen] += np.einsum("nhwf,cf->nhwc", upstream, kernel[i, j])
    return by_padded[:, before : before + size, before : before + size], by_kernel


def _gradients(x, kernel, upstream, stride, dtype):
    x, kernel, upstream = (tf.cast(array, dtype) for array in (x, kernel, upstream))

    @tf.function
    def run(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            objective = tf.reduce_sum(tf.cast(convolve(x, kernel, stride) * upstream, tf.float32))
        return tape.gradient(objective, [x, kernel])

    nodes = {node.type for node in run.get_concrete_function(x, kernel).graph.get_operations()}
    return [tf.cast(gradient, tf.float64).numpy() for gradient in run(x, kernel)], nodes


@pytest.mark.parametrize(("dtype", "error"), [(tf.float32, 1e-6), (tf.bfloat16, 6e-3)])
@pytest.mark.parametrize(
    ("size", "stride"), [(2, 2), (4, 2), (8, 2), (16, 2), (1, 1), (2, 1), (4, 1), (8, 1)]
)
def test_gradients(size, stride, dtype, error):
    rng = np.random.default_rng(size)
    shapes = (3, size, size, 5), (4, 4, 5, 6), (3, size // stride, size // stride, 6)
    # Numbers that bfloat16 holds: what is left is the error of the computation.
    arrays = [tf.cast(rng.normal(size=shape), tf.bfloat16).numpy().astype(np.float64) for shape in shapes]
    found, _ = _gradients(*arrays, stride, dtype)
    for ours, exact in zip(found, _reference(*arrays, stride), strict=True):
        assert np.linalg.norm(ours - exact) < error * np.linalg.norm(exact)


def test_small_ones_are_products_and_large_ones_are_convolutions():
    arrays = [np.ones((2, 4, 4, 3)), np.ones((4, 4, 3, 2)), np.ones((2, 2, 2, 2))]
    _, nodes = _gradients(*arrays, 2, tf.float32)
    assert "MatMul" in nodes and "Conv2DBackpropFilter" not in nodes
    arrays = [np.ones((2, 16, 16, 3)), np.ones((4, 4, 3, 2)), np.ones((2, 8, 8, 2))]
    _, nodes = _gradients(*arrays, 2, tf.bfloat16)
    assert "MatMul" not in nodes and "Conv2DBackpropFilter" in nodes


def test_forwards_it_is_a_plain_convolution():
    """So that exports, and what reads them, know nothing of it."""
    run = tf.function(lambda x: convolve(x, tf.ones((4, 4, 3, 2)), 2))
    nodes = {node.type for node in run.get_concrete_function(tf.ones((1, 4, 4, 3))).graph.get_operations()}
    assert "Conv2D" in nodes and "MatMul" not in nodes
