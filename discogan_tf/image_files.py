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
_START_OF_SCAN = b"\xff\xda"


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
                upright = ImageOps.exif_transpose(image)
                return _with_8_bits(upright)
    except Image.DecompressionBombError as error:
        raise OSError(f"too many pixels: {error}") from error
    except Image.UnidentifiedImageError as error:
        if content[4:8] == b"ftyp":
            raise OSError("if this is a HEIC photo: pip install -e .[heif]") from error
        raise OSError("not a JPEG, PNG, WebP, GIF, BMP, AVIF or HEIC image") from error
    except (ValueError, SyntaxError, EOFError) as error:
        # What Pillow's decoders raise beside OSError on corrupt files.
        raise OSError(str(error)) from error


def beside(original: bytes, translation: bytes) -> bytes:
    """A PNG file of an image, scaled to the height of its translation, and the translation.

    Args:
      original: A file that `open_upright` reads.
      translation: A PNG file.

    Raises:
      OSError: as `open_upright`.
    """
    left, right = open_upright(original).convert("RGBA"), open_upright(translation)
    width = max(1, round(left.width * right.height / left.height))
    both = Image.new("RGB", (width + right.width, right.height), "white")
    left = left.resize((width, right.height), Image.Resampling.LANCZOS)
    both.paste(left, mask=left)
    both.paste(right, (width, 0))
    file = io.BytesIO()
    both.save(file, "PNG")
    return file.getvalue()


def _known_formats() -> tuple[str, ...]:
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
        return (*_FORMATS, "HEIF")
    return _FORMATS


def _check(image: Image.Image, content: bytes, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise OSError(
            f"too many pixels: {width} x {height}; at most {max_pixels} are accepted: shrink it"
        )
    if image.format == "JPEG" and content.count(_START_OF_SCAN) > MAX_JPEG_SCANS:
        raise OSError(
            f"a JPEG of more than {MAX_JPEG_SCANS} scans takes too long to decode: save it anew"
        )


def _with_8_bits(image: Image.Image) -> Image.Image:
    """Mode RGB, or RGBA if the image has transparency."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would clip, not scale.
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")
