"""Image files to images and back, as TensorFlow operations within an export."""

import functools
from collections.abc import Callable

import tensorflow as tf

from discogan_tf import images as pixels
from discogan_tf.export import headers
from discogan_tf.export.orientation import orientation, upright
from discogan_tf.tiling import LEAST_SIDE, TILE

# Of one image: enough for the photos of any phone, and 100 MB with transparency. Of all images of a
# request together twice that, because they are decoded at once.
MAX_PIXELS = 25_000_000
MAX_PIXELS_OF_REQUEST = 2 * MAX_PIXELS
# Of all images of a request at their own size: four tiles, which take half a minute on two cores.
MAX_TRANSLATED_PIXELS = 4 * TILE**2


def decode_images(image_bytes: tf.Tensor, size: int, fit: str = "pad") -> tf.Tensor:
    """Decodes image files for the networks, scaled and made square as `images.read_image` does.

    JPEG (CMYK too), PNG, GIF (its first frame) and still WebP; gray, palette, 16 bits, transparent;
    upright, as their EXIF data says.

    Args:
      image_bytes: Files, string [batch].
      size: Height and width of the result.
      fit: How images become square, as for `images.fit_square`.

    Returns:
      float32 [batch, size, size, 3] in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: if one is of another format, corrupt, an animated WebP, a
        JPEG of very many scans, or declares more than `MAX_PIXELS` pixels, or all declare more than
        `MAX_PIXELS_OF_REQUEST`. All headers are read before anything is decoded.
    """
    return tf.map_fn(
        lambda file: pixels.to_float(pixels.fit_square(_decode(*file, size), size, fit)),
        _inspected(image_bytes),
        fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
    )


