"""What an export answers to: the functions behind the signatures of one direction."""

import tensorflow as tf

from discogan_tf.models.signature import Signature
from discogan_tf.serving.decoding import decode_pictures, encode_pictures

# The translation that every model offers, and TensorFlow Serving's name for what it runs when a
# request names no signature.
DEFAULT = "serving_default"
TRANSLATE_BYTES = "translate_bytes"


def create_endpoints(signatures: dict[str, Signature]) -> dict:
    """Name -> (function, specification of its input): the model's signatures, and one for files.

    `translate_bytes` takes `image_bytes`, string [batch], and gives the same: TensorFlow Serving's
    REST interface sends tensors as base64 whose names end in `_bytes`.

    Args:
      signatures: Those of one direction, as `Model.signatures` gives them.
    """
    endpoints = {
        name: (_checked(signature.function), signature.images) for name, signature in signatures.items()
    }
    translate, images = signatures[DEFAULT].function, signatures[DEFAULT].images

    def translate_bytes(image_bytes):
        pictures = decode_pictures(image_bytes, images.shape[1])
        return {"image_bytes": encode_pictures(translate(pictures)["translated"])}

    files = tf.TensorSpec((None,), tf.string, name="image_bytes")
    return endpoints | {TRANSLATE_BYTES: (translate_bytes, files)}


def _checked(function):
    """`function`, refusing pictures out of range: 0 .. 255 is what people send first."""

    def checked(images):
        # A NaN fails either comparison.
        in_range = tf.reduce_all((images >= 0.0) & (images <= 1.0))
        assertion = tf.debugging.Assert(in_range, ["images: the values must be in [0, 1]"])
        with tf.control_dependencies([assertion]):
            images = tf.identity(images)
        return function(images)

    return checked
