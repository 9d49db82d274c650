"""The only owner of pixel ranges: files and uint8 in 0 .. 255 on one side, float32 in [0, 1] on the
other; and the drawing of sheets.
"""

import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont, ImageOps

_WHITE = (255, 255, 255)
_INK = (60, 60, 60)


def to_float(images: tf.Tensor) -> tf.Tensor:
    """uint8 in 0 .. 255 to float32 in [0, 1], any shape."""
    # In compiled functions TensorFlow makes a plain division by a constant a multiplication, whose last bit
    # differs now and then.
    return tf.math.divide_no_nan(tf.cast(images, tf.float32), 255.0)


def quantize(images: tf.Tensor) -> tf.Tensor:
    """float32 in [0, 1] to uint8 in 0 .. 255, any shape: rounded, and clipped rather than wrapped."""
    return tf.cast(tf.clip_by_value(tf.round(images * 255.0), 0.0, 255.0), tf.uint8)


def to_uint8(images) -> np.ndarray:
    """`quantize` on what NumPy takes for an array of floats."""
    return quantize(tf.convert_to_tensor(np.asarray(images, np.float32))).numpy()


def read_picture(path: Path, size: int) -> np.ndarray:
    """A person's picture as the networks want it: uint8 [size, size, 3], upright, as `fit_square` does.

    Args:
      path: A picture in any format that Pillow reads; of an animation the first frame. Transparency
        becomes white.
      size: Height and width of the result.

    Raises:
      OSError: if the file is no picture, is damaged, or claims an absurd number of pixels.
    """
    try:
        with warnings.catch_warnings():
            # Photos of a hundred megapixels are fine; twice Pillow's limit is an error of its own.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                picture = ImageOps.exif_transpose(picture)
                if picture.mode.startswith("I"):  # 16 bits, which Pillow would clip, not scale.
                    picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
                picture = picture.convert("RGBA")
    except Image.DecompressionBombError as error:
        raise OSError(f"too many pixels: {error}") from error
    except (ValueError, SyntaxError, EOFError) as error:
        # What Pillow's decoders raise beside OSError on damaged files.
        raise OSError(str(error)) from error
    return fit_square(on_white(tf.constant(np.asarray(picture))), size).numpy()


def on_white(picture: tf.Tensor) -> tf.Tensor:
    """uint8 [height, width, 4] in 0 .. 255, the last channel opacity, to uint8 [height, width, 3].

    In 16 bits rather than as floats: a picture of 25 megapixels would take a gigabyte of those.
    """
    colour, alpha = picture[..., :3], picture[..., 3:]

    def blend():
        opacity = tf.cast(alpha, tf.uint16)
        # At most 255 * 255, and so is the sum; what follows divides by 255 and rounds.
        mixed = tf.cast(colour, tf.uint16) * opacity + 255 * (255 - opacity) + 128
        mixed += tf.bitwise.right_shift(mixed, tf.constant(8, tf.uint16))
        return tf.cast(tf.bitwise.right_shift(mixed, tf.constant(8, tf.uint16)), tf.uint8)

    return tf.cond(tf.reduce_all(alpha == 255), lambda: colour, blend)


def fit_square(picture: tf.Tensor, size: int) -> tf.Tensor:
    """A picture of any size as the networks want it.

    Scaling is by the mean over the area of each new pixel, as in the prepared domains, or bicubic
    upwards. What the picture lacks of a square is white.

    Args:
      picture: uint8 [height, width, 3] in 0 .. 255.
      size: Height and width of the result.

    Returns:
      uint8 [size, size, 3].
    """
    shape = tf.shape(picture)[:2]
    longer = tf.reduce_max(shape)
    fitting = tf.cast(tf.round(tf.cast(shape, tf.float64) * (size / tf.cast(longer, tf.float64))), tf.int32)
    fitting = tf.maximum(fitting, 1)
    scaled = tf.cond(
        longer > size,
        lambda: tf.image.resize(picture, fitting, "area"),
        lambda: tf.image.resize(picture, fitting, "bicubic"),
    )
    scaled = tf.cast(tf.clip_by_value(tf.round(scaled), 0.0, 255.0), tf.uint8)
    before = (size - fitting) // 2
    margins = tf.concat([tf.stack([before, size - fitting - before], axis=1), [[0, 0]]], axis=0)
    return tf.ensure_shape(tf.pad(scaled, margins, constant_values=255), (size, size, 3))


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes uint8 [height, width, 3] as a PNG, by way of a temporary name."""
    temporary = path.with_name(path.name + ".part")
    Image.fromarray(image).save(temporary, "PNG")
    temporary.replace(path)


def draw_pairs(upper: list[np.ndarray], lower: list[np.ndarray], columns: int) -> np.ndarray:
    """A sheet of pictures over their counterparts, `columns` of them beside each other.

    Args:
      upper: uint8 [size, size, 3] each.
      lower: As many, of the same form.
      columns: How many before a new line begins.

    Returns:
      uint8 [height, width, 3].
    """
    rows = {}
    for start in range(0, len(upper), columns):
        line = slice(start, start + columns)
        number = f"{start + 1}-{start + len(upper[line])}"
        rows[f"input {number}"] = np.stack(upper[line])
        rows[f"output {number}"] = np.stack(lower[line])
    return draw_sheet(rows)


def draw_sheet(rows: dict[str, np.ndarray], cell_size: int = 96) -> np.ndarray:
    """A labelled sheet of pictures, one row for each entry.

    Args:
      rows: Label -> images, float in [0, 1] or uint8, [n, size, size, 3].
      cell_size: Pictures are enlarged by the smallest whole factor that makes them this large.

    Returns:
      uint8 [height, width, 3].
    """
    size = next(iter(rows.values())).shape[1]
    factor = max(1, -(-cell_size // size))
    cell, gap = size * factor, 4
    font = ImageFont.load_default(size=15)
    label_width = 16 + int(max(font.getlength(label) for label in rows))
    columns = max(len(images) for images in rows.values())
    sheet = Image.new("RGB", (label_width + columns * (cell + gap), len(rows) * (cell + gap) + gap), _WHITE)
    draw = ImageDraw.Draw(sheet)
    for row, (label, images) in enumerate(rows.items()):
        top = gap + row * (cell + gap)
        draw.text((8, top + cell // 2), label, fill=_INK, font=font, anchor="lm")
        pictures = images if images.dtype == np.uint8 else to_uint8(images)
        for column, picture in enumerate(pictures):
            enlarged = Image.fromarray(picture).resize((cell, cell), Image.Resampling.NEAREST)
            sheet.paste(enlarged, (label_width + column * (cell + gap), top))
    return np.asarray(sheet)
