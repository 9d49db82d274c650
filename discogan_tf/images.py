"""Pixel ranges and image files: uint8 in 0 .. 255 on one side, float32 in [0, 1] on the other.

Only this module converts between them. It also lays out grids of images.
"""

import io
import textwrap
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from discogan_tf.image_files import open_upright

# Format of written images, by Pillow's name -> suffix of the file.
FILE_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
# In pixels; that of JPEG is what libjpeg writes.
_LONGEST_SIDES = {"jpeg": 65_500, "webp": 16_383}
_WHITE = (255, 255, 255)
_TEXT_COLOR = (60, 60, 60)
# Scaling such an image in floating point would take more than 300 MB.
_MANY_PIXELS = 25_000_000


def to_float(images: tf.Tensor) -> tf.Tensor:
    """uint8 in 0 .. 255 to float32 in [0, 1], any shape."""
    # In compiled functions TensorFlow replaces a plain division by a constant by a multiplication,
    # whose last bit sometimes differs.
    return tf.math.divide_no_nan(tf.cast(images, tf.float32), 255.0)


def quantize(images: tf.Tensor) -> tf.Tensor:
    """float32 in [0, 1] to uint8 in 0 .. 255, any shape: rounded, and clipped, not wrapped."""
    return tf.cast(tf.clip_by_value(tf.round(images * 255.0), 0.0, 255.0), tf.uint8)


def to_signed(images: tf.Tensor) -> tf.Tensor:
    """Images in [0, 1] to [-1, 1], of the same shape and dtype."""
    return 2 * images - 1


def to_efficientnet_range(images: tf.Tensor) -> tf.Tensor:
    """float32 in [0, 1] to (value - 127) / 128 for values of 0 .. 255, as EfficientNet-Lite has."""
    return (255.0 * images - 127.0) / 128.0


def to_uint8(images) -> np.ndarray:
    """`quantize` of an array."""
    return quantize(tf.convert_to_tensor(np.asarray(images, np.float32))).numpy()


def read_image(path: Path, size: int | None = None, fit: str = "pad") -> np.ndarray:
    """Reads an image file, upright, its transparency white.

    Args:
      path: An image in any format that `open_upright` reads.
      size: Height and width of the result; None leaves the image as large as it is.
      fit: How it becomes square, as for `fit_square`.

    Returns:
      uint8 [size, size, 3], as `fit_square` returns it, or [height, width, 3].

    Raises:
      OSError: as `open_upright`.
    """
    image = open_upright(path.read_bytes())
    if size and image.width * image.height > _MANY_PIXELS:
        image = image.reduce(2)
    pixels = as_rgb(image)
    return fit_square(tf.constant(pixels), size, fit).numpy() if size else pixels


