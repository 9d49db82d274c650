"""Picture files to pictures and back, as TensorFlow operations that travel with an export."""

import functools

import tensorflow as tf

from discogan_tf import images
from discogan_tf.serving import headers

# Of a picture to be translated: enough for any phone's usual photo, and 100 MB with transparency. Of all
# pictures of a request together twice that, for they are decoded at once.
MAX_PIXELS = 25_000_000
MAX_PIXELS_OF_REQUEST = 2 * MAX_PIXELS


def decode_pictures(image_bytes: tf.Tensor, size: int) -> tf.Tensor:
    """Picture files as the networks want them, scaled and padded as `images.read_picture` does.

    JPEG (CMYK too), PNG, GIF (its first frame) and still WebP; grey, palette, 16 bits, transparent.
    EXIF orientation is not looked at, nor a GIF's transparent colour.

    Args:
      image_bytes: Files, string [batch].
      size: Height and width of the result.

    Returns:
      float32 [batch, size, size, 3] in [0, 1].

    Raises:
      tf.errors.InvalidArgumentError: if one is of another format, damaged, or claims more than
        `MAX_PIXELS` pixels, or all claim more than `MAX_PIXELS_OF_REQUEST`. All headers are looked at
        before anything is decoded.
    """
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
                "image_bytes: the pictures have {} pixels; "
                f"{MAX_PIXELS_OF_REQUEST} in all are accepted: send fewer at once",
                total,
            )
        ],
    )
    with tf.control_dependencies([is_acceptable]):
        contents = tf.identity(contents)
    return tf.map_fn(
        lambda file: images.to_float(images.fit_square(_decode(*file, size), size)),
        (contents, indices, shapes),
        fn_output_signature=tf.TensorSpec((size, size, 3), tf.float32),
    )


def encode_pictures(pictures: tf.Tensor) -> tf.Tensor:
    """float32 [batch, height, width, 3] in [0, 1] to PNG files, string [batch]."""
    return tf.io.encode_png(images.quantize(pictures))


def _inspect(contents: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A file as it may be decoded, its format and its shape, once its header is found acceptable."""
    index = headers.picture_format(contents)
    is_known = tf.debugging.Assert(
        index < len(headers.FORMATS), ["image_bytes: not a JPEG, PNG, GIF or WebP picture"]
    )
    with tf.control_dependencies([is_known]):
        contents = tf.cond(
            index == headers.FORMATS.index("GIF"), lambda: headers.first_frame(contents), lambda: contents
        )
        shape = headers.picture_shape(contents, index)
    is_acceptable = [
        tf.debugging.Assert(
            # Each side by itself too, lest their product overflow.
            (tf.reduce_min(shape) > 0)
            & (tf.reduce_max(shape) <= MAX_PIXELS)
            & (tf.reduce_prod(shape) <= MAX_PIXELS),
            [
                tf.strings.format(
                    "image_bytes: a picture of {} x {} pixels; "
                    + f"from 1 to {MAX_PIXELS} in all are accepted",
                    (shape[1], shape[0]),
                )
            ],
        ),
        tf.debugging.Assert(
            ~headers.is_animated_webp(contents) | (index != headers.FORMATS.index("WebP")),
            ["image_bytes: an animated WebP; a still picture is wanted"],
        ),
    ]
    with tf.control_dependencies(is_acceptable):
        return tf.identity(contents), index, shape


def _decode(contents: tf.Tensor, index: tf.Tensor, shape: tf.Tensor, size: int) -> tf.Tensor:
    """One file to uint8 [height, width, 3]; a large JPEG comes out smaller, yet larger than `size`."""
    return tf.switch_case(
        index,
        [
            lambda: _decode_jpeg(contents, shape, size),
            lambda: _decode_png(contents),
            lambda: tf.io.decode_gif(contents)[0],
            lambda: _decode_webp(contents),
        ],
    )


def _decode_jpeg(contents: tf.Tensor, shape: tf.Tensor, size: int) -> tf.Tensor:
    """Scales a large JPEG down inside its transform, to no less than four times `size`.

    That is many times faster than decoding all of it. Only by what divides both sides: the edge of
    the picture would shift otherwise.
    """
    ratios = (8, 4, 2, 1)
    is_possible = [
        tf.reduce_all(shape % ratio == 0) & (tf.reduce_max(shape) >= 4 * size * ratio)
        for ratio in ratios[:-1]
    ]
    decode = functools.partial(tf.io.decode_jpeg, contents, channels=3, dct_method="INTEGER_ACCURATE")
    return tf.switch_case(
        tf.argmax(tf.stack([*is_possible, tf.constant(True)]), output_type=tf.int32),
        [functools.partial(decode, ratio=ratio) for ratio in ratios],
    )


def _decode_png(contents: tf.Tensor) -> tf.Tensor:
    picture = tf.io.decode_png(contents, channels=4)
    # Where a PNG has no transparency, TensorFlow fills in the largest number of the file's own bits
    # (byte 24) as opacity: 1 or 15 for pictures of 1 or 4 bits, which would be all but invisible.
    bits = tf.io.decode_raw(tf.strings.substr(contents, 24, 1), tf.uint8)[0]
    opaque = tf.cast(2 ** tf.minimum(tf.cast(bits, tf.int32), 8) - 1, tf.uint8)
    return tf.cond(
        tf.reduce_all(picture[..., 3] == opaque), lambda: picture[..., :3], lambda: images.on_white(picture)
    )


def _decode_webp(contents: tf.Tensor) -> tf.Tensor:
    picture = tf.io.decode_webp(contents)[0]
    return tf.cond(tf.shape(picture)[-1] == 4, lambda: images.on_white(picture), lambda: picture[..., :3])
