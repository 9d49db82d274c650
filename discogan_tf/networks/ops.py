"""The operations behind the layers: each fast one beside the plain one that it replaces.

Most convolutions here are 4x4 with SAME padding. The convolution kernels of processors are made for
large images: over a few pixels of hundreds of channels, as in the middle of these networks, they
read all weights again for each image of a batch. `conv2d_auto` replaces them where something else
is faster:

- Few pixels: one matrix product per row of results reads the weights once, and skips the rows of
  the kernel over padding (a quarter of the work over 4x4 pixels). This is im2col, row by row.
- The gradient with respect to the kernel: one convolution with the batch as channels.
- Three output channels after `depth_to_space`: a convolution over blocks of 2x2 pixels fills
  twelve of a register's sixteen numbers instead of three.

A 3x3 convolution after an upsampling sees every pixel twice or four times. `conv2d_upsampled` adds
the weights of equal pixels first, and convolves the small image with the sums: four products per
result instead of nine.

`python -m benchmarks.convolutions` measures each against `conv2d`.
"""

import numpy as np
import tensorflow as tf

# The largest inputs, in pixels, that are convolved by matrix products.
_MATMUL_PIXELS = 16
# The largest results, in pixels, whose kernel gradient is a convolution over the whole batch.
_KERNEL_GRADIENT_PIXELS = {tf.bfloat16: 64, tf.float32: 16}
# The largest inputs, in pixels, that are upsampled before a convolution: making sums of weights
# takes longer than they save.
_FEW_PIXELS = 16
# The most output channels that are computed in blocks of 2x2 pixels.
_BLOCK_FILTERS = 4


def conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """SAME convolution by TensorFlow's own operation, the reference for `conv2d_auto`.

    Args:
      x: [batch, h, w, c].
      kernel: [kernel_h, kernel_w, c, filters], in the dtype of `x`.
      stride: Step of the kernel in both directions.

    Returns:
      [batch, h/stride, w/stride, filters].
    """
    return tf.nn.conv2d(x, kernel, stride, "SAME")


def conv2d_auto(x: tf.Tensor, kernel: tf.Tensor, stride: int) -> tf.Tensor:
    """`conv2d` with a 4x4 kernel, by whatever processors compute fastest at these sizes.

    Args:
      x: [batch, h, w, c]; h and w are even where `stride` is 2.
      kernel: [4, 4, c, filters], in the dtype of `x`.
      stride: 1 or 2.
    """
    if None in x.shape[1:]:
        return conv2d(x, kernel, stride)
    if kernel.shape[-1] <= _BLOCK_FILTERS and stride == 1 and _is_depth_to_space(x):
        return _conv2d_in_blocks(x.op.inputs[0], kernel)
    pixels = x.shape[1] * x.shape[2]
    if pixels // stride**2 > _KERNEL_GRADIENT_PIXELS.get(x.dtype, 0):
        return conv2d(x, kernel, stride)
    by_matmul = pixels <= _MATMUL_PIXELS
    forward, input_gradient = (
        (_conv2d_by_matmul, _input_gradient_by_matmul) if by_matmul else (conv2d, _input_gradient)
    )

    @tf.custom_gradient
    def convolution(x, kernel):
        def gradients(upstream):
            return input_gradient(x, kernel, upstream, stride), _kernel_gradient(
                x, upstream, stride
            )

        return forward(x, kernel, stride), gradients

    return convolution(x, kernel)


def upsample(x: tf.Tensor) -> tf.Tensor:
    """[batch, h, w, c] -> [batch, 2h, 2w, c]: every pixel becomes four."""
    return tf.nn.depth_to_space(tf.tile(x, [1, 1, 1, 4]), 2)


