"""Golden answers: requests with validation data and the export's outputs, stored beside it.

TensorFlow Serving replays the same requests when it loads a version, so that no client waits for
the warm-up. `replay` sends them to a folder or a server again and compares.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from discogan_tf.errors import ExportError

# TensorFlow Serving looks for warm-up requests here, and ignores the rest.
_EXTRA = "assets.extra"
_WARMUP = "tf_serving_warmup_requests"
# Between two machines or builds: sums of floats in another order; one step of rounding to 8 bits.
FLOAT_TOLERANCE = 1e-4
LEVEL_TOLERANCE = 1

# Signature -> name -> value: numbers [batch, ...], or objects of type bytes [batch].
Tensors = dict[str, dict[str, np.ndarray]]


def extra_folder(version_folder: Path) -> Path:
    """The folder, within a version's, of what does not belong to the SavedModel itself."""
    return version_folder / _EXTRA


def write_golden(version_folder: Path, direction: str, inputs: Tensors, outputs: Tensors) -> None:
    """Stores requests and outputs, and the requests once more as TensorFlow Serving's warm-up.

    Args:
      version_folder: A SavedModel.
      direction: The name it is served under.
      inputs: Requests to each signature.
      outputs: Its outputs.
    """
    folder = extra_folder(version_folder) / "golden"
    folder.mkdir(parents=True)
    arrays = {}
    for kind, tensors in (("input", inputs), ("output", outputs)):
        for signature, values in tensors.items():
            for name, value in values.items():
                if value.dtype == object:
                    suffix = "png" if name.endswith("_bytes") else "txt"
                    for index, content in enumerate(value, start=1):
                        path = folder / f"{signature}.{kind}.{name}.{index:02d}.{suffix}"
                        path.write_bytes(content)
                else:
                    arrays[f"{signature}.{kind}.{name}"] = value
    np.savez_compressed(folder / "arrays.npz", **arrays)
    with tf.io.TFRecordWriter(str(extra_folder(version_folder) / _WARMUP)) as writer:
        for signature, values in inputs.items():
            alone = {name: value[:1] for name, value in values.items()}
            for request in (alone, values):
                writer.write(_prediction_log(direction, signature, request))


def read_golden(version_folder: Path) -> tuple[Tensors, Tensors]:
    """The inputs and outputs that `write_golden` stored.

    Raises:
      ExportError: if there are none.
    """
    folder = extra_folder(version_folder) / "golden"
    if not (folder / "arrays.npz").is_file():
        raise ExportError(
            f"{version_folder} has no golden answers in {folder}: was it made by export.py?"
        )
    tensors = {"input": {}, "output": {}}
    for key, value in np.load(folder / "arrays.npz").items():
        signature, kind, name = key.split(".")
        tensors[kind].setdefault(signature, {})[name] = value
    for path in sorted([*folder.glob("*.png"), *folder.glob("*.txt")]):
        signature, kind, name, _ = path.stem.split(".")
        tensors[kind].setdefault(signature, {}).setdefault(name, []).append(path.read_bytes())
    for values in (*tensors["input"].values(), *tensors["output"].values()):
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = np.array(value, object)
    return tensors["input"], tensors["output"]


def replay(version_folder: Path, predict: Callable[[str, dict], dict]) -> list[str]:
    """Sends every request again and compares the outputs.

    Args:
      version_folder: Where the golden answers are.
      predict: Function that maps the name of a signature and its inputs to its outputs.

    Returns:
      A line for each output, with the largest difference.

    Raises:
      ExportError: if one differs by more than rounding.
    """
    inputs, outputs = read_golden(version_folder)
    lines = []
    for signature, expected in outputs.items():
        found = _predict_each(predict, signature, inputs[signature])
        for name, value in expected.items():
            if name not in found or len(found[name]) != len(value):
                raise ExportError(
                    f"{signature} returned no {name} for each of {len(value)} examples"
                )
            if value.dtype == object:
                difference = max(map(_level_difference, found[name], value))
                words, tolerance = f"{difference} of 255", LEVEL_TOLERANCE
            else:
                difference = float(np.abs(found[name] - value).max())
                words, tolerance = f"{difference:.1e}", FLOAT_TOLERANCE
            line = f"{signature} {name}: {len(value)} golden answers, largest difference {words}"
            if not difference <= tolerance:  # So that NaN fails too.
                raise ExportError(
                    f"{line}, above the tolerance of {tolerance}: the export does not reproduce "
                    "its golden answers. Export again"
                )
            lines.append(line)
    return lines


def _predict_each(predict: Callable, signature: str, inputs: dict) -> dict[str, np.ndarray]:
    """The outputs of each example alone: as JSON, ten images of 256 pixels are too large."""
    count = len(next(iter(inputs.values())))
    answers = [
        predict(signature, {name: value[i : i + 1] for name, value in inputs.items()})
        for i in range(count)
    ]
    names = [name for name in answers[0] if all(name in answer for answer in answers)]
    return {name: np.concatenate([answer[name] for answer in answers]) for name in names}


def _level_difference(one: bytes, other: bytes) -> int:
    images = [np.asarray(Image.open(io.BytesIO(content)), int) for content in (one, other)]
    if images[0].shape != images[1].shape:
        raise ExportError(f"an image has shape {images[0].shape}, expected {images[1].shape}")
    return int(np.abs(images[0] - images[1]).max())


def _prediction_log(direction: str, signature: str, values: dict[str, np.ndarray]) -> bytes:
    """A serialized PredictionLog of TensorFlow Serving, with one request to predict.

    Its five fields are written here, so that exporting needs nothing beyond TensorFlow. The numbers
    are those of prediction_log.proto, predict.proto and model.proto of tensorflow_serving/apis.
    """
    request = _field(1, _field(1, direction.encode()) + _field(3, signature.encode()))
    for name, value in values.items():
        content = list(value) if value.dtype == object else value
        tensor = tf.make_tensor_proto(content, tf.string if value.dtype == object else value.dtype)
        request += _field(2, _field(1, name.encode()) + _field(2, tensor.SerializeToString()))
    return _field(6, _field(1, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of a protocol buffer that holds a string or a message."""
    length, size = b"", len(content)
    while size >= 128:
        length += bytes([size % 128 + 128])
        size //= 128
    return bytes([number * 8 + 2]) + length + bytes([size]) + content
