"""The layers that every network is made of.

A layer computes in the dtype of its input and keeps its variables in float32. So the same network
trains in bfloat16 and translates in float32, with nothing to convert. Each layer with variables has
a method `fold`, which `folding.py` calls: how it becomes a layer of constants after training.
"""

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.networks import ops
from discogan_tf.networks.normalization import BatchNorm
from discogan_tf.networks.normalization_ops import normalize_spectrally


def default_initializer() -> keras.initializers.Initializer:
    """Truncated normal with standard deviation 0.02, as in the chapter."""
    return keras.initializers.TruncatedNormal(stddev=0.02)


class Linear(keras.layers.Layer):
    """A kernel and, perhaps, a bias; with spectral normalization, the kernel over its norm."""

    def __init__(
        self,
        use_bias: bool,
        name: str,
        initializer=None,
        initial_bias: float = 0.0,
        spectral: bool = False,
    ):
        super().__init__(name=name, autocast=False)
        self.use_bias, self.initial_bias, self._spectral = use_bias, initial_bias, spectral
        self._initializer = initializer

    def _add_weights(self, kernel_shape: tuple[int, ...]) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=kernel_shape,
            # Made only here: an initializer draws its seed when it is made, so that the order of
            # building decides the first weights.
            initializer=self._initializer or default_initializer(),
        )
        if self._spectral:
            self.u = self.add_weight(
                name="u", shape=kernel_shape[-1:], initializer=keras.initializers.RandomNormal(),
                trainable=False, aggregation="only_first_replica",
            )  # fmt: skip
        if self.use_bias:
            constant = keras.initializers.Constant(self.initial_bias)
            self.bias = self.add_weight(name="bias", shape=kernel_shape[-1:], initializer=constant)

    def kernel_for(self, x, training: bool):
        """The kernel that x is multiplied by, in the dtype of x.

        Each call in training mode improves the estimate of its spectral norm.
        """
        kernel = self.kernel
        if self._spectral:
            kernel, u = normalize_spectrally(
                tf.convert_to_tensor(kernel), tf.convert_to_tensor(self.u)
            )
            if training:
                self.u.assign(u)
        return tf.cast(kernel, x.dtype)

    def _add_bias(self, x):
        if not self.use_bias:
            return x
        if self._spectral:
            # Otherwise TensorFlow tries to fuse convolution, bias and leaky ReLU, fails, and leaves
            # out all other fusions of the step with it.
            x = tf.ensure_shape(x, x.shape)
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype))

    def fold(self, source: "Linear", norm: "BatchNorm | None") -> None:
        """Sets constant weights equal to those of `source` with its batch norm folded in.

        Outside training, batch norm multiplies by factor = scale / sqrt(variance + epsilon) and
        adds a constant, for each channel. So x * kernel followed by batch norm is

            x * (kernel * factor) + (offset - mean * factor)
        """
        kernel = source.kernel.numpy().astype(np.float64)
        bias = source.bias.numpy().astype(np.float64) if source.use_bias else None
        if norm is not None:
            factor, constant = norm.affine()
            kernel = kernel * factor
            bias = constant if bias is None else bias * factor + constant
        self.kernel = kernel.astype(np.float32)
        self.use_bias = bias is not None
        if self.use_bias:
            self.bias = bias.astype(np.float32)
        self.built = True  # Otherwise Keras would make variables in their place.


class Conv(Linear):
    """4x4 convolution with SAME padding: [batch, h, w, c] -> [batch, h/stride, w/stride, filters].

    Args:
      filters: Number of output channels.
      stride: Step of the kernel, in both directions.
      use_bias: False before batch norm, where a bias would have no gradient but rounding noise,
        which Adam turns into drift. Differs from the chapter, which has biases there.
      name: Of the layer. Its batch norm, if it has one, is named `NAME_norm`.
      implementation: A key of `ops.CONV2D`.
      initial_bias: Initial value of the bias.
      spectral: Whether the kernel is divided by its spectral norm, as in discriminators.
    """

    def __init__(
        self,
        filters: int,
        stride: int,
        use_bias: bool,
        name: str,
        implementation: str = "auto",
        initial_bias: float = 0.0,
        spectral: bool = False,
    ):
        super().__init__(use_bias, name, initial_bias=initial_bias, spectral=spectral)
        self.filters, self.stride = filters, stride
        self._conv2d = ops.CONV2D[implementation]

    def build(self, input_shape):
        self._add_weights((4, 4, input_shape[-1], self.filters))

    def call(self, x, training=False):
        return self._add_bias(self._conv2d(x, self.kernel_for(x, training), self.stride))