def conv2d_upsampled(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """SAME convolution of `upsample(x)` with a 3x3 kernel.

    Args:
      x: [batch, h, w, c].
      kernel: [3, 3, c, filters], float32.

    Returns:
      [batch, 2h, 2w, filters], in the dtype of `x`.
    """
    if None not in x.shape[1:] and x.shape[1] * x.shape[2] <= _FEW_PIXELS:
        return tf.nn.conv2d(upsample(x), tf.cast(kernel, x.dtype), 1, "SAME")
    sums = tf.cast(_sums_over_equal_pixels(kernel), x.dtype)
    # [batch, h + 1, w + 1, 4 * filters]: blocks of 2x2 results, from the block around the first.
    blocks = tf.nn.conv2d(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), sums, 1, "VALID")
    height, width = (
        2 * (size or tf.shape(x)[axis]) for axis, size in enumerate(x.shape[1:3], start=1)
    )
    # The gradient of tf.slice is padding; that of [...] is several times slower.
    return tf.slice(tf.nn.depth_to_space(blocks, 2), [0, 1, 1, 0], [-1, height, width, -1])


def _sums_over_equal_pixels(kernel):
    """[3, 3, c, filters] over upsampled pixels -> [2, 2, c, 4 * filters] over those of the input.

    For an odd result, the first and second row of the kernel see the same row of the input, for an
    even one the second and third. Columns likewise. Row n of the input and the one after it are
    all that results 2n + 1 and 2n + 2 depend on.
    """
    inputs, filters = kernel.shape[2:]
    # Along one axis: odd or even result, row of the input, row of the kernel.
    along_one = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    sums = np.einsum("apk,bql->pqabkl", along_one, along_one).reshape(16, 9)
    # One product, whose gradient is another, as in `_block_kernel`.
    summed = tf.matmul(tf.constant(sums, kernel.dtype), tf.reshape(kernel, [9, inputs * filters]))
    summed = tf.transpose(tf.reshape(summed, [2, 2, 4, inputs, filters]), [0, 1, 3, 2, 4])
    return tf.reshape(summed, [2, 2, inputs, 4 * filters])


# By the value of --conv_implementation.
CONV2D = {"auto": conv2d_auto, "plain": conv2d}


def _is_depth_to_space(x) -> bool:
    """Whether the graph shows that `x` comes straight from `tf.nn.depth_to_space(..., 2)`."""
    if tf.executing_eagerly() or x.op.type != "DepthToSpace":
        return False
    return x.op.get_attr("block_size") == 2


def _conv2d_in_blocks(x, kernel):
    """`conv2d(tf.nn.depth_to_space(x, 2), kernel, 1)` without ever making the enlarged tensor."""
    # TensorFlow fuses a ReLU into the preceding batch norm only if no convolution directly follows.
    separate = tf.ensure_shape(x, x.shape)
    return tf.nn.depth_to_space(conv2d(separate, _block_kernel(kernel), 1), 2)


def _block_kernel(kernel):
    """[4, 4, c, filters] over pixels -> [3, 3, 4 * c, 4 * filters] over blocks of 2x2 pixels."""
    inputs, filters = kernel.shape[2:]
    # Along one axis: input block, pixel in the block, output pixel, kernel row. True where that
    # kernel row connects the two pixels.
    block, pixel, result, row = np.ogrid[:3, :2, :2, :4]
    along_one = 2 * block + pixel - (1 + result) == row
    rows = np.einsum("brpk,csql->bcrspqkl", along_one, along_one).reshape(9 * 4 * 4, 16)
    # One product, whose gradient is another. The gradients of four paddings would be added in an
    # order that varies between runs.
    blocks = tf.matmul(tf.constant(rows, kernel.dtype), tf.reshape(kernel, [16, inputs * filters]))
    blocks = tf.transpose(tf.reshape(blocks, [3, 3, 4, 4, inputs, filters]), [0, 1, 2, 4, 3, 5])
    return tf.reshape(blocks, [3, 3, 4 * inputs, 4 * filters])


