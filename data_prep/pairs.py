"""One picture of a pix2pix archive: two square halves side by side in a JPEG."""

import io
import warnings

from PIL import Image

from data_prep.errors import PictureError

HALVES = ("edges", "photo")  # From left to right.

# The JPEG transform can scale by these, averaging over squares of pixels.
_JPEG_REDUCTIONS = (8, 4, 2)
# A JPEG codes its colours in blocks of up to 16 pixels.
_JPEG_BLOCK = 16


def split_pair(data: bytes, size: int) -> dict[str, bytes]:
    """Decodes a pair, crops its halves and scales each: crop first, so that neither bleeds over.

    Scaling is antialiased: by the area mean, most of it within the JPEG transform where the border
    of the halves lies between that transform's blocks.

    Differs from the chapter, which scales the whole pair first and crops then.

    Args:
      data: A file of the archive, twice as wide as high.
      size: Height and width of the results.

    Returns:
      Half -> PNG file of size x size pixels, RGB.

    Raises:
      PictureError: if the file is no picture, is damaged or has no two square halves.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            pair = Image.open(io.BytesIO(data))
            width, height = pair.size
            if width != 2 * height:
                raise PictureError(f"{width}x{height} pixels, not two squares side by side")
            reduction = _jpeg_reduction(height, size)
            if reduction > 1:
                pair.draft("RGB", (width // reduction, height // reduction))
            pair = pair.convert("RGB")
    except PictureError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds on damaged files.
        raise PictureError(f"cannot be decoded: {error}") from error
    side = pair.height
    return {
        half: _png(pair.crop((index * side, 0, (index + 1) * side, side)), size)
        for index, half in enumerate(HALVES)
    }


def _jpeg_reduction(height: int, size: int) -> int:
    """The largest reduction that leaves at least `size` pixels and mixes no two halves."""
    if height % _JPEG_BLOCK:
        return 1
    return next((r for r in _JPEG_REDUCTIONS if height // r >= size), 1)


def _png(picture: Image.Image, size: int) -> bytes:
    if picture.height != size:
        method = Image.Resampling.BOX if picture.height > size else Image.Resampling.BICUBIC
        picture = picture.resize((size, size), method)
    file = io.BytesIO()
    # Little compression: the smallest level costs 3 % more room than the usual and half the time.
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()
