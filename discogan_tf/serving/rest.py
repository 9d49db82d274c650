"""Requests and answers of TensorFlow Serving's REST interface: JSON to arrays and back.

A request names its inputs by rows, `{"instances": [{"images": ...}, ...]}`, or by columns,
`{"inputs": {"images": [...]}}`. If there is one input, its name may be left out. Bytes are
`{"b64": "..."}`. Answers have the form of their request: `predictions` or `outputs`.
"""

import base64
import binascii
import itertools

import numpy as np
import orjson
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from discogan_tf.export.versions import Version
from discogan_tf.models.contract import SERVING_DEFAULT

Specs = dict[str, tf.TensorSpec]

# A pixel, the smallest list that a request needs many of, has at least this many bytes: "[0,0,0],".
# A list takes up to 30 times as much memory as the two bytes of an empty one.
_MIN_BYTES_OF_LIST, _FEW_LISTS = 8, 10_000
# Of a client's own words within an error message.
_QUOTED_NAMES, _QUOTED_CHARACTERS = 5, 40


class BadRequest(Exception):  # noqa: N818 - named for the HTTP status it becomes.
    """A request that cannot be answered; the message says why."""


def parse_body(body: bytes | bytearray) -> tuple[str, dict]:
    """The signature that a request names, and the request.

    Raises:
      BadRequest: if it is not JSON, has neither form, or has more lists than images could need.
    """
    require_few_lists(body)
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise BadRequest('the body must be an object with either "instances" or "inputs"')
    signature = request.get("signature_name", SERVING_DEFAULT)
    if not isinstance(signature, str):
        raise BadRequest('"signature_name" must be a string')
    return signature or SERVING_DEFAULT, request


def require_few_lists(body: bytes | bytearray) -> None:
    """Refuses a body that would take many times its size in memory.

    Raises:
      BadRequest: if it has more lists than images could need.
    """
    if body.count(b"[") + body.count(b"{") > _FEW_LISTS + len(body) // _MIN_BYTES_OF_LIST:
        raise BadRequest("the body has more lists and objects than images of this size could need")


def parse_inputs(request: dict, specs: Specs, max_batch_size: int) -> dict[str, np.ndarray]:
    """The inputs of a request: numbers, or objects of type bytes.

    Args:
      request: The result of `parse_body`.
      specs: Of the signature's inputs.
      max_batch_size: How many rows a request may have.

    Raises:
      BadRequest: if a name, a shape or a type is wrong, or the batch is empty or too large.
    """
    columns = (
        _columns(request["instances"], specs, max_batch_size)
        if "instances" in request
        else _named(request["inputs"], specs)
    )
    if set(columns) != set(specs):
        raise BadRequest(f"the inputs must be {_names(specs)}, not {_names(columns)}")
    for name, column in columns.items():
        if not isinstance(column, list):
            raise BadRequest(f"{name}: must be a list, with one entry for each image")
        _check_batch_size(name, column, max_batch_size)
    return {name: _array(name, columns[name], spec) for name, spec in specs.items()}


def render(outputs: dict[str, np.ndarray], by_rows: bool) -> bytes:
    """The answer in JSON: `predictions` for a request by rows, else `outputs`."""
    columns = {name: _json(value) for name, value in outputs.items()}
    if len(columns) == 1:
        (content,) = columns.values()
        content = list(content) if by_rows else content
    elif by_rows:
        rows = zip(*columns.values(), strict=True)
        content = [dict(zip(columns, row, strict=True)) for row in rows]
    else:
        content = columns
    return orjson.dumps(
        {"predictions" if by_rows else "outputs": content}, option=orjson.OPT_SERIALIZE_NUMPY
    )


