"""Requests and answers of TensorFlow Serving's REST interface: JSON to arrays and back.

A request names its inputs by rows, `{"instances": [{"images": ...}, ...]}`, or by columns,
`{"inputs": {"images": [...]}}`; with one input, its value may stand alone. Bytes are
`{"b64": "..."}`. Answers have the form of their request: `predictions` or `outputs`.
"""

import base64
import binascii

import numpy as np
import orjson
import tensorflow as tf

from discogan_tf.serving.endpoints import DEFAULT

Specs = dict[str, tf.TensorSpec]


class BadRequest(Exception):  # noqa: N818 - named for the status it becomes.
    """A request that says something wrong; the text says what."""


def parse_body(body: bytes) -> tuple[str, dict]:
    """The signature that a request names, and the request.

    Raises:
      BadRequest: if it is no JSON, or not of either form.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(request, dict) or ("instances" in request) == ("inputs" in request):
        raise BadRequest('the body must be an object with either "instances" or "inputs"')
    signature = request.get("signature_name") or DEFAULT
    if not isinstance(signature, str):
        raise BadRequest('"signature_name" must be a string')
    return signature, request


def parse_inputs(request: dict, specs: Specs, max_batch_size: int) -> dict[str, np.ndarray]:
    """The inputs of a request: float32, or objects of type bytes.

    Args:
      request: As `parse_body` gives it.
      specs: Those of the signature's inputs.
      max_batch_size: How many rows a request may have.

    Raises:
      BadRequest: if a name, a shape or a type is wrong, or the batch is empty or too large.
    """
    columns = (
        _columns(request["instances"], specs)
        if "instances" in request
        else _named(request["inputs"], specs)
    )
    if set(columns) != set(specs):
        raise BadRequest(f"the inputs must be {_names(specs)}, not {_names(columns)}")
    for name, column in columns.items():
        if not isinstance(column, list):
            raise BadRequest(f"{name}: must be a list, with one entry for each picture")
        if not 1 <= len(column) <= max_batch_size:
            raise BadRequest(f"{name}: {len(column)} entries; from 1 to {max_batch_size} are accepted")
    return {name: _array(name, columns[name], spec) for name, spec in specs.items()}


def render(outputs: dict[str, np.ndarray], by_rows: bool) -> bytes:
    """The answer in JSON: `predictions` for a request by rows, else `outputs`."""
    columns = {name: _json(value) for name, value in outputs.items()}
    if len(columns) == 1:
        (content,) = columns.values()
        content = list(content) if by_rows else content
    elif by_rows:
        content = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    else:
        content = columns
    return orjson.dumps(
        {"predictions" if by_rows else "outputs": content}, option=orjson.OPT_SERIALIZE_NUMPY
    )


def _columns(instances, specs: Specs) -> dict[str, list]:
    if not isinstance(instances, list):
        raise BadRequest('"instances" must be a list')
    rows = [_named(instance, specs) for instance in instances]
    names = set(rows[0]) if rows else set(specs)
    if any(set(row) != names for row in rows):
        raise BadRequest('all "instances" must have the same inputs')
    return {name: [row[name] for row in rows] for name in names}


def _named(value, specs: Specs) -> dict:
    """Name -> value, where a value may stand without a name if there is only one."""
    if isinstance(value, dict) and set(value) != {"b64"}:
        return value
    if len(specs) != 1:
        raise BadRequest(f"name the inputs: {_names(specs)}")
    return {next(iter(specs)): value}


def _array(name: str, column: list, spec: tf.TensorSpec) -> np.ndarray:
    if spec.dtype == tf.string:
        return np.array([_text(name, entry) for entry in column], object)
    try:
        array = np.array(column)
    except ValueError as error:
        raise BadRequest(f"{name}: rows of unequal length") from error
    if array.dtype.kind not in "iuf":
        raise BadRequest(f"{name}: must be numbers")
    if not spec.shape.is_compatible_with(array.shape):
        raise BadRequest(f"{name}: has shape {list(array.shape)}; {spec.shape.as_list()} is wanted")
    return array.astype(spec.dtype.as_numpy_dtype)


def _text(name: str, entry) -> bytes:
    if isinstance(entry, str):
        return entry.encode()
    try:
        return base64.b64decode(entry["b64"], validate=True)
    except (TypeError, KeyError, binascii.Error, ValueError) as error:
        raise BadRequest(f'{name}: each entry must be {{"b64": "..."}}, with base64 in it') from error


def _json(value: np.ndarray):
    if value.dtype == object:
        return [{"b64": base64.b64encode(content).decode()} for content in value]
    return np.ascontiguousarray(value)


def _names(names) -> str:
    return ", ".join(map(repr, sorted(names))) or "none"
