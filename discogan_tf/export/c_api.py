"""Runs a SavedModel through TensorFlow's C API, in a process without TensorFlow's Python.

TensorFlow Serving is built on the same loader, and so answers the same. This file is both sides:
`run` starts a child process that runs it as a program.
"""

import ctypes
import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

# NumPy's name of each number type -> TF_DataType.
_NUMBERS = {"float32": 1, "int32": 3, "int64": 9}
_STRING = 7
# Size of a TF_TString, TensorFlow's own string, in bytes.
_STRING_BYTES = 24


class _Output(ctypes.Structure):
    """TF_Output: a result of an operation."""

    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


def run(folder: Path, feeds: dict[str, np.ndarray], fetches: list[str]) -> list[np.ndarray]:
    """Loads a SavedModel in a new process and runs it once.

    Args:
      folder: The SavedModel.
      feeds: Name of a tensor in its graph, such as "serving_default_images:0" -> its value:
        float32, int32, int64, or objects of type bytes.
      fetches: Names of the tensors to return: float32 or string.

    Raises:
      RuntimeError: if it cannot be loaded or run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        job, answer = Path(temporary, "job.npy"), Path(temporary, "answer.npy")
        np.save(job, np.array([str(folder), feeds, fetches], dtype=object))
        command = [sys.executable, str(Path(__file__)), str(job), str(answer)]
        child = subprocess.run(command, capture_output=True, text=True)
        if child.returncode:
            raise RuntimeError(
                f"TensorFlow's C API failed on {folder}: {child.stderr.strip()[-1000:]}"
            )
        return list(np.load(answer, allow_pickle=True).item().values())


def _load_library() -> ctypes.CDLL:
    # The package is found, not imported.
    package = Path(importlib.util.find_spec("tensorflow").origin).parent
    ctypes.CDLL(str(package / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(package / "libtensorflow_cc.so.2"))
    for name in (
        "TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel",
        "TF_GraphOperationByName", "TF_AllocateTensor", "TF_TensorData", "TF_StringGetDataPointer",
    ):  # fmt: skip
        getattr(library, name).restype = ctypes.c_void_p
    for name in ("TF_Message", "TF_Version"):
        getattr(library, name).restype = ctypes.c_char_p
    for name in ("TF_Dim", "TF_StringGetSize", "TF_TensorByteSize"):
        getattr(library, name).restype = ctypes.c_size_t
    return library


class _Session:
    """A loaded SavedModel. Nothing is freed: the process ends with it."""

    def __init__(self, folder: str):
        self._tf = _load_library()
        self._status = ctypes.c_void_p(self._tf.TF_NewStatus())
        self._graph = ctypes.c_void_p(self._tf.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = ctypes.c_void_p(
            self._tf.TF_LoadSessionFromSavedModel(
                ctypes.c_void_p(self._tf.TF_NewSessionOptions()), None, folder.encode(), tags, 1,
                self._graph, None, self._status,
            )
        )  # fmt: skip
        self._check()

    def run(self, feeds: dict[str, np.ndarray], fetches: list[str]) -> list[np.ndarray]:
        inputs = (_Output * len(feeds))(*map(self._output, feeds))
        values = (ctypes.c_void_p * len(feeds))(*map(self._tensor, feeds.values()))
        outputs = (_Output * len(fetches))(*map(self._output, fetches))
        results = (ctypes.c_void_p * len(fetches))()
        self._tf.TF_SessionRun(
            self._session, None, inputs, values, len(feeds), outputs, results, len(fetches),
            None, 0, None, self._status,
        )  # fmt: skip
        self._check()
        return [self._array(ctypes.c_void_p(result)) for result in results]

    def _check(self) -> None:
        if self._tf.TF_GetCode(self._status):
            sys.exit(self._tf.TF_Message(self._status).decode(errors="replace"))

    def _output(self, name: str) -> _Output:
        operation, _, index = name.partition(":")
        found = self._tf.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            sys.exit(f"no operation {operation!r} in the graph")
        return _Output(found, int(index))

    def _tensor(self, array: np.ndarray) -> int:
        is_text = array.dtype == object
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        size = array.size * _STRING_BYTES if is_text else array.nbytes
        tensor = self._tf.TF_AllocateTensor(
            _STRING if is_text else _NUMBERS[array.dtype.name],
            shape,
            array.ndim,
            ctypes.c_size_t(size),
        )
        data = self._tf.TF_TensorData(ctypes.c_void_p(tensor))
        if not is_text:
            ctypes.memmove(data, np.ascontiguousarray(array).ctypes.data, array.nbytes)
            return tensor
        for index, text in enumerate(array.ravel()):
            place = ctypes.c_void_p(data + index * _STRING_BYTES)
            self._tf.TF_StringInit(place)
            self._tf.TF_StringCopy(place, text, ctypes.c_size_t(len(text)))
        return tensor

    def _array(self, tensor: ctypes.c_void_p) -> np.ndarray:
        shape = [self._tf.TF_Dim(tensor, axis) for axis in range(self._tf.TF_NumDims(tensor))]
        data = self._tf.TF_TensorData(tensor)
        if self._tf.TF_TensorType(tensor) == _NUMBERS["float32"]:
            content = ctypes.string_at(data, self._tf.TF_TensorByteSize(tensor))
            return np.frombuffer(content, np.float32).reshape(shape)
        texts = np.empty(int(np.prod(shape)), object)
        for index in range(texts.size):
            place = ctypes.c_void_p(data + index * _STRING_BYTES)
            texts[index] = ctypes.string_at(
                self._tf.TF_StringGetDataPointer(place), self._tf.TF_StringGetSize(place)
            )
        return texts.reshape(shape)


def _main(job: str, answer: str) -> None:
    folder, feeds, fetches = np.load(job, allow_pickle=True)
    results = _Session(folder).run(feeds, fetches)
    if "tensorflow" in sys.modules:
        sys.exit("the Python package tensorflow was imported; this check must use the C API only")
    with Path(answer).open("wb") as file:
        np.save(file, np.array(dict(zip(fetches, results, strict=True)), dtype=object))


if __name__ == "__main__":
    _main(*sys.argv[1:])
