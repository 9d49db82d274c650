"""The operations behind the layers: each fast one beside the plain one that it replaces.

Convolutions here are 4x4 with SAME padding. The convolution kernels of processors are made for
large images: over a few pixels of hundreds of channels, as in the middle of these networks, they
read all weights again for each image of a batch. `conv2d_auto` replaces them where something else
is faster:

- Few pixels: one matrix product per row of results reads the weights once, and skips the rows of
  the kernel over padding (a quarter of the work over 4x4 pixels). This is im2col, row by row.
- The gradient with respect to the kernel: one convolution with the batch as channels.
- Three output channels after `depth_to_space`: a convolution over blocks of 2x2 pixels fills
  twelve of a register's sixteen numbers instead of three.

`python -m benchmarks.convolutions` measures each against `conv2d`.
"""

import numpy as np
import tensorflow as tf

# Added to variances. TensorFlow's own default, and so the chapter's.
EPSILON = 1e-3
# The largest inputs, in pixels, that are convolved by matrix products.
_MATMUL_PIXELS = 16
# The largest results, in pixels, whose kernel gradient is a convolution over the whole batch.
_KERNEL_GRADIENT_PIXELS = {tf.bfloat16: 64, tf.float32: 16}
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


def normalize(x, scale, offset, mean, variance):
    """Batch normalization of x, [..., c], with given statistics, by plain arithmetic.

    The reference for the fused kernel: (x - mean) / sqrt(variance + epsilon) * scale + offset.
    """
    return (x - mean) / tf.sqrt(variance + EPSILON) * scale + offset


def normalize_fused(x, scale, offset, mean, variance):
    """`normalize` of x, [batch, h, w, c] of any dtype, by one kernel with float32 statistics."""
    y, *_ = tf.compat.v1.nn.fused_batch_norm(
        x, scale, offset, mean=mean, variance=variance, epsilon=EPSILON, is_training=False
    )
    return y


def normalize_by_batch(x, scale, offset):
    """Normalizes x, [batch, h, w, c], with the statistics of the batch.

    Returns:
      y; mean and variance of the batch, float32 [c].
    """
    y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        x, scale, offset, epsilon=EPSILON, is_training=True
    )
    return y, mean, _biased(variance, x)


def normalize_by_global_batch(x, scale, offset, replica: tf.distribute.ReplicaContext):
    """`normalize_by_batch` with the statistics of all replicas' batches together.

    The gradient is explicit: TensorFlow would add the three paths from x to y in an order that
    varies between runs.
    """
    mean, variance = global_statistics(x, replica)

    @tf.custom_gradient
    def normalize_globally(x, scale, offset):
        def gradients(upstream):
            return _global_batch_gradients(x, scale, mean, variance, upstream, replica)

        return normalize_fused(x, scale, offset, mean, variance), gradients

    return normalize_globally(x, scale, offset), mean, variance


def global_statistics(x, replica: tf.distribute.ReplicaContext) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of all replicas' batches together, float32 [c], as constants."""
    x = tf.cast(tf.stop_gradient(x), tf.float32)
    mean, mean_square = _mean_over_replicas(
        replica, tf.reduce_mean(x, [0, 1, 2]), tf.reduce_mean(tf.square(x), [0, 1, 2])
    )
    return mean, mean_square - tf.square(mean)


def renormalize(x, scale, offset, update, replica: tf.distribute.ReplicaContext | None = None):
    """Batch renormalization: normalizes with running statistics, learns as batch norm does.

    Ioffe 2017 (arXiv 1702.03275), algorithm 1, without limits on r and d:

        y = ((x - batch mean) / batch deviation * r + d) * scale + offset
        r = batch deviation / deviation, d = (batch mean - mean) / deviation, constant

    so y = (x - mean) / deviation * scale + offset, and the gradient is that of batch norm with the
    scale multiplied by r.

    Args:
      x: [batch, h, w, c] of any dtype.
      scale, offset: float32 [c].
      update: Function from mean and variance of the batch, float32 [c], to those to normalize with.
      replica: The context of this replica, if the batch is shared by several.

    Returns:
      y; mean and variance of the batch, float32 [c].
    """
    if replica:
        batch_mean, batch_variance = global_statistics(x, replica)
    else:
        _, batch_mean, unbiased, *reserved = tf.raw_ops.FusedBatchNormV3(
            x=tf.stop_gradient(x), scale=tf.ones_like(scale), offset=tf.zeros_like(offset),
            mean=[], variance=[], epsilon=EPSILON, is_training=True,
        )  # fmt: skip
        batch_variance = _biased(unbiased, x)
    mean, variance = update(batch_mean, batch_variance)
    deviation = tf.sqrt(variance + EPSILON)
    r = tf.sqrt(batch_variance + EPSILON) / deviation
    d = (batch_mean - mean) / deviation

    @tf.custom_gradient
    def normalize_and_learn(x, scale, offset):
        def gradients(upstream):
            if replica:
                grad_x, by_normalized, grad_offset = _global_batch_gradients(
                    x, scale * r, batch_mean, batch_variance, upstream, replica
                )
            else:
                grad_x, by_normalized, grad_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
                    y_backprop=upstream, x=x, scale=scale * r, reserve_space_1=reserved[0],
                    reserve_space_2=reserved[1], reserve_space_3=reserved[2], epsilon=EPSILON,
                    is_training=True,
                )  # fmt: skip
            # As one sum: TensorFlow would merge those of several passes, in an order that varies.
            grad_scale = tf.reduce_sum(tf.stack([by_normalized * r, grad_offset * d]), 0)
            return grad_x, grad_scale, grad_offset

        return normalize_fused(x, scale, offset, mean, variance), gradients

    return normalize_and_learn(x, scale, offset), batch_mean, batch_variance


def _biased(unbiased_variance, x):
    """The variance of x itself: the kernel returns an estimate larger by n / (n - 1)."""
    count = tf.cast(tf.size(x) // tf.shape(x)[-1], tf.float32)
    return unbiased_variance * ((count - 1) / count)


def _global_batch_gradients(x, scale, mean, variance, upstream, replica):
    """Gradients of normalization with the statistics of the global batch.

    Ioffe and Szegedy 2015, section 3: first the gradient with constant statistics, then the
    correction for their dependence on x.

    Args:
      x: [batch, h, w, c], of this replica.
      scale, mean, variance: float32 [c].
      upstream: Gradient with respect to the result.
      replica: The context of this replica.

    Returns:
      Gradients with respect to x, scale and offset.
    """
    grad_x, grad_scale, grad_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=upstream, x=x, scale=scale, reserve_space_1=mean, reserve_space_2=variance,
        reserve_space_3=mean[:0], epsilon=EPSILON, is_training=False,
    )  # fmt: skip
    count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
    mean_upstream, mean_product = _mean_over_replicas(
        replica, grad_offset / count, grad_scale / count
    )
    slope = scale * tf.math.rsqrt(variance + EPSILON)
    correction = normalize_fused(x, slope * mean_product, slope * mean_upstream, mean, variance)
    return grad_x - correction, grad_scale, grad_offset


def _mean_over_replicas(replica, *vectors):
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, list(vectors))
