"""Headers of image files, read before anything is decoded, as TensorFlow operations.

A few bytes can declare gigabytes, and TensorFlow's decoders allocate them. Only headers are read
here.
"""

import tensorflow as tf

# In the order of the branches of `image_shape` and of `decoding.py`.
FORMATS = ("JPEG", "PNG", "GIF", "WebP")
# All that is read of a header is within these.
_HEADER_BYTES = 32
# As in `image_files.py`: each scan of a JPEG takes time for all pixels.
_MAX_JPEG_SCANS = 64
# The first byte of each of a JPEG's markers.
_MARK = ord(b"\xff")
# Before the first scan, of a JPEG.
_MAX_SEGMENTS = 1000
# WebP keeps heights and widths in 14 bits each.
_2_14 = 1 << 14
# Of a GIF, because each takes some 16 microseconds to skip: extensions before the first frame, and
# blocks of data, of at most 255 bytes, in each of these and in the frame.
_MAX_EXTENSIONS, _MAX_BLOCKS = 16, 20_000


def image_format(contents: tf.Tensor) -> tf.Tensor:
    """Index of the format in `FORMATS`, int32; len(FORMATS) for anything else.

    Args:
      contents: A file, scalar string.
    """

    def begins(*, at: int, mark: bytes):
        return tf.equal(tf.strings.substr(_padded(contents), at, len(mark)), mark)

    is_format = tf.stack(
        [
            begins(at=0, mark=b"\xff\xd8\xff"),
            begins(at=0, mark=b"\x89PNG\r\n\x1a\n") & begins(at=12, mark=b"IHDR"),
            begins(at=0, mark=b"GIF87a") | begins(at=0, mark=b"GIF89a"),
            begins(at=0, mark=b"RIFF") & begins(at=8, mark=b"WEBPVP8"),
            tf.constant(True),
        ]
    )
    return tf.argmax(is_format, output_type=tf.int32)


