"""Normalization of features and of kernels, each with its gradient.

Gradients are explicit where TensorFlow would add several in an order that varies between runs.
"""

import tensorflow as tf

# Added to variances. TensorFlow's own default, and so the chapter's.
EPSILON = 1e-3
# The same in instance normalization, as in PyTorch, and so in CycleGAN's code.
INSTANCE_EPSILON = 1e-5
# Keeps norms of vectors away from 0.
_TINY = 1e-12


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


@tf.custom_gradient
def normalize_by_image(x):
    """Instance normalization: (x - mean) / sqrt(variance + epsilon) over each image's pixels.

    The gradient is explicit: with u the upstream gradient and y the result, it is
    (u - mean(u) - y * mean(u * y)) / sqrt(variance + epsilon). TensorFlow's own reads x more often
    and adds its three paths in an order that varies between runs.

    Args:
      x: [batch, h, w, c] of any dtype; statistics are float32, for each image and channel.

    Returns:
      y, in the dtype of x. A flat channel becomes 0, and its gradient is at most 316 times u.
    """
    wide = tf.cast(x, tf.float32)
    centered = wide - tf.reduce_mean(wide, [1, 2], keepdims=True)
    variance = tf.reduce_mean(tf.square(centered), [1, 2], keepdims=True)
    factor = tf.math.rsqrt(variance + INSTANCE_EPSILON)
    y = centered * factor

    def gradients(upstream):
        u = tf.cast(upstream, tf.float32)
        mean = tf.reduce_mean(u, [1, 2], keepdims=True)
        product = tf.reduce_mean(u * y, [1, 2], keepdims=True)
        return tf.cast((u - mean - y * product) * factor, x.dtype)

    return tf.cast(y, x.dtype), gradients


def normalize_spectrally(kernel, u):
    """Divides a kernel by its spectral norm, and takes a step toward that norm.

    Miyato et al. 2018 (arXiv 1802.05957), algorithm 1. With W the kernel as a matrix from inputs to
    outputs, one power iteration v = W u / |W u|, u' = W^T v / |W^T v| per training step estimates
    its largest singular value sigma = v^T W u'. The gradient with respect to W is that of W / sigma
    with u' and v constant: with g the upstream gradient, g / sigma - v u'^T (sum of g * W) /
    sigma^2.

    Args:
      kernel: float32 [..., outputs].
      u: Estimate of the first right singular vector, float32 [outputs].

    Returns:
      W / sigma in the shape of the kernel; and u'.
    """

    @tf.custom_gradient
    def normalize_once(kernel):
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        v = tf.math.l2_normalize(tf.linalg.matvec(matrix, u), epsilon=_TINY)
        product = tf.linalg.matvec(matrix, v, transpose_a=True)
        next_u = tf.math.l2_normalize(product, epsilon=_TINY)
        sigma = tf.reduce_sum(product * next_u) + _TINY

        def gradients(upstream, _):
            correction = tf.reduce_sum(upstream * kernel) / tf.square(sigma)
            outer = tf.reshape(v[:, tf.newaxis] * next_u, kernel.shape)
            return upstream / sigma - correction * outer

        return (kernel / sigma, next_u), gradients

    return normalize_once(kernel)
