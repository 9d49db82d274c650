"""The EXIF orientation of an image file, followed as TensorFlow operations.

Cameras store an image as the sensor saw it, and in one number which way is up (EXIF 2.3, tag
0x0112): 1 is upright, 3 upside down, 6 and 8 lie on a side, and 2, 4, 5, 7 are mirrored as well.
"""

import tensorflow as tf

from discogan_tf.export import headers

_TAG = 0x0112
# What EXIF data follows, by the order of `headers.FORMATS`; a GIF has none. In a WebP, four bytes
# of length come between, and a prefix that some programs write.
_MARKS = (b"Exif\0\0", b"eXIf", None, b"EXIF")
_PREFIX = b"Exif\0\0"
# The orientation is in the first directory, near the beginning.
_READ_BYTES, _MAX_ENTRIES = 4096, 64


def orientation(contents: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """From 1 to 8, int32; 1 without EXIF data or if it is malformed.

    Args:
      contents: A file, scalar string.
      index: The result of `headers.image_format`, below len(headers.FORMATS).
    """

    def after(mark):
        if mark is None:
            return lambda: tf.constant(b"")
        return lambda: tf.strings.substr(_after_first(contents, mark), 0, _READ_BYTES)

    data = tf.switch_case(index, [after(mark) for mark in _MARKS])
    is_webp = tf.equal(index, headers.FORMATS.index("WebP"))
    data = tf.cond(is_webp, lambda: _skipped(data, 4), lambda: data)
    has_prefix = tf.equal(tf.strings.substr(data + bytes(8), 0, len(_PREFIX)), _PREFIX)
    data = tf.cond(has_prefix, lambda: _skipped(data, len(_PREFIX)), lambda: data)
    return _of_first_directory(tf.cast(tf.io.decode_raw(data + bytes(16), tf.uint8), tf.int32))


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """uint8 [height, width, 3], turned and mirrored so that up is up."""

    def across():
        return tf.transpose(image, (1, 0, 2))

    by_orientation = [
        lambda: image,
        lambda: image[:, ::-1],
        lambda: image[::-1, ::-1],
        lambda: image[::-1],
        across,
        lambda: across()[:, ::-1],
        lambda: across()[::-1, ::-1],
        lambda: across()[::-1],
    ]
    return tf.switch_case(orientation - 1, by_orientation)


def _of_first_directory(data: tf.Tensor) -> tf.Tensor:
    """The orientation in EXIF data: a TIFF header, then a directory of entries of 12 bytes.

    Args:
      data: Bytes, int32 [n]; what lies outside counts as 0.
    """
    is_little = data[0] == ord("I")
    is_tiff = (is_little | (data[0] == ord("M"))) & (data[0] == data[1])

    def number(at, size):
        offsets = tf.range(size)
        places = tf.minimum(tf.maximum(at, 0) + offsets, tf.size(data) - 1)
        digits = tf.where(is_little, offsets, size - 1 - offsets)
        return tf.reduce_sum(
            tf.cast(tf.gather(data, places), tf.int64) * 256 ** tf.cast(digits, tf.int64)
        )

    begin = tf.cast(tf.minimum(number(4, 4), _READ_BYTES), tf.int32)
    count = tf.minimum(tf.cast(number(begin, 2), tf.int32), _MAX_ENTRIES)
    entries = begin + 2 + 12 * tf.range(count)
    tags = tf.map_fn(lambda at: number(at, 2), entries, fn_output_signature=tf.int64)
    found = tf.where(tags == _TAG)[:, 0]
    value = tf.cond(
        is_tiff & (tf.size(found) > 0),
        lambda: tf.cast(number(entries[found[0]] + 8, 2), tf.int32),
        lambda: 1,
    )
    return tf.where((value >= 1) & (value <= 8), value, 1)


def _after_first(contents: tf.Tensor, mark: bytes) -> tf.Tensor:
    """What follows the first occurrence of `mark`; empty without one."""
    parts = tf.strings.split(contents, mark)
    return tf.cond(tf.size(parts) > 1, lambda: parts[1], lambda: tf.constant(b""))


def _skipped(data: tf.Tensor, count: int) -> tf.Tensor:
    return tf.strings.substr(data + bytes(count), count, _READ_BYTES)
