"""4x4 convolutions, computed in training as processors do them fastest; the same but for rounding.

Processors' convolution kernels are made for large pictures. Over a few pixels of hundreds of features,
as in the middle of these networks, they read all weights anew for each picture of a batch. A product of
matrices reads them once; and rows of the kernel that see nothing but padding are left out of it, for
4x4 pixels a quarter of the work. The gradient by the kernel takes the whole batch at once, too. And a
convolution to three colours fills three of a register's sixteen numbers; of four pixels at once, twelve.
`python -m benchmarks.convolutions` shows what each gains.

Outside training, and on GPUs, all are plain convolutions, so that exports know nothing of this.
"""

import numpy as np
import tensorflow as tf

# The largest pictures, in pixels, whose results and gradients by them are products of matrices.
_FEW_PIXELS = 16
# The largest results, in pixels, whose gradient by the kernel is a convolution of the whole batch.
_KERNEL_GRADIENT_PIXELS = {tf.bfloat16: 64, tf.float32: 16}
# The most features of results that are computed in blocks of 2x2 pixels; four times these fill a register.
_FEW_FILTERS = 4


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int, training: bool) -> tf.Tensor:
    """SAME convolution of x [batch, h, w, c] with kernel [4, 4, c, filters], both of one dtype.

    Args:
      x: Pictures or features; h and w even where `stride` is 2.
      kernel: Weights.
      stride: 1 or 2.
      training: Whether it may be computed in another way than as a convolution.

    Returns:
      [batch, h/stride, w/stride, filters].
    """
    if not training or _on_gpus() or None in x.shape[1:]:
        return _plain(x, kernel, stride)
    pixels = x.shape[1] * x.shape[2]
    if pixels // stride**2 > _KERNEL_GRADIENT_PIXELS.get(x.dtype, 0):
        return _plain(x, kernel, stride)
    by_rows = pixels <= _FEW_PIXELS
    result, by_input = (_by_rows, _input_gradient) if by_rows else (_plain, _plain_input_gradient)

    @tf.custom_gradient
    def convolution(x, kernel):
        def gradients(upstream):
            return by_input(x, kernel, upstream, stride), _kernel_gradient(x, upstream, stride)

        return result(x, kernel, stride), gradients

    return convolution(x, kernel)


def convolve_enlarged(x: tf.Tensor, kernel: tf.Tensor, training: bool) -> tf.Tensor:
    """SAME convolution, of stride 1, of `tf.nn.depth_to_space(x, 2)`.

    Args:
      x: [batch, h, w, 4 * c].
      kernel: Weights [4, 4, c, filters], in the dtype of x.
      training: As of `convolve`.

    Returns:
      [batch, 2 * h, 2 * w, filters].
    """
    if not training or _on_gpus() or kernel.shape[-1] > _FEW_FILTERS:
        return convolve(tf.nn.depth_to_space(x, 2), kernel, 1, training)
    # TensorFlow computes a ReLU along with the batch norm before it, unless a convolution comes next.
    apart = tf.ensure_shape(x, x.shape)
    return tf.nn.depth_to_space(_plain(apart, _kernel_of_blocks(kernel), 1), 2)


def _on_gpus() -> bool:
    """Whose convolutions do well with few pixels too."""
    return bool(tf.config.list_physical_devices("GPU"))


def _plain(x, kernel, stride):
    return tf.nn.conv2d(x, kernel, stride, "SAME")


def _plain_input_gradient(x, kernel, upstream, stride):
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream,
        strides=[1, stride, stride, 1], padding="SAME",
    )  # fmt: skip