def translate_files(image_bytes: tf.Tensor, translate: Callable, multiple: int) -> tf.Tensor:
    """Translates image files, each at its own size and shape.

    Images with a side above `TILE` are scaled down to it: what a network needs for one
    grows with its pixels, and a request must not exhaust a server.

    Args:
      image_bytes: Files, string [batch], as for `decode_images`.
      translate: From float32 [1, h, w, 3] in [0, 1] to the same, h and w multiples of `multiple`.
      multiple: What sides the network needs. Images are padded with their last row and column, and
        the padding is cut off again.

    Returns:
      PNG files, string [batch].

    Raises:
      tf.errors.InvalidArgumentError: as `decode_images`; or if the images have more than
        `MAX_TRANSLATED_PIXELS` pixels together.
    """

    def translate_one(file):
        image = tf.ensure_shape(_decode(*file, TILE), (None, None, 3))
        image = pixels.shrink(image, TILE)
        height, width = tf.shape(image)[0], tf.shape(image)[1]
        for axis, side in enumerate((height, width)):
            target = -(-tf.maximum(side, LEAST_SIDE) // multiple) * multiple
            image = tf.gather(image, tf.minimum(tf.range(target), side - 1), axis=axis)
        translated = translate(pixels.to_float(image)[tf.newaxis])[0, :height, :width]
        return tf.io.encode_png(pixels.quantize(translated))

    contents, indices, shapes = _inspected(image_bytes)
    longest = tf.reduce_max(shapes, axis=1, keepdims=True)
    scale = tf.minimum(tf.constant(1.0, tf.float64), TILE / longest)
    total = tf.reduce_sum(tf.reduce_prod(tf.cast(shapes, tf.float64) * scale, axis=1))
    is_acceptable = tf.debugging.Assert(
        total <= MAX_TRANSLATED_PIXELS,
        [
            f"image_bytes: at their own size at most {MAX_TRANSLATED_PIXELS} pixels are translated "
            "in one request: send fewer images at once"
        ],
    )
    with tf.control_dependencies([is_acceptable]):
        contents = tf.identity(contents)
    return tf.map_fn(
        translate_one,
        (contents, indices, shapes),
        fn_output_signature=tf.TensorSpec((), tf.string),
        parallel_iterations=1,
    )


def encode_images(images: tf.Tensor) -> tf.Tensor:
    """float32 [batch, height, width, 3] in [0, 1] to PNG files, string [batch]."""
    return tf.io.encode_png(pixels.quantize(images))


def _inspected(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`_inspect` of each file, and a check of all together, before anything is decoded."""
    contents, indices, shapes = tf.map_fn(
        _inspect,
        image_bytes,
        fn_output_signature=(
            tf.TensorSpec((), tf.string),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((2,), tf.int64),
        ),
    )
    total = tf.reduce_sum(tf.reduce_prod(shapes, axis=1))
    is_acceptable = tf.debugging.Assert(
        total <= MAX_PIXELS_OF_REQUEST,
        [
            tf.strings.format(
                "image_bytes: the images have {} pixels; "
                f"{MAX_PIXELS_OF_REQUEST} in all are accepted: send fewer at once",
                total,
            )
        ],
    )
    with tf.control_dependencies([is_acceptable]):
        return tf.identity(contents), indices, shapes


def _inspect(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The file as it is safe to decode, its format and its shape, after a check of its header."""
    index = headers.image_format(contents)
    is_known = tf.debugging.Assert(
        index < len(headers.FORMATS), ["image_bytes: not a JPEG, PNG, GIF or WebP image"]
    )
    with tf.control_dependencies([is_known]):
        contents = tf.cond(
            index == headers.FORMATS.index("GIF"),
            lambda: headers.first_frame(contents),
            lambda: contents,
        )
        shape = headers.image_shape(contents, index)
    is_acceptable = [
        tf.debugging.Assert(
            # Each side by itself too, because their product might overflow.
            (tf.reduce_min(shape) > 0)
            & (tf.reduce_max(shape) <= MAX_PIXELS)
            & (tf.reduce_prod(shape) <= MAX_PIXELS),
            [
                tf.strings.format(
                    "image_bytes: the image has {} x {} pixels; "
                    + f"at most {MAX_PIXELS} are accepted",
                    (shape[1], shape[0]),
                )
            ],
        ),
        tf.debugging.Assert(
            ~headers.is_animated_webp(contents) | (index != headers.FORMATS.index("WebP")),
            ["image_bytes: an animated WebP; send a still image"],
        ),
        tf.debugging.Assert(
            headers.has_few_scans(contents) | (index != headers.FORMATS.index("JPEG")),
            ["image_bytes: a JPEG of so many scans takes too long to decode; save it anew"],
        ),
    ]
    with tf.control_dependencies(is_acceptable):
        return tf.identity(contents), index, shape


def _decode(contents: tf.Tensor, index: tf.Tensor, shape: tf.Tensor, size: int) -> tf.Tensor:
    """One file, upright, to uint8 [height, width, 3]; a large JPEG is scaled down, but not below
    `size`.
    """
    image = tf.switch_case(
        index,
        [
            lambda: _decode_jpeg(contents, shape, size),
            lambda: _decode_png(contents),
            lambda: tf.io.decode_gif(contents)[0],
            lambda: _decode_webp(contents),
        ],
    )
    return upright(image, orientation(contents, index))


def _decode_jpeg(contents: tf.Tensor, shape: tf.Tensor, size: int) -> tf.Tensor:
    """Scales a large JPEG down inside its transform, to no less than four times `size`.

    That is many times faster than to decode all of it. The ratio must divide both sides, or the
    edge of the image would shift.
    """
    ratios = (8, 4, 2, 1)
    is_possible = [
        tf.reduce_all(shape % ratio == 0) & (tf.reduce_max(shape) >= 4 * size * ratio)
        for ratio in ratios[:-1]
    ]
    decode = functools.partial(
        tf.io.decode_jpeg, contents, channels=3, dct_method="INTEGER_ACCURATE"
    )
    return tf.switch_case(
        tf.argmax(tf.stack([*is_possible, tf.constant(True)]), output_type=tf.int32),
        [functools.partial(decode, ratio=ratio) for ratio in ratios],
    )


def _decode_png(contents: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_png(contents, channels=4)
    # For a PNG without transparency TensorFlow sets the opacity to the largest number of the file's
    # bits (byte 24): 1 or 15 for images of 1 or 4 bits, which would be nearly invisible.
    bits = tf.io.decode_raw(tf.strings.substr(contents, 24, 1), tf.uint8)[0]
    opaque = tf.cast(2 ** tf.minimum(tf.cast(bits, tf.int32), 8) - 1, tf.uint8)
    return tf.cond(
        tf.reduce_all(image[..., 3] == opaque),
        lambda: image[..., :3],
        lambda: pixels.on_white(image),
    )


def _decode_webp(contents: tf.Tensor) -> tf.Tensor:
    image = tf.io.decode_webp(contents)[0]
    return tf.cond(tf.shape(image)[-1] == 4, lambda: pixels.on_white(image), lambda: image[..., :3])
