"""The fast operations against the plain ones, and against sums written out in float64."""

import numpy as np
import pytest
import tensorflow as tf

from discogan_tf.networks import normalization_ops, ops


def _reference(x, kernel, upstream, stride):
    """The convolution and its gradients: each place of the kernel by itself, in float64."""
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


def _results(function, x, kernel, upstream, dtype):
    """What `function` returns, its gradients, and the kinds of operations of both."""
    x, kernel, upstream = (tf.cast(array, dtype) for array in (x, kernel, upstream))

    @tf.function
    def run(x, kernel):
        with tf.GradientTape() as tape:
            tape.watch([x, kernel])
            result = function(x, kernel)
            objective = tf.reduce_sum(tf.cast(result * upstream, tf.float32))
        return [result, *tape.gradient(objective, [x, kernel])]

    nodes = {node.type for node in run.get_concrete_function(x, kernel).graph.get_operations()}
    return [tf.cast(array, tf.float64).numpy() for array in run(x, kernel)], nodes


def _strided(stride):
    return lambda x, kernel: ops.conv2d_auto(x, kernel, stride)


def _upsampled(x, kernel):
    return ops.conv2d_auto(tf.nn.depth_to_space(x, 2), kernel, 1)


def _random(*shapes):
    """Numbers that bfloat16 can represent: what remains is the error of the computation."""
    rng = np.random.default_rng(0)
    arrays = [tf.cast(rng.normal(size=shape), tf.bfloat16) for shape in shapes]
    return [array.numpy().astype(np.float64) for array in arrays]


def _assert_close(found, exact, error):
    for ours, theirs in zip(found, exact, strict=True):
        assert np.linalg.norm(ours - theirs) < error * np.linalg.norm(theirs)


_PRECISIONS = pytest.mark.parametrize(("dtype", "error"), [(tf.float32, 1e-6), (tf.bfloat16, 6e-3)])