def _conv2d_by_matmul(x, kernel, stride):
    """One matrix product per row of results: the row's receptive field times the kernel over it."""
    height, filters = x.shape[1], kernel.shape[-1]
    windows, kernel_rows = _row_windows(x, stride), tf.reshape(kernel, [4, -1, filters])
    results = []
    for row in range(height // stride):
        # Row of x under the first kernel row; -1, which is padding, for the first result.
        first = stride * row - 1
        top, end = max(first, 0), min(first + 4, height)
        weights = tf.reshape(kernel_rows[top - first : end - first], [-1, filters])
        results.append(tf.matmul(tf.concat(windows[top:end], 1), weights))
    return tf.stack([tf.reshape(row, [-1, x.shape[2] // stride, filters]) for row in results], 1)


def _row_windows(x, stride) -> list[tf.Tensor]:
    """For each row of x, the columns under each window: [batch * w/stride, 4 * c] (im2col)."""
    _, height, width, inputs = x.shape
    x = tf.pad(x, [[0, 0], [0, 0], [1, 3 - stride], [0, 0]])
    if stride == 2:  # A window is two pairs of columns, and its second pair the next one's first.
        x = tf.reshape(x, [-1, height, width // 2 + 1, 2 * inputs])
    steps, results = 4 // stride, width // stride
    windows = tf.concat([x[:, :, start : start + results] for start in range(steps)], -1)
    return [_matrix(row) for row in tf.unstack(windows, axis=1)]


def _kernel_gradient(x, upstream, stride):
    """Gradient with respect to the kernel: a convolution with the batch as channels.

    It is the correlation of x with `upstream`.
    """
    padding = [1, 3 - stride]
    result = tf.nn.conv2d(
        tf.transpose(x, [3, 1, 2, 0]), tf.transpose(upstream, [1, 2, 0, 3]),
        strides=1, padding=[[0, 0], padding, padding, [0, 0]], dilations=stride,
    )  # fmt: skip
    return tf.transpose(result, [1, 2, 0, 3])


def _input_gradient(x, kernel, upstream, stride):
    """Gradient with respect to x by TensorFlow's own operation."""
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream,
        strides=[1, stride, stride, 1], padding="SAME",
    )  # fmt: skip


def _input_gradient_by_matmul(x, kernel, upstream, stride):
    if stride == 1:
        # The transpose of a convolution convolves the flipped input, with the channels exchanged.
        flipped = tf.reverse(upstream, [1, 2])
        exchanged = tf.transpose(kernel, [0, 1, 3, 2])
        return tf.reverse(_conv2d_by_matmul(flipped, exchanged, 1), [1, 2])
    _, height, width, filters = upstream.shape
    inputs = kernel.shape[2]
    blocks = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, inputs, filters]), [0, 2, 1, 3, 4, 5])
    product = tf.matmul(_matrix(upstream), tf.reshape(blocks, [-1, filters]), transpose_b=True)
    product = tf.reshape(product, [-1, height, width, 2, 2, 4 * inputs])
    # Up to four windows share a block of x: the second row of blocks of each window is the first of
    # the next one.
    rows = _overlap_add(product[:, :, :, 0], product[:, :, :, 1], axis=1)
    folded = _overlap_add(rows[:, :, :, 0], rows[:, :, :, 1], axis=2)
    return tf.nn.depth_to_space(folded, 2)[:, 1:-1, 1:-1]


def _overlap_add(first, second, axis: int):
    """The sum of both, with `second` shifted by one along the axis."""
    before, after = ([[0, 0] for _ in first.shape] for _ in range(2))
    before[axis], after[axis] = [0, 1], [1, 0]
    return tf.pad(first, before) + tf.pad(second, after)


def _matrix(x):
    """[..., channels] -> [positions, channels]."""
    return tf.reshape(x, [-1, x.shape[-1]])


@tf.custom_gradient
def branch(x: tf.Tensor) -> tf.Tensor:
    """x itself, as a branch: its gradients are summed before they are added to others of x.

    Otherwise TensorFlow would add three or more gradients of a tensor at once, in an order that
    varies between runs.
    """
    # TensorFlow merges sums of sums only if nothing stands between them.
    return tf.identity(x), lambda upstream: tf.ensure_shape(upstream, x.shape)
