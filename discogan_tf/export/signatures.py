"""The signatures of an exported translation: the model's own, and those of files and sentences."""

from collections.abc import Callable

import tensorflow as tf

from discogan_tf.export.decoding import decode_images, encode_images, translate_files
from discogan_tf.models.contract import (
    FROM_TEXT,
    IMAGES,
    SERVING_DEFAULT,
    TRANSLATED,
    Signature,
)

TRANSLATE_BYTES, IMAGE_BYTES = "translate_bytes", "image_bytes"
GENERATE_BYTES = "generate_bytes"


def export_signatures(
    signatures: dict[str, Signature], size_multiple: int | None = None, fit: str = "pad"
) -> dict[str, Signature]:
    """The signatures of one translation as they are exported.

    Images out of range are refused. If the translation takes images, there is also
    `translate_bytes`, which takes and returns image files, `image_bytes`, string [batch]:
    TensorFlow Serving's REST interface sends tensors whose names end in `_bytes` as base64. A
    signature `from_text` becomes `generate_bytes`, with PNG files in place of images.

    Args:
      signatures: Those of the translation, as `Model.signatures` returns them.
      size_multiple: Of the model. If it is a number, files are translated at their own size.
      fit: How other files become square, as for `images.fit_square`.
    """
    exported = {
        name: signature._replace(function=_checked(signature))
        for name, signature in signatures.items()
    }
    if FROM_TEXT in signatures:
        exported[GENERATE_BYTES] = _as_files(exported.pop(FROM_TEXT))
    translate, inputs = signatures[SERVING_DEFAULT]
    if not takes_images(signatures):
        return exported

    def translate_at_own_size(image_bytes):
        files = translate_files(image_bytes, lambda x: translate(x)[TRANSLATED], size_multiple)
        return {IMAGE_BYTES: files}

    def translate_bytes(image_bytes):
        images = decode_images(image_bytes, inputs[IMAGES].shape[1], fit)
        return {IMAGE_BYTES: encode_images(translate(images)[TRANSLATED])}

    files = {IMAGE_BYTES: tf.TensorSpec((None,), tf.string, name=IMAGE_BYTES)}
    function = translate_at_own_size if size_multiple else translate_bytes
    return exported | {TRANSLATE_BYTES: Signature(function, files)}


def _as_files(signature: Signature) -> Signature:
    """A signature that returns PNG files in place of images."""

    def generate_bytes(*inputs):
        return {IMAGE_BYTES: encode_images(signature.function(*inputs)[TRANSLATED])}

    return signature._replace(function=generate_bytes)


def takes_images(signatures: dict[str, Signature]) -> bool:
    """Whether images are all that a translation takes."""
    return list(signatures[SERVING_DEFAULT].inputs) == [IMAGES]


def _checked(signature: Signature) -> Callable:
    """The function of a signature, refusing images out of range, such as 0 .. 255."""
    names = list(signature.inputs)

    def checked(*inputs):
        return signature.function(*(_in_range(*named) for named in zip(names, inputs, strict=True)))

    return checked


def _in_range(name: str, value: tf.Tensor) -> tf.Tensor:
    if name != IMAGES:
        return value
    # Neither comparison is true of NaN.
    in_range = tf.reduce_all((value >= 0.0) & (value <= 1.0))
    assertion = tf.debugging.Assert(in_range, [f"{name}: the values must be in [0, 1]"])
    with tf.control_dependencies([assertion]):
        return tf.identity(value)