@_PRECISIONS
@pytest.mark.parametrize(
    ("size", "stride"), [(2, 2), (4, 2), (8, 2), (16, 2), (1, 1), (2, 1), (4, 1), (8, 1)]
)
def test_convolutions_and_their_gradients(size, stride, dtype, error):
    arrays = _random((3, size, size, 5), (4, 4, 5, 6), (3, size // stride, size // stride, 6))
    found, _ = _results(_strided(stride), *arrays, dtype)
    _assert_close(found, _reference(*arrays, stride), error)


@_PRECISIONS
@pytest.mark.parametrize("filters", [3, 6])
def test_convolutions_behind_depth_to_space_and_their_gradients(filters, dtype, error):
    pixels, kernel, upstream = _random((3, 10, 10, 5), (4, 4, 5, filters), (3, 10, 10, filters))
    features = tf.nn.space_to_depth(pixels, 2).numpy()
    found, nodes = _results(_upsampled, features, kernel, upstream, dtype)
    assert ("EnsureShape" in nodes) == (filters == 3)  # Few filters are computed in blocks.
    result, by_pixels, by_kernel = _reference(pixels, kernel, upstream, 1)
    _assert_close(found, (result, tf.nn.space_to_depth(by_pixels, 2).numpy(), by_kernel), error)


def test_blocks_only_where_the_graph_shows_depth_to_space_by_two():
    x, kernel = tf.ones((1, 4, 4, 32)), tf.ones((4, 4, 2, 3))

    def nodes(function):
        graph = tf.function(function).get_concrete_function(x).graph
        return {node.type for node in graph.get_operations()}

    assert "EnsureShape" not in nodes(lambda x: ops.conv2d_auto(x, tf.ones((4, 4, 32, 3)), 1))
    by_four = lambda x: ops.conv2d_auto(tf.nn.depth_to_space(x, 4), kernel, 1)  # noqa: E731
    assert "EnsureShape" not in nodes(by_four)
    eager = ops.conv2d_auto(tf.nn.depth_to_space(x, 4), kernel, 1)
    np.testing.assert_allclose(eager, tf.function(by_four)(x), rtol=1e-6)


@_PRECISIONS
@pytest.mark.parametrize(("height", "width"), [(2, 4), (3, 6), (5, 4)])
def test_convolutions_of_upsampled_images_and_their_gradients(height, width, dtype, error):
    """Few pixels are upsampled first, the others never: both as each pixel written out."""
    x, kernel, upstream = _random(
        (2, height, width, 5), (3, 3, 5, 4), (2, 2 * height, 2 * width, 4)
    )
    found, nodes = _results(ops.conv2d_upsampled, x, kernel, upstream, dtype)
    assert ("Slice" in nodes) == (height * width > 16)
    padded = np.pad(x.repeat(2, 1).repeat(2, 2), [(0, 0), (1, 1), (1, 1), (0, 0)])
    result, by_padded, by_kernel = np.zeros_like(upstream), np.zeros_like(padded), 0 * kernel
    for i, j in np.ndindex(3, 3):
        seen = np.s_[:, i : i + 2 * height, j : j + 2 * width]
        result += padded[seen] @ kernel[i, j]
        by_kernel[i, j] = np.einsum("nhwc,nhwf->cf", padded[seen], upstream)
        by_padded[seen] += np.einsum("nhwf,cf->nhwc", upstream, kernel[i, j])
    by_blocks = by_padded[:, 1:-1, 1:-1].reshape(2, height, 2, width, 2, 5)
    _assert_close(found, (result, by_blocks.sum((2, 4)), by_kernel), error)


def test_upsampled_images_may_have_any_size():
    x, kernel = (tf.cast(array, tf.float32) for array in _random((2, 6, 3, 5), (3, 3, 5, 4)))
    signature = tf.TensorSpec((None, None, None, 5))
    any_size = tf.function(lambda x: ops.conv2d_upsampled(x, kernel), input_signature=[signature])
    np.testing.assert_allclose(any_size(x), ops.conv2d_upsampled(x, kernel), atol=1e-5)


@pytest.mark.parametrize("height", [2, 6])
def test_images_need_not_be_square(height):
    arrays = [tf.cast(array, tf.float32) for array in _random((2, height, 2, 5), (4, 4, 5, 6))]
    for stride in (1, 2):
        plain = ops.conv2d(*arrays, stride)
        np.testing.assert_allclose(ops.conv2d_auto(*arrays, stride), plain, atol=1e-4)


def test_small_ones_are_products_and_large_ones_are_convolutions():
    small = _random((2, 4, 4, 3), (4, 4, 3, 2), (2, 2, 2, 2))
    _, nodes = _results(_strided(2), *small, tf.float32)
    assert "MatMul" in nodes and not {node for node in nodes if node.startswith("Conv2DBackprop")}
    large = _random((2, 16, 16, 3), (4, 4, 3, 2), (2, 8, 8, 2))
    _, nodes = _results(_strided(2), *large, tf.float32)
    assert "MatMul" not in nodes and {"Conv2D", "Conv2DBackpropFilter"} <= nodes


@pytest.mark.parametrize("shape", [(6, 5, 4, 8), (2, 1, 1, 3)])
def test_fused_normalization_is_the_plain_one(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, shape).astype(np.float32)
    scale, offset, mean = rng.normal(size=(3, shape[-1])).astype(np.float32)
    variance = rng.uniform(0.5, 2, shape[-1]).astype(np.float32)
    fused = normalization_ops.normalize_fused(x, scale, offset, mean, variance)
    np.testing.assert_allclose(
        fused, normalization_ops.normalize(x, scale, offset, mean, variance), rtol=1e-4, atol=1e-5
    )


def test_the_statistics_of_the_batch_are_those_of_its_values():
    x = np.random.default_rng(0).normal(3, 2, (6, 5, 4, 8)).astype(np.float32)
    y, mean, variance = normalization_ops.normalize_by_batch(
        x, np.ones(8, np.float32), np.zeros(8, np.float32)
    )
    np.testing.assert_allclose(mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, x.var((0, 1, 2)), rtol=1e-4)
    plain = normalization_ops.normalize(x, 1.0, 0.0, mean, variance)
    np.testing.assert_allclose(y, plain, atol=1e-5)


def test_spectral_normalization_divides_by_the_largest_singular_value():
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(size=(4, 4, 3, 8)), tf.float32)
    u = tf.constant(rng.normal(size=8), tf.float32)
    for _ in range(100):
        normalized, u = normalization_ops.normalize_spectrally(kernel, u)
    norm = np.linalg.norm(kernel.numpy().reshape(-1, 8), 2)
    np.testing.assert_allclose(normalized, kernel / norm, rtol=1e-4)


def test_the_gradient_of_spectral_normalization_has_constant_singular_vectors():
    rng = np.random.default_rng(0)
    kernel, upstream = (tf.constant(rng.normal(size=(4, 4, 3, 8)), tf.float32) for _ in range(2))
    u = tf.constant(rng.normal(size=8), tf.float32)

    def plain(kernel):
        matrix = tf.reshape(kernel, [-1, 8])
        v = tf.math.l2_normalize(tf.linalg.matvec(matrix, u))
        next_u = tf.math.l2_normalize(tf.linalg.matvec(matrix, v, transpose_a=True))
        v, next_u = tf.stop_gradient(v), tf.stop_gradient(next_u)
        return kernel / tf.reduce_sum(v * tf.linalg.matvec(matrix, next_u))

    gradients = []
    for function in (lambda kernel: normalization_ops.normalize_spectrally(kernel, u)[0], plain):
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            normalized = function(kernel)
        gradients.append(tape.gradient(normalized, kernel, upstream))
    np.testing.assert_allclose(*gradients, atol=1e-5)
