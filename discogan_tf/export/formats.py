"""Exports for runtimes other than TensorFlow: ONNX and LiteRT.

A format is two functions: one writes a translation to a file, one runs the file. Inputs and output
are those of the default signature. Packages are imported only where they are used.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from discogan_tf.errors import ExportError
from discogan_tf.models.contract import SERVING_DEFAULT, TRANSLATED, Signature

# The newest operator set that the converter and recent releases of ONNX Runtime have.
_ONNX_OPERATORS = 18


class Format(NamedTuple):
    """How a format is written and run.

    Attributes:
      file_name: Of its file within a version's folder.
      write: Writes a signature to a file.
      load: Function that loads a file as a function that maps named inputs to translations.
      extra: Name of the extra in setup.py with its packages.
    """

    file_name: str
    write: Callable[[Signature, Path], None]
    load: Callable[[Path], Callable[[dict[str, np.ndarray]], np.ndarray]]
    extra: str


def write_format(name: str, signature: Signature, folder: Path) -> Path:
    """Writes a signature in a format of `FORMATS`.

    Args:
      name: Of the format.
      signature: What to write.
      folder: Where to.

    Returns:
      The file.

    Raises:
      ExportError: if the packages for it are not installed.
    """
    chosen = FORMATS[name]
    path = folder / chosen.file_name
    try:
        chosen.write(signature, path)
    except ImportError as error:
        raise ExportError(
            f"--formats={name} needs packages that are missing ({error}): "
            f"pip install -e .[{chosen.extra}]"
        ) from error
    return path


def _write_onnx(signature: Signature, path: Path) -> None:
    import tf2onnx

    specifications = list(signature.inputs.values())
    tf2onnx.convert.from_function(
        tf.function(signature.function, input_signature=specifications),
        input_signature=specifications,
        opset=_ONNX_OPERATORS,
        output_path=str(path),
    )


def _load_onnx(path: Path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda inputs: session.run([TRANSLATED], inputs)[0]


def _write_litert(signature: Signature, path: Path) -> None:
    import ai_edge_litert.interpreter  # noqa: F401 - To fail before the conversion.

    with tempfile.TemporaryDirectory() as temporary:
        # Without the checks of the exported signatures, for which LiteRT has no operations.
        archive = keras.export.ExportArchive()
        specifications = list(signature.inputs.values())
        archive.add_endpoint(SERVING_DEFAULT, signature.function, input_signature=specifications)
        archive.write_out(temporary, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            temporary, signature_keys=[SERVING_DEFAULT]
        )
        path.write_bytes(converter.convert())


def _load_litert(path: Path):
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_path=str(path)).get_signature_runner()
    return lambda inputs: run(**inputs)[TRANSLATED]


FORMATS = {
    "onnx": Format("model.onnx", _write_onnx, _load_onnx, "onnx"),
    "litert": Format("model.tflite", _write_litert, _load_litert, "litert"),
}
