"""Image files of users, opened the same way by every command."""

import contextlib
import io
import warnings

from PIL import Image, ImageOps

# By Pillow's names. Of an animation, the first frame. HEIF needs the extra [heif].
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")
MAX_PIXELS = 64_000_000
# Of images that others send: enough for the photos of any phone.
MAX_SENT_PIXELS = 25_000_000
# Progressive JPEG files have some 10 scans, 18 in CMYK. Each takes time for all pixels.
MAX_JPEG_SCANS = 64


def open_upright(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decodes an image file and rotates it as its EXIF data says.

    Args:
      content: A file: JPEG, PNG, WebP, GIF, BMP, AVIF or, with pillow-heif installed, HEIC.
      max_pixels: How many pixels its header may declare.

    Returns:
      An image of mode RGB, or RGBA if it has transparency.

    Raises:
      OSError: if it is none of these, is corrupt, declares too many pixels, or has more than
        `MAX_JPEG_SCANS` scans.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own limit; `max_pixels` is smaller.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=_known_formats()) as image:
                _check(image, content, max_pixels)
                return upright(image)
    except OSError as error:
        if isinstance(error, Image.UnidentifiedImageError):
            raise OSError(_unidentified(content)) from error
        raise
    except Image.DecompressionBombError as error:
        raise OSError(f"too many pixels: {error}") from error
    except Exception as error:  # Pillow's decoders raise many kinds of errors on corrupt files.
        raise OSError(f"cannot be decoded: {error}") from error


def upright(image: Image.Image) -> Image.Image:
    """An image of mode RGB, or RGBA if it has transparency, rotated as its EXIF data says."""
    for key in ("xmp", "XML:com.adobe.xmp"):
        # Pillow would look there too; exports do not.
        image.info.pop(key, None)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip, not scale.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def num_scans(jpeg: bytes) -> int:
    """How many scans the first image of a JPEG file has.

    Thumbnails, and what phones append, such as a video, do not count.
    """
    at = 2
    while jpeg[at : at + 1] == b"\xff" and jpeg[at + 1 : at + 2] not in (b"", b"\xda", b"\xd9"):
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    # In the data of scans, 0xFF is followed by 0 or a number that restarts decoding.
    return jpeg[at:].partition(b"\xff\xd9")[0].count(b"\xff\xda")


def beside(original: Image.Image, translation: Image.Image) -> Image.Image:
    """An image on white, scaled to the height of its translation, and right of it that."""
    width = max(1, round(original.width * translation.height / original.height))
    left = original.convert("RGBA").resize((width, translation.height), Image.Resampling.LANCZOS)
    both = Image.new("RGB", (width + translation.width, translation.height), "white")
    both.paste(left, mask=left)
    both.paste(translation, (width, 0))
    return both


def _known_formats() -> tuple[str, ...]:
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        return (*_FORMATS, "HEIF")
    return _FORMATS


def _unidentified(content: bytes) -> str:
    if content[4:8] == b"ftyp" and "HEIF" not in _known_formats():
        return "if this is a HEIC photo: pip install -e .[heif]"
    return "not a JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC image, or corrupt"


def _check(image: Image.Image, content: bytes, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise OSError(
            f"too many pixels: {width} x {height}; at most {max_pixels} are accepted: shrink it"
        )
    if image.format in ("JPEG", "MPO") and num_scans(content) > MAX_JPEG_SCANS:
        raise OSError(
            f"a JPEG of more than {MAX_JPEG_SCANS} scans takes too long to decode: save it anew"
        )