def as_rgb(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, 3] of an image of mode RGB or RGBA, its transparency white."""
    pixels = np.asarray(image)
    return on_white(tf.constant(pixels)).numpy() if image.mode == "RGBA" else pixels


def on_white(image: tf.Tensor) -> tf.Tensor:
    """Blends uint8 [height, width, 4], the last channel opacity, with white: [height, width, 3].

    Uses uint16 arithmetic: floats would take a gigabyte for 25 megapixels.
    """
    color, alpha = image[..., :3], image[..., 3:]

    def blend():
        opacity = tf.cast(alpha, tf.uint16)
        # At most 255 * 255, and so is the sum; what follows divides by 255 and rounds.
        mixed = tf.cast(color, tf.uint16) * opacity + 255 * (255 - opacity) + 128
        mixed += tf.bitwise.right_shift(mixed, tf.constant(8, tf.uint16))
        return tf.cast(tf.bitwise.right_shift(mixed, tf.constant(8, tf.uint16)), tf.uint8)

    return tf.cond(tf.reduce_all(alpha == 255), lambda: color, blend)


def fit_square(image: tf.Tensor, size: int, fit: str = "pad") -> tf.Tensor:
    """Scales an image of any size to a square for the networks, as `data_prep` does.

    Downscaling averages over areas (box filter); upscaling is bicubic.

    Args:
      image: uint8 [height, width, 3] in 0 .. 255.
      size: Height and width of the result.
      fit: How the training images became square. "pad" with the median color of the sides that are
        padded; "crop" to the largest square in the middle; or "stretch".

    Returns:
      uint8 [size, size, 3].
    """
    if fit != "pad":
        image = _middle(image) if fit == "crop" else image
        return tf.ensure_shape(_scaled(image, tf.constant([size, size])), (size, size, 3))
    fitting = _fitting(image, size)
    scaled = _scaled(image, fitting)
    before = (size - fitting) // 2
    margins = tf.concat([tf.stack([before, size - fitting - before], axis=1), [[0, 0]]], axis=0)
    # Through the difference, because `tf.pad` knows one constant for all channels.
    color = _border_color(scaled)
    padded = tf.pad(tf.cast(scaled, tf.int32) - color, margins) + color
    return tf.ensure_shape(tf.cast(padded, tf.uint8), (size, size, 3))


def _scaled(image: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """uint8 [h, w, 3] to the same with the height and width in `shape`, int32 [2]."""
    smaller = tf.minimum(shape, tf.shape(image)[:2])
    # Each is skipped where it would change nothing, as in `data_prep`.
    shrunk = tf.cond(
        tf.reduce_any(smaller < tf.shape(image)[:2]),
        lambda: _rounded(tf.image.resize(image, smaller, "area")),
        lambda: image,
    )
    return tf.cond(
        tf.reduce_any(shape > smaller),
        lambda: _rounded(tf.image.resize(shrunk, shape, "bicubic")),
        lambda: shrunk,
    )


def _middle(image: tf.Tensor) -> tf.Tensor:
    """The largest square in the middle."""
    shape = tf.shape(image)[:2]
    side = tf.reduce_min(shape)
    top, left = tf.unstack((shape - side) // 2)
    return image[top : top + side, left : left + side]


def _border_color(image: tf.Tensor) -> tf.Tensor:
    """int32 [3]: the median, by channel, of the two sides of an image that are to be padded."""
    shape = tf.shape(image)[:2]
    sides = tf.cond(
        shape[0] < shape[1],
        lambda: tf.concat([image[0], image[-1]], 0),
        lambda: tf.concat([image[:, 0], image[:, -1]], 0),
    )
    # As floats: TensorFlow logs an error about the transposition of integers, which sorting needs.
    values = tf.sort(tf.cast(sides, tf.float32), axis=0)
    return tf.cast(values[tf.shape(values)[0] // 2], tf.int32)


def shrink(image: tf.Tensor, size: int) -> tf.Tensor:
    """Scales an image down, by the mean of areas, so that its longer side is at most `size`.

    Args:
      image: uint8 [height, width, 3] in 0 .. 255.
      size: Longest side of the result.
    """
    return tf.cond(
        tf.reduce_max(tf.shape(image)[:2]) > size,
        lambda: _rounded(tf.image.resize(image, _fitting(image, size), "area")),
        lambda: image,
    )


def _fitting(image: tf.Tensor, size: int) -> tf.Tensor:
    """Height and width, int32 [2], that an image has when its longer side is `size`."""
    shape = tf.shape(image)[:2]
    scale = size / tf.cast(tf.reduce_max(shape), tf.float64)
    return tf.maximum(tf.cast(tf.round(tf.cast(shape, tf.float64) * scale), tf.int32), 1)


def _rounded(values: tf.Tensor) -> tf.Tensor:
    """float32 in 0 .. 255 to uint8."""
    return tf.cast(tf.clip_by_value(tf.round(values), 0.0, 255.0), tf.uint8)


def unfit_square(square: np.ndarray, height: int, width: int) -> np.ndarray:
    """Undoes `fit_square` up to sharpness: cuts off the margins and scales, bicubic.

    Args:
      square: uint8 [size, size, 3].
      height, width: Of the image before, and of the result.

    Returns:
      uint8 [height, width, 3].
    """
    size, longer = len(square), max(height, width)
    inner_height, inner_width = (max(1, round(side * size / longer)) for side in (height, width))
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    inner = square[top : top + inner_height, left : left + inner_width]
    return np.asarray(Image.fromarray(inner).resize((width, height), Image.Resampling.BICUBIC))


def decode(file: bytes) -> np.ndarray:
    """uint8 [height, width, 3] of a PNG file that this project encoded."""
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def write_image(path: Path, image: np.ndarray) -> None:
    """Writes uint8 [height, width, 3], under a temporary name first.

    Args:
      path: A .png, .jpg or .webp file; the latter two lose a little.
      image: What to write.

    Raises:
      ValueError: if the format has no images as large.
    """
    temporary = path.with_name(path.name + ".part")
    kind = next(kind for kind, suffix in FILE_SUFFIXES.items() if suffix == path.suffix)
    longest = _LONGEST_SIDES.get(kind)
    if longest and max(image.shape[:2]) > longest:
        raise ValueError(f"{kind} files have at most {longest:,} pixels to a side")
    Image.fromarray(image).save(temporary, kind, **({} if kind == "png" else {"quality": 95}))
    temporary.replace(path)


def enlarge(image: np.ndarray, size: int) -> np.ndarray:
    """Scales uint8 [h, w, 3] so that its longer side is `size`, by Lanczos's filter."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    shape = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(shape, Image.Resampling.LANCZOS))


