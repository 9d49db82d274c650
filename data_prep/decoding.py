"""Files of images to arrays, whoever wrote the file."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from data_prep.errors import ImageError


@contextlib.contextmanager
def opened(data: bytes, formats: tuple[str, ...], max_pixels: int) -> Iterator[Image.Image]:
    """An image, its header read and nothing decoded yet.

    Args:
      data: The file.
      formats: The formats to expect, by Pillow's names.
      max_pixels: How many pixels the header may claim.

    Raises:
      ImageError: if it is no image, claims too many pixels, or is found damaged within the context.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own limit; the one here is smaller.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=formats) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageError(
                        f"{width}x{height} pixels, too many (--max_pixels={max_pixels})"
                    )
                yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"more pixels than Pillow takes for harmless: {error}") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(f"cannot be decoded: no {', '.join(formats)} file") from error
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files.
        raise ImageError(f"cannot be decoded: {error}") from error


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG in color or gray, by its header; None of anything else."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return (width, height) if space in ("YCbCr", "RGB", "Gray") else None


def decode_jpeg(data: bytes, width: int, height: int, gray: bool = False) -> np.ndarray | None:
    """uint8 [h, w, 3], or [h, w, 1], of a JPEG scaled down within its transform.

    Much faster than Pillow, above all on several threads, for which Pillow's decoder waits. None where
    the file is damaged: Pillow says how.

    Args:
      data: The file.
      width, height: What the result must have at least; it has them where the transform can.
      gray: Whether to decode luma alone.
    """
    try:
        return simplejpeg.decode_jpeg(
            data, "GRAY" if gray else "RGB", min_width=width, min_height=height
        )
    except ValueError:
        return None


def upright_rgb(image: Image.Image) -> np.ndarray:
    """As `to_rgb`, and turned as the camera says."""
    return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, 3]: 8 bits, color, on white where transparent."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip, not scale.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB"))