def image_shape(contents: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """Height and width that an image declares, int64 [2]. A GIF's is that of its first frame.

    Args:
      contents: A file, scalar string. Of a GIF, the result of `first_frame`.
      index: The result of `image_format`, below len(FORMATS).
    """
    header = tf.cast(
        tf.io.decode_raw(tf.strings.substr(_padded(contents), 0, _HEADER_BYTES), tf.uint8), tf.int64
    )

    def jpeg():
        return tf.cast(tf.io.extract_jpeg_shape(contents)[:2], tf.int64)

    def png():
        return tf.stack([_number(header, 23, 22, 21, 20), _number(header, 19, 18, 17, 16)])

    def gif():
        content = _bytes(contents)
        frame, _ = _first_image_descriptor(content)
        screen = tf.stack([_number(content, 8, 9), _number(content, 6, 7)])
        shape = tf.stack(
            [_number(content, frame + 7, frame + 8), _number(content, frame + 5, frame + 6)]
        )
        # TensorFlow would return black where the frame does not cover the screen.
        fills = tf.reduce_all(shape == screen)
        tf.debugging.Assert(
            fills, ["image_bytes: a GIF whose first frame does not fill its screen"]
        )
        return shape

    def webp():
        lossy = tf.stack([_number(header, 28, 29), _number(header, 26, 27)]) % _2_14
        packed = _number(header, 21, 22, 23, 24)
        lossless = tf.stack([packed // _2_14 % _2_14, packed % _2_14]) + 1
        extended = tf.stack([_number(header, 27, 28, 29), _number(header, 24, 25, 26)]) + 1
        kind = header[15]
        return tf.where(kind == ord("X"), extended, tf.where(kind == ord("L"), lossless, lossy))

    return tf.switch_case(index, [jpeg, png, gif, webp])


def is_animated_webp(contents: tf.Tensor) -> tf.Tensor:
    """Whether a WebP file declares an animation; its frames would all be decoded at once."""
    header = tf.io.decode_raw(tf.strings.substr(_padded(contents), 0, _HEADER_BYTES), tf.uint8)
    return (header[15] == ord("X")) & (
        tf.bitwise.bitwise_and(header[20], tf.constant(2, tf.uint8)) > 0
    )


def has_few_scans(contents: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG can be decoded in little time: a file of 300 KB may have 5,000 scans.

    Only scans of the first image count, not those of a thumbnail, or in what phones append.
    """
    content = _bytes(contents)
    last = tf.size(content) - 4
    (begin,) = tf.while_loop(
        lambda at: (content[at] == _MARK) & (content[at + 1] != 0xDA) & (content[at + 1] != 0xD9),
        lambda at: (
            tf.minimum(at + 2 + tf.cast(_number(content, at + 3, at + 2), tf.int32), last),
        ),
        (2,),
        maximum_iterations=_MAX_SEGMENTS,
    )
    scans = tf.strings.substr(contents, begin, tf.strings.length(contents) - begin)
    # In the data of scans, 0xFF is followed by 0 or a number that restarts decoding.
    scans = tf.strings.split(scans, b"\xff\xd9")[0]
    return tf.size(tf.strings.split(scans, b"\xff\xda")) <= 1 + _MAX_JPEG_SCANS


def first_frame(contents: tf.Tensor) -> tf.Tensor:
    """A GIF truncated after its first frame, its transparent color white, scalar string.

    TensorFlow decodes all frames, whatever their number and size, to return the first, and makes
    transparent pixels black.
    """
    content = _bytes(contents)
    frame, control = _first_image_descriptor(content)
    local = _color_table_bytes(content[frame + 9])
    end = _after_sub_blocks(content, frame + 10 + local + 1)  # One byte says how it is compressed.
    file = tf.strings.substr(contents, 0, end) + b";"

    def white():
        table = tf.where(local > 0, frame + 10, 13)
        color = table + 3 * tf.cast(content[control + 6], tf.int32)
        opaque = _replaced(file, control + 3, b"\0")  # Without the transparency flag.
        return _replaced(opaque, color, b"\xff\xff\xff")

    table_bytes = tf.where(local > 0, local, _color_table_bytes(content[10]))
    is_in_table = 3 * tf.cast(content[control + 6], tf.int32) < table_bytes
    has_color = (control > 0) & (content[control + 3] % 2 == 1) & is_in_table
    return tf.cond(has_color, white, lambda: file)


def _replaced(contents: tf.Tensor, at: tf.Tensor, new: bytes) -> tf.Tensor:
    end = at + len(new)
    after = tf.strings.substr(contents, end, tf.strings.length(contents) - end)
    return tf.strings.substr(contents, 0, at) + new + after


def _first_image_descriptor(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Offsets of a GIF's first frame and of the extension that controls it, or 0 for none."""
    begin = 13 + _color_table_bytes(content[10])
    begin, control = tf.while_loop(
        lambda at, control: content[at] == 0x21,
        lambda at, control: (
            _after_sub_blocks(content, at + 2),
            tf.where(content[at + 1] == 0xF9, at, control),
        ),
        (begin, 0),
        maximum_iterations=_MAX_EXTENSIONS,
    )
    tf.debugging.Assert(content[begin] == 0x2C, ["image_bytes: this GIF has no first frame"])
    return begin, control


def _after_sub_blocks(content: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """Offset after GIF data: blocks that begin with their length, up to one of length 0."""
    last = tf.size(content) - 1
    (at,) = tf.while_loop(
        lambda at: content[at] > 0,
        lambda at: (tf.minimum(at + 1 + tf.cast(content[at], tf.int32), last),),
        (at,),
        maximum_iterations=_MAX_BLOCKS,
    )
    return at + 1


def _color_table_bytes(flags: tf.Tensor) -> tf.Tensor:
    """Size of a GIF's color table, 0 if the flags say that there is none."""
    flags = tf.cast(flags, tf.int32)
    return tf.where(flags >= 128, 3 * 2 ** (1 + flags % 8), 0)


def _bytes(contents: tf.Tensor) -> tf.Tensor:
    """uint8 [n]: a file followed by zeros, so that no offset leads outside."""
    return tf.io.decode_raw(contents + bytes(1024), tf.uint8)


def _padded(contents: tf.Tensor) -> tf.Tensor:
    return contents + bytes(_HEADER_BYTES)


def _number(content: tf.Tensor, *offsets) -> tf.Tensor:
    """The number in the bytes at `offsets`, least significant first."""
    return sum(
        tf.cast(content[offset], tf.int64) * 256**order for order, offset in enumerate(offsets)
    )