class PaddedConv(Linear):
    """Convolution after explicit padding: [batch, h, w, c] -> [batch, h', w', filters].

    h' = (h + 2 * padding - kernel_size) // stride + 1.

    Args:
      filters, stride, use_bias, name: As for `Conv`.
      kernel_size: Height and width of the kernel.
      padding: Number of pixels added on each side.
      mode: What they are: "CONSTANT" (0) or "REFLECT" (the pixels inside, mirrored).
      initializer: Of the kernel.
      spectral: As for `Conv`.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        stride: int,
        padding: int,
        use_bias: bool,
        name: str,
        mode: str = "CONSTANT",
        initializer=None,
        spectral: bool = False,
    ):
        super().__init__(use_bias, name, initializer, spectral=spectral)
        self.filters, self.kernel_size, self.stride = filters, kernel_size, stride
        self._padding, self._mode = padding, mode

    def build(self, input_shape):
        self._add_weights((self.kernel_size, self.kernel_size, input_shape[-1], self.filters))

    def call(self, x, training=False):
        around = [self._padding, self._padding]
        x = tf.pad(x, [[0, 0], around, around, [0, 0]], self._mode)
        kernel = self.kernel_for(x, training)
        return self._add_bias(tf.nn.conv2d(x, kernel, self.stride, "VALID"))


class JoinConv(Linear):
    """SAME convolution of features [batch, h, w, c] that have a vector [batch, d] at every pixel.

    h and w are at least the size of the kernel; the result is [batch, h, w, filters].
    The vector is not tiled: its part of the result differs only where the kernel reaches over the
    border, so that an image as large as the kernel has all of it.

    Args:
      filters, use_bias, name, spectral: As for `Conv`.
      kernel_size: 1 or 3.
      initializer: Of the kernel, [kernel_size, kernel_size, c + d, filters].
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        use_bias: bool,
        name: str,
        initializer=None,
        spectral: bool = False,
    ):
        super().__init__(use_bias, name, initializer, spectral=spectral)
        self.filters, self.kernel_size = filters, kernel_size

    def build(self, x_shape, vector_shape):
        size = self.kernel_size
        self._add_weights((size, size, x_shape[-1] + vector_shape[-1], self.filters))

    def call(self, x, vector, training=False):
        (height, width, channels), size = x.shape[1:], self.kernel_size
        kernel = self.kernel_for(x, training)
        small = tf.tile(vector[:, tf.newaxis, tf.newaxis, :], [1, size, size, 1])
        of_vector = tf.nn.conv2d(small, kernel[:, :, channels:], 1, "SAME")
        if size > 1:
            of_vector = _stretched(_stretched(of_vector, 1, height), 2, width)
        return self._add_bias(tf.nn.conv2d(x, kernel[:, :, :channels], 1, "SAME") + of_vector)


def _stretched(x, axis: int, size: int):
    """[batch, h, w, c] with 3 pixels along an axis: with `size`, by repeating the middle one."""
    first, middle, last = tf.split(x, 3, axis)
    times = [1] * 4
    times[axis] = size - 2
    return tf.concat([first, tf.tile(middle, times), last], axis)


class UpsampleConv(Linear):
    """3x3 convolution of an image of twice the size: [batch, h, w, c] -> [batch, 2h, 2w, filters].

    Every pixel becomes four first. A transposed convolution would leave checkerboards (Odena et al.
    2016).

    Args:
      filters, use_bias, name: As for `Conv`.
      initializer: Of the kernel.
    """

    def __init__(self, filters: int, use_bias: bool, name: str, initializer=None):
        super().__init__(use_bias, name, initializer)
        self.filters = filters

    def build(self, input_shape):
        self._add_weights((3, 3, input_shape[-1], self.filters))

    def call(self, x):
        return self._add_bias(ops.conv2d_upsampled(x, tf.convert_to_tensor(self.kernel)))