def metadata(name: str, version: Version) -> dict:
    """What TensorFlow Serving answers to `/metadata`: the signatures of a version."""
    signatures = {
        signature: {
            "inputs": _tensor_infos(version.inputs(signature)),
            "outputs": _tensor_infos(version.outputs(signature)),
            "method_name": "tensorflow/serving/predict",
        }
        for signature in version.signatures
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version.number)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _tensor_infos(specs: Specs) -> dict[str, dict]:
    def info(name, spec):
        dimensions = [] if spec.shape.rank is None else spec.shape.as_list()
        sizes = [{"size": str(-1 if size is None else size), "name": ""} for size in dimensions]
        shape = {"dim": sizes, "unknown_rank": spec.shape.rank is None}
        dtype = tf.dtypes.as_dtype(spec.dtype).as_datatype_enum
        return {"dtype": types_pb2.DataType.Name(dtype), "tensor_shape": shape, "name": name}

    return {name: info(name, spec) for name, spec in specs.items()}


def _check_batch_size(name: str, entries: list, max_batch_size: int) -> None:
    if not 1 <= len(entries) <= max_batch_size:
        raise BadRequest(f"{name}: {len(entries)} entries; from 1 to {max_batch_size} are accepted")


def _columns(instances, specs: Specs, max_batch_size: int) -> dict[str, list]:
    if not isinstance(instances, list):
        raise BadRequest('"instances" must be a list')
    _check_batch_size("instances", instances, max_batch_size)
    rows = [_named(instance, specs) for instance in instances]
    names = set(rows[0])
    if any(set(row) != names for row in rows):
        raise BadRequest('all "instances" must have the same inputs')
    return {name: [row[name] for row in rows] for name in names}


def _named(value, specs: Specs) -> dict:
    """Name -> value; the name may be left out if there is only one."""
    if isinstance(value, dict) and set(value) != {"b64"}:
        return value
    if len(specs) != 1:
        raise BadRequest(f"name the inputs: {_names(specs)}")
    return {next(iter(specs)): value}


def _array(name: str, column: list, spec: tf.TensorSpec) -> np.ndarray:
    if spec.dtype == tf.string:
        return np.array([_text(name, entry) for entry in column], object)
    # Type by type, because NumPy would make long strings of all numbers next to one string.
    leaves, shape = column, [len(column)]
    while set(map(type, leaves)) == {list}:
        lengths = set(map(len, leaves))
        if len(lengths) > 1:
            raise BadRequest(f"{name}: rows of unequal length")
        shape.append(*lengths)
        if not spec.shape[: len(shape)].is_compatible_with(shape):
            raise BadRequest(f"{name}: has shape {shape}, expected {spec.shape.as_list()}")
        leaves = list(itertools.chain.from_iterable(leaves))
    numbers = {int} if spec.dtype.is_integer else {int, float}
    if not set(map(type, leaves)) <= numbers:
        raise BadRequest(f"{name}: must be {'integers' if spec.dtype.is_integer else 'numbers'}")
    if not spec.shape.is_compatible_with(shape):
        raise BadRequest(f"{name}: has shape {shape}, expected {spec.shape.as_list()}")
    try:
        return np.array(leaves, spec.dtype.as_numpy_dtype).reshape(shape)
    except OverflowError as error:
        raise BadRequest(f"{name}: a number is too large for {spec.dtype.name}") from error


def _text(name: str, entry) -> bytes:
    if isinstance(entry, str):
        return entry.encode()
    try:
        return base64.b64decode(entry["b64"], validate=True)
    except (TypeError, KeyError, binascii.Error, ValueError) as error:
        raise BadRequest(
            f'{name}: each entry must be a string, or {{"b64": "..."}} in base64'
        ) from error


def _json(value: np.ndarray):
    if value.dtype == object:
        return [{"b64": base64.b64encode(content).decode()} for content in value]
    return np.ascontiguousarray(value)


def _names(names) -> str:
    quoted = [repr(name[:_QUOTED_CHARACTERS]) for name in sorted(names)[:_QUOTED_NAMES]]
    return ", ".join(quoted + ["..."] * (len(names) > _QUOTED_NAMES)) or "none"
