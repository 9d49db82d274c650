"""A 4x4 convolution whose gradients are matrix products where that is faster.

Processors' convolution kernels are made for large pictures. Where a few pixels have hundreds of features
each, as inside these networks, their gradients reach a small part of the speed of a matrix product over the
same numbers (`benchmarks/RESULTS.md`). Forwards they do well: what is exported is a plain convolution.
"""

import tensorflow as tf

# The largest results, in pixels, whose gradient by the kernel is a product of matrices, and by the input.
_KERNEL_GRADIENT_PIXELS = {tf.bfloat16: 16, tf.float32: 4}
_INPUT_GRADIENT_PIXELS = 4  # Of stride 2 alone.


def convolve(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """SAME convolution of x [batch, h, w, c] with kernel [4, 4, c, filters], both of one dtype.

    Args:
      x: Pictures or features; h and w even where `stride` is 2.
      kernel: Weights.
      stride: 1 or 2.

    Returns:
      [batch, h/stride, w/stride, filters].
    """

    def plain(x, kernel):
        return tf.nn.conv2d(x, kernel, stride, "SAME")

    @tf.custom_gradient
    def small(x, kernel):
        def gradients(upstream):
            return _input_gradient(x, kernel, upstream), _kernel_gradient(x, kernel, upstream)

        return plain(x, kernel), gradients

    return (small if _is_small(x, stride) else plain)(x, kernel)


def _is_small(x, stride: int) -> bool:
    """Never on GPUs, whose convolutions do well."""
    if tf.config.list_physical_devices("GPU") or None in x.shape[1:]:
        return False
    return (x.shape[1] // stride) * (x.shape[2] // stride) <= _KERNEL_GRADIENT_PIXELS.get(x.dtype, 0)


def _kernel_gradient(x, kernel, upstream):
    inputs, filters = kernel.shape[2:]
    if x.shape[1] == upstream.shape[1]:
        product = tf.matmul(_rows(_windows(x)), _rows(upstream), transpose_a=True)
        return tf.reshape(product, kernel.shape)
    product = tf.matmul(_rows(_windows_of_blocks(x)), _rows(upstream), transpose_a=True)
    # Its rows are (block row, block column, row in block, column in block, feature).
    product = tf.reshape(product, [2, 2, 2, 2, inputs, filters])
    return tf.reshape(tf.transpose(product, [0, 2, 1, 3, 4, 5]), kernel.shape)


def _input_gradient(x, kernel, upstream):
    _, height, width, filters = upstream.shape
    stride = x.shape[1] // height
    if stride == 1 or height * width > _INPUT_GRADIENT_PIXELS:
        return tf.raw_ops.Conv2DBackpropInput(
            input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream,
            strides=[1, stride, stride, 1], padding="SAME",
        )  # fmt: skip
    inputs = kernel.shape[2]
    blocks = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, inputs, filters]), [0, 2, 1, 3, 4, 5])
    product = tf.matmul(_rows(upstream), tf.reshape(blocks, [-1, filters]), transpose_b=True)
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


def _rows(x):
    return tf.reshape(x, [-1, x.shape[-1]])


def _windows(x):
    """What each place of a convolution of stride 1 sees: [batch, h, w, c] -> [batch, h, w, 16 * c]."""
    _, height, width, _ = x.shape
    x = tf.pad(x, [[0, 0], [1, 2], [1, 2], [0, 0]])
    columns = tf.concat([x[:, :, start : start + width] for start in range(4)], -1)
    return tf.concat([columns[:, start : start + height] for start in range(4)], -1)


def _windows_of_blocks(x):
    """What each place of a convolution of stride 2 sees: [batch, h, w, c] -> [batch, h/2, w/2, 16 * c].

    In blocks of 2x2 pixels a window is 2x2 blocks, and the next window is one block further.
    """
    _, height, width, _ = x.shape
    blocks = tf.nn.space_to_depth(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
    return tf.concat(
        [
            blocks[:, row : row + height // 2, column : column + width // 2]
            for row in range(2)
            for column in range(2)
        ],
        -1,
    )