class ConvTranspose(Linear):
    """Transposed 4x4 convolution: [batch, h, w, c] -> [batch, h * stride, w * stride, filters].

    Args:
      filters, use_bias, name: As for `Conv`.
      stride: Upsampling factor. With 4, the 4x4 outputs of different inputs do not overlap.
    """

    def __init__(self, filters: int, stride: int, use_bias: bool, name: str):
        super().__init__(use_bias, name)
        self.filters, self.stride = filters, stride

    def build(self, input_shape):
        self._add_weights((4, 4, input_shape[-1], self.filters))

    def call(self, x):
        batch, (height, width) = tf.shape(x)[0], x.shape[1:3]
        shape = [batch, height * self.stride, width * self.stride, self.filters]
        kernel = tf.transpose(tf.cast(self.kernel, x.dtype), [0, 1, 3, 2])
        return self._add_bias(tf.nn.conv2d_transpose(x, kernel, shape, self.stride, "SAME"))


class Dense(Linear):
    """Fully connected layer: [batch, features] -> [batch, units].

    Args:
      units: Number of outputs.
      use_bias, name: As for `Conv`.
      initializer: Of the kernel; `default_initializer` if None.
      spectral: As for `Conv`.
    """

    def __init__(
        self, units: int, use_bias: bool, name: str, initializer=None, spectral: bool = False
    ):
        super().__init__(use_bias, name, initializer, spectral=spectral)
        self.units = units

    def build(self, input_shape):
        self._add_weights((input_shape[-1], self.units))

    def call(self, x, training=False):
        return self._add_bias(tf.matmul(x, self.kernel_for(x, training)))


def strided_convs(
    filters: tuple[int, ...],
    name: str,
    implementation: str,
    first_bias: bool = True,
    norm: type | None = BatchNorm,
) -> tuple[list[Conv], list]:
    """Convolutions with stride 2, and the normalization after each but the first.

    Args:
      filters: Of each convolution.
      name: The layers are named `NAME_1`, `NAME_2`, `NAME_2_norm`, ...
      implementation: As for `Conv`.
      first_bias: Whether the first convolution, which has no normalization, has a bias.
      norm: A class of `NORMALIZATIONS`. None: the kernels are normalized instead, spectrally, and
        all convolutions have biases.
    """
    spectral = norm is None
    convs = [
        Conv(
            count, 2, spectral or (first_bias and index == 0), f"{name}_{index + 1}",
            implementation, spectral=spectral,
        )
        for index, count in enumerate(filters)
    ]  # fmt: skip
    return convs, [] if spectral else [norm(f"{conv.name}_norm") for conv in convs[1:]]


def run_strided_convs(
    x: tf.Tensor, convs: list[Conv], norms: list, training: bool, **mode: bool
) -> list[tf.Tensor]:
    """Convolution, normalization, leaky ReLU: the features after each of `strided_convs`.

    Args:
      x: [batch, h, w, c].
      convs, norms: The result of `strided_convs`.
      training: Whether in training mode.
      mode: `update_statistics` as for `BatchRenorm`.

    Returns:
      [batch, h/2, w/2, filters], [batch, h/4, w/4, filters], ...
    """
    features = []
    for index, conv in enumerate(convs):
        x = conv(x, training=training)
        if norms and index:
            x = norms[index - 1](x, training=training, **mode)
        x = tf.nn.leaky_relu(x, 0.2)
        features.append(x)
    return features


def flatten(x: tf.Tensor) -> tf.Tensor:
    """[batch, h, w, c] -> [batch, h * w * c]."""
    return tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])


def named_layers(network: keras.layers.Layer) -> dict[str, keras.layers.Layer]:
    """All layers within a network, nested ones included: path from the network -> layer."""
    found = {}
    for layer in network._flatten_layers(include_self=False, recursive=False):
        found[layer.name] = layer
        found |= {f"{layer.name}/{path}": inner for path, inner in named_layers(layer).items()}
    return found
