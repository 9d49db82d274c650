"""The translation of one direction for runtimes other than TensorFlow: pixels in, pixels out.

A format is two functions: one writes a file, one runs it. Both have float32 [batch, size, size, 3]
in [0, 1] as input `images` and output `translated`. Packages are imported only where they are used.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.errors import ExportError
from discogan_tf.models.signature import Signature
from discogan_tf.serving.endpoints import DEFAULT

# The newest that both the converter and ONNX Runtime's releases of the last years know.
_ONNX_OPERATORS = 18


class Format(NamedTuple):
    """How a format is written and run; `file_name` is that within a version's folder."""

    file_name: str
    write: Callable[[Signature, Path], None]
    load: Callable[[Path], Callable[[np.ndarray], np.ndarray]]
    extra: str


def write_format(name: str, signature: Signature, folder: Path) -> Path:
    """Writes `signature` in the format of `FORMATS` that `name` names, and gives the file.

    Raises:
      ExportError: if the packages for it are not installed.
    """
    chosen = FORMATS[name]
    path = folder / chosen.file_name
    try:
        chosen.write(signature, path)
    except ImportError as error:
        raise ExportError(
            f"--formats={name} needs packages that are missing ({error}): pip install -e .[{chosen.extra}]"
        ) from error
    return path


def _write_onnx(signature: Signature, path: Path) -> None:
    import tf2onnx

    tf2onnx.convert.from_function(
        tf.function(signature.function, input_signature=[signature.images]),
        input_signature=[signature.images],
        opset=_ONNX_OPERATORS,
        output_path=str(path),
    )


def _load_onnx(path: Path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: session.run(["translated"], {"images": images})[0]


def _write_litert(signature: Signature, path: Path) -> None:
    import ai_edge_litert.interpreter  # noqa: F401 - Runs it afterwards; to fail before the work.

    with tempfile.TemporaryDirectory() as temporary:
        # Without the checks of the exported signatures, which LiteRT has no operations for.
        archive = keras.export.ExportArchive()
        archive.add_endpoint(DEFAULT, signature.function, input_signature=[signature.images])
        archive.write_out(temporary, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=[DEFAULT])
        path.write_bytes(converter.convert())


def _load_litert(path: Path):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda images: run(images=images)["translated"]


FORMATS = {
    "onnx": Format("model.onnx", _write_onnx, _load_onnx, "onnx"),
    "litert": Format("model.tflite", _write_litert, _load_litert, "litert"),
}