def draw_pairs(upper: list[np.ndarray], lower: list[np.ndarray], columns: int) -> np.ndarray:
    """A grid of images over their counterparts.

    Args:
      upper: uint8 [size, size, 3] each.
      lower: As many, of the same form.
      columns: Images per line.

    Returns:
      uint8 [height, width, 3].
    """
    rows = {}
    for start in range(0, len(upper), columns):
        line = slice(start, start + columns)
        number = f"{start + 1}-{start + len(upper[line])}"
        rows[f"input {number}"] = np.stack(upper[line])
        rows[f"output {number}"] = np.stack(lower[line])
    return draw_grid(rows)


def draw_grid(rows: dict[str, np.ndarray], cell_size: int = 96, title: str = "") -> np.ndarray:
    """A labeled grid of images, one row per entry.

    Args:
      rows: Label -> images, float in [0, 1] or uint8, [n, size, size, 3].
      cell_size: Images are enlarged by the smallest integer factor that makes them this large.
      title: Text above the grid.

    Returns:
      uint8 [height, width, 3].
    """
    size = next(iter(rows.values())).shape[1]
    factor = max(1, -(-cell_size // size))
    cell, gap = size * factor, 4
    font = ImageFont.load_default(size=15)
    label_width = 16 + int(max(font.getlength(label) for label in rows))
    columns = max(len(images) for images in rows.values())
    width = label_width + columns * (cell + gap)
    lines = textwrap.wrap(title, max(1, int((width - 16) / font.getlength("x"))))
    above = gap + 20 * len(lines)
    grid = Image.new("RGB", (width, above + len(rows) * (cell + gap)), _WHITE)
    draw = ImageDraw.Draw(grid)
    for number, line in enumerate(lines):
        draw.text((8, gap + 20 * number), line, fill=_TEXT_COLOR, font=font)
    for row, (label, images) in enumerate(rows.items()):
        top = above + row * (cell + gap)
        draw.text((8, top + cell // 2), label, fill=_TEXT_COLOR, font=font, anchor="lm")
        cells = images if images.dtype == np.uint8 else to_uint8(images)
        for column, image in enumerate(cells):
            enlarged = Image.fromarray(image).resize((cell, cell), Image.Resampling.NEAREST)
            grid.paste(enlarged, (label_width + column * (cell + gap), top))
    return np.asarray(grid)