def _by_rows(x, kernel, stride):
    """The convolution, a product for each row of results: of what it sees and the kernel over that."""
    height, filters = x.shape[1], kernel.shape[-1]
    seen, kernel_rows = _seen(x, stride), tf.reshape(kernel, [4, -1, filters])
    results = []
    for row in range(height // stride):
        first = stride * row - 1  # Under the kernel's first row; above all of x for the first result.
        top, end = max(first, 0), min(first + 4, height)
        weights = tf.reshape(kernel_rows[top - first : end - first], [-1, filters])
        results.append(tf.matmul(tf.concat(seen[top:end], 1), weights))
    return tf.stack([tf.reshape(row, [-1, x.shape[2] // stride, filters]) for row in results], 1)


def _kernel_gradient(x, upstream, stride):
    """[4, 4, c, filters]: again a convolution, with the pictures of the batch as features.

    A place of the kernel has met x wherever upstream stands, shifted: so x is convolved with upstream.
    """
    padding = [1, 3 - stride]
    result = tf.nn.conv2d(
        tf.transpose(x, [3, 1, 2, 0]), tf.transpose(upstream, [1, 2, 0, 3]),
        strides=1, padding=[[0, 0], padding, padding, [0, 0]], dilations=stride,
    )  # fmt: skip
    return tf.transpose(result, [1, 2, 0, 3])


def _input_gradient(x, kernel, upstream, stride):
    if stride == 1:
        # The transpose of a convolution is that of what is turned around, features in each other's place.
        turned = tf.reverse(upstream, [1, 2])
        return tf.reverse(_by_rows(turned, tf.transpose(kernel, [0, 1, 3, 2]), 1), [1, 2])
    _, height, width, filters = upstream.shape
    inputs = kernel.shape[2]
    blocks = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, inputs, filters]), [0, 2, 1, 3, 4, 5])
    product = tf.matmul(_matrix(upstream), tf.reshape(blocks, [-1, filters]), transpose_b=True)
    product = tf.reshape(product, [-1, height, width, 2, 2, 4 * inputs])
    # A block of x is in up to four windows; each window's second row of blocks is the next one's first.
    rows = _overlapped(product[:, :, :, 0], product[:, :, :, 1], axis=1)
    folded = _overlapped(rows[:, :, :, 0], rows[:, :, :, 1], axis=2)
    return tf.nn.depth_to_space(folded, 2)[:, 1:-1, 1:-1]


def _overlapped(first, second, axis: int):
    """first and second added up, the second one place later along the axis."""
    before, after = ([[0, 0] for _ in first.shape] for _ in range(2))
    before[axis], after[axis] = [0, 1], [1, 0]
    return tf.pad(first, before) + tf.pad(second, after)


def _seen(x, stride) -> list[tf.Tensor]:
    """For each row of x, what a row of windows sees of it: [batch * w/stride, 4 * c]."""
    _, height, width, inputs = x.shape
    x = tf.pad(x, [[0, 0], [0, 0], [1, 3 - stride], [0, 0]])
    if stride == 2:  # A window is two pairs of columns, and its second pair the next one's first.
        x = tf.reshape(x, [-1, height, width // 2 + 1, 2 * inputs])
    steps, results = 4 // stride, width // stride
    windows = tf.concat([x[:, :, start : start + results] for start in range(steps)], -1)
    return [_matrix(row) for row in tf.unstack(windows, axis=1)]


def _matrix(x):
    """[..., features] -> [places, features]."""
    return tf.reshape(x, [-1, x.shape[-1]])


def _kernel_of_blocks(kernel):
    """[4, 4, c, filters] over pixels -> [3, 3, 4 * c, 4 * filters] over blocks of 2x2 pixels."""
    inputs, filters = kernel.shape[2:]
    # Along one axis: block, pixel in it, result -> the kernel's place there, if it reaches there at all.
    block, pixel, result, place = np.ogrid[:3, :2, :2, :4]
    along_one = 2 * block + pixel - (1 + result) == place
    places = np.einsum("brpk,csql->bcrspqkl", along_one, along_one).reshape(9 * 4 * 4, 16)
    # One product, whose gradient is another: the gradients of four paddings would be added up as they come.
    blocks = tf.matmul(tf.constant(places, kernel.dtype), tf.reshape(kernel, [16, inputs * filters]))
    blocks = tf.transpose(tf.reshape(blocks, [3, 3, 4, 4, inputs, filters]), [0, 1, 2, 4, 3, 5])
    return tf.reshape(blocks, [3, 3, 4 * inputs, 4 * filters])
