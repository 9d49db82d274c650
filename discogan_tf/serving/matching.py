"""Requests for the items of a catalog that match an image.

    POST /v1/match    {"image": {"b64": "..."}, "num": 12}

The answer is `{"matches": [{"image": ..., "distance": ...}, ...]}`, the nearest first.
"""

import base64
import binascii

import numpy as np
import orjson

from discogan_tf import images as pixels
from discogan_tf.errors import DiscoganError
from discogan_tf.image_files import MAX_SENT_PIXELS, open_upright
from discogan_tf.matching.catalog import Catalog
from discogan_tf.serving import rest
from discogan_tf.serving.rest import BadRequest

_MAX_MATCHES = 1000


def answer(catalog: Catalog, body: bytes | bytearray) -> bytes:
    """The body of the response to a request.

    Raises:
      BadRequest: if the request cannot be answered; the message says why.
    """
    try:
        rest.require_few_lists(body)
        request = orjson.loads(body)
        content = base64.b64decode(request["image"]["b64"], validate=True)
        num = request.get("num", 12)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise BadRequest('the body must be {"image": {"b64": "..."}, "num": 12}') from error
    if type(num) is not int or not 1 <= num <= _MAX_MATCHES:
        raise BadRequest(f'"num" must be an integer from 1 to {_MAX_MATCHES}')
    image = _decoded(content)
    try:
        matches = catalog.match(image, num)
    except DiscoganError as error:
        raise BadRequest(str(error)) from error
    rows = [{"image": match.item, "distance": match.distance} for match in matches]
    return orjson.dumps({"matches": rows})


def _decoded(content: bytes) -> np.ndarray:
    try:
        return pixels.as_rgb(open_upright(content, MAX_SENT_PIXELS))
    except OSError as error:
        raise BadRequest(f"image: {error}") from error
