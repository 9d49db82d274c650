"""Image files to arrays, whatever program wrote the file."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image, ImageOps

from data_prep.errors import ImageError

# Progressive JPEG files have some 10 scans, 18 in CMYK. Each takes time for all pixels.
_MAX_JPEG_SCANS = 64


def known_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    """`formats`, and HEIF if pillow-heif is installed, by Pillow's names."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        return (*formats, "HEIF")
    return formats


@contextlib.contextmanager
def opened(data: bytes, formats: tuple[str, ...], max_pixels: int) -> Iterator[Image.Image]:
    """Opens an image lazily: only its header is read.

    Args:
      data: The file.
      formats: The formats to expect, by Pillow's names.
      max_pixels: How many pixels the header may declare.

    Raises:
      ImageError: if it is not an image, declares too many pixels or has too many scans, or turns
        out to be corrupt within the context.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own limit; `max_pixels` is smaller.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=formats) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise ImageError(
                        f"{width}x{height} pixels, too many (--max_pixels={max_pixels})"
                    )
                if image.format in ("JPEG", "MPO") and _num_scans(data) > _MAX_JPEG_SCANS:
                    raise ImageError(
                        f"a JPEG of more than {_MAX_JPEG_SCANS} scans takes too long to decode"
                    )
                yield image
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"more pixels than Pillow considers safe: {error}") from error
    except Image.UnidentifiedImageError as error:
        if data[4:8] == b"ftyp" and "HEIF" not in formats:
            raise ImageError("if this is a HEIC photo: pip install -e .[heif]") from error
        raise ImageError(f"cannot be decoded: no {', '.join(formats)} file") from error
    except Exception as error:  # Pillow's decoders raise many kinds of errors on corrupt files.
        raise ImageError(f"cannot be decoded: {error}") from error


def _num_scans(jpeg: bytes) -> int:
    """How many scans the first image of a JPEG file has, without thumbnails and what follows."""
    at = 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] not in (b"", b"\xda", b"\xd9"):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    # In the data of scans, 0xFF is followed by 0 or a number that restarts decoding.
    return jpeg[at:].partition(b"\xff\xd9")[0].count(b"\xff\xda")


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG in color or gray, by its header; None of anything else."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return (width, height) if space in ("YCbCr", "RGB", "Gray") else None


def decode_jpeg(data: bytes, width: int, height: int, gray: bool = False) -> np.ndarray | None:
    """uint8 [h, w, 3], or [h, w, 1], of a JPEG scaled down within its transform.

    Much faster than Pillow, especially with several threads, because it releases the GIL. None if
    the file is corrupt; Pillow then reports how.

    Args:
      data: The file.
      width, height: The smallest size of the result; it has exactly this if the transform allows
        it.
      gray: Whether to decode luma alone.
    """
    try:
        return simplejpeg.decode_jpeg(
            data, "GRAY" if gray else "RGB", min_width=width, min_height=height
        )
    except ValueError:
        return None


def upright_rgb(image: Image.Image) -> np.ndarray:
    """As `to_rgb`, and rotated as its EXIF data says."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        # Pillow would look there too; exports do not.
        image.info.pop(key, None)
    return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, 3]: 8 bits, color, transparency on white."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip, not scale.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB"))
