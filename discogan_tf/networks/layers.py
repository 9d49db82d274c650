"""The layers that every network here is made of.

A layer computes in the dtype of its input and keeps its variables in float32, so the same network
trains in bfloat16 and is shown, judged and exported in float32, with nothing to convert.
"""

import contextlib

import keras
import tensorflow as tf

from discogan_tf.networks.convolution import convolve, convolve_enlarged

# Added to variances. TensorFlow's own default, and so the chapter's.
EPSILON = 1e-3

# Where `BatchNorm` layers note the statistics of their batches; None when nobody asks.
_record: list | None = None


def _initializer() -> keras.initializers.Initializer:
    """Truncated normal with deviation 0.02, as in the chapter, for every kernel."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


class Conv(keras.layers.Layer):
    """4x4 convolution with SAME padding: [batch, h, w, c] -> [batch, h/stride, w/stride, filters].

    Args:
      filters: Number of output channels.
      stride: Step of the kernel, in both directions.
      use_bias: False before batch norm, where a bias would have no gradient but rounding noise, which
        Adam turns into drift. Differs from the chapter, which leaves it in.
      initial_bias: What the bias starts at.
    """

    def __init__(self, filters: int, stride: int, use_bias: bool, name: str, initial_bias: float = 0.0):
        super().__init__(name=name, autocast=False)
        self.filters, self.stride, self.use_bias = filters, stride, use_bias
        self.initial_bias = initial_bias

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel", shape=(4, 4, input_shape[-1], self.filters), initializer=_initializer()
        )
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=keras.initializers.Constant(self.initial_bias),
            )

    def call(self, x, training=False):
        return self._biased(convolve(x, tf.cast(self.kernel, x.dtype), self.stride, training))

    def _biased(self, x):
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype)) if self.use_bias else x


class EnlargingConv(Conv):
    """`depth_to_space` by 2, then a convolution: [batch, h, w, 4 * c] -> [batch, 2 * h, 2 * w, filters].

    Arguments as of `Conv`, with a stride of 1.
    """

    def __init__(self, filters: int, use_bias: bool, name: str, initial_bias: float = 0.0):
        super().__init__(filters, 1, use_bias, name, initial_bias)

    def build(self, input_shape):
        super().build((*input_shape[:-1], input_shape[-1] // 4))

    def call(self, x, training=False):
        return self._biased(convolve_enlarged(x, tf.cast(self.kernel, x.dtype), training))


class ConvTranspose(Conv):
    """The transpose of a 4x4 convolution: [batch, h, w, c] -> [batch, h * stride, w * stride, filters].

    With a stride of 4 it makes of one place 4x4, none of which another place reaches. Arguments as of
    `Conv`.
    """

    def call(self, x):
        batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
        shape = [batch, height * self.stride, width * self.stride, self.filters]
        kernel = tf.transpose(tf.cast(self.kernel, x.dtype), [0, 1, 3, 2])
        return self._biased(tf.nn.conv2d_transpose(x, kernel, shape, self.stride, "SAME"))


class Dense(keras.layers.Layer):
    """Fully connected layer: [batch, features] -> [batch, units]. `use_bias` as in `Conv`.

    Args:
      units: Number of outputs.
      initializer: Of the kernel; the chapter's if None.
    """

    def __init__(self, units: int, use_bias: bool, name: str, initializer=None):
        super().__init__(name=name, autocast=False)
        self.units, self.use_bias, self.initializer = units, use_bias, initializer

    def build(self, input_shape):
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[-1], self.units),
            # Made only here: an initializer takes its seed when it is made, so that the order decides.
            initializer=self.initializer or _initializer(),
        )
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, x):
        x = tf.matmul(x, tf.cast(self.kernel, x.dtype))
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype)) if self.use_bias else x


class BatchNorm(keras.layers.Layer):
    """Batch normalization over all axes but the last (Ioffe and Szegedy 2015).

    In training it normalizes with the statistics of the batch: of the global batch, where several
    replicas share one. Otherwise it normalizes with `mean` and `variance`, which no training step
    touches: `recompute_statistics` sets them from training pictures before anything is shown,
    judged or exported.

    Differs from the chapter: its moving averages are never updated and it always normalizes with
    the batch, so that a picture's translation depends on the pictures beside it.

    Where `folded` is set before the layer is built, the layer before it does this one's work, and it
    has no variables and gives back what it gets: see `folding.py`.
    """

    def __init__(self, name: str):
        super().__init__(name=name, autocast=False)
        self.folded = False

    def build(self, input_shape):
        if self.folded:
            return

        def vector(name, initializer, trainable):
            return self.add_weight(
                name=name, shape=(input_shape[-1],), initializer=initializer, trainable=trainable
            )

        self.scale = vector("scale", "ones", True)
        self.offset = vector("offset", "zeros", True)
        self.mean = vector("mean", "zeros", False)
        self.variance = vector("variance", "ones", False)

    def call(self, x, training=False):
        if self.folded:
            return x
        shape = tf.shape(x)
        # The fused kernel takes pictures only; features are pictures of one pixel to it.
        pictures = x if x.shape.rank == 4 else x[:, tf.newaxis, tf.newaxis, :]
        scale, offset = tf.convert_to_tensor(self.scale), tf.convert_to_tensor(self.offset)
        if not training:
            mean, variance = tf.convert_to_tensor(self.mean), tf.convert_to_tensor(self.variance)
            y = _normalized(pictures, scale, offset, mean, variance)
        else:
            replica = tf.distribute.get_replica_context()
            if replica is not None and replica.num_replicas_in_sync > 1:
                y, mean, variance = _synchronized(pictures, scale, offset, replica)
            else:
                y, mean, variance = _normalized(pictures, scale, offset)
                # The kernel normalizes with the variance of the batch itself, but gives the
                # estimate for what the batch was drawn from: larger by n / (n - 1).
                count = tf.cast(tf.size(pictures) // tf.shape(pictures)[-1], tf.float32)
                variance *= (count - 1) / count
            if _record is not None:
                _record.append((self, mean, variance))
        return tf.reshape(y, shape)


def _synchronized(x, scale, offset, replica):
    """Normalizes with the statistics of all replicas' batches together.

    The gradient is written out (Ioffe and Szegedy 2015, section 3): TensorFlow would add up the three
    ways from x to y in the order of their coming, and two runs would not be the same.
    """

    def mean_of_all(*vectors):
        return replica.all_reduce(tf.distribute.ReduceOp.MEAN, list(vectors))

    @tf.custom_gradient
    def normalize(x, scale, offset):
        x_float = tf.cast(x, tf.float32)
        mean, mean_square = mean_of_all(
            tf.reduce_mean(x_float, [0, 1, 2]), tf.reduce_mean(tf.square(x_float), [0, 1, 2])
        )
        variance = mean_square - tf.square(mean)
        y = _normalized(x, scale, offset, mean, variance)

        def gradients(upstream, *_):  # Nothing depends on mean and variance but what is noted.
            # As if mean and variance were constants; then less what goes through them.
            by_x, by_scale, by_offset, *_ = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=upstream, x=x, scale=scale, reserve_space_1=mean, reserve_space_2=variance,
                reserve_space_3=mean[:0], epsilon=EPSILON, is_training=False,
            )  # fmt: skip
            count = tf.cast(tf.size(x) // x.shape[-1], tf.float32)
            mean_upstream, mean_product = mean_of_all(by_offset / count, by_scale / count)
            slope = scale * tf.math.rsqrt(variance + EPSILON)
            through = _normalized(x, slope * mean_product, slope * mean_upstream, mean, variance)
            return by_x - through, by_scale, by_offset

        return (y, mean, variance), gradients

    return normalize(x, scale, offset)


def _normalized(x, scale, offset, mean=None, variance=None):
    """One kernel instead of a dozen operations; statistics are float32 whatever x is.

    Returns:
      y alone, with the statistics given; or y, mean and variance, with those of the batch.
    """
    y, *statistics = tf.compat.v1.nn.fused_batch_norm(
        x, scale, offset, mean=mean, variance=variance, epsilon=EPSILON, is_training=mean is None
    )
    return (y, *statistics) if mean is None else y


@contextlib.contextmanager
def recorded_statistics():
    """Within it, every `BatchNorm` called in training mode appends (layer, mean, variance)."""
    global _record
    _record = record = []
    try:
        yield record
    finally:
        _record = None
