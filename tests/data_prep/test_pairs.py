import io

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import PictureError
from data_prep.pairs import split_pair


def _pair(height=256, file_format="JPEG"):
    """A blue half beside a red one, as a file."""
    pair = Image.new("RGB", (2 * height, height), (0, 0, 255))
    pair.paste((255, 0, 0), (height, 0, 2 * height, height))
    file = io.BytesIO()
    pair.save(file, file_format, **({"quality": 95} if file_format == "JPEG" else {}))
    return file.getvalue()


def _decode(png):
    return np.asarray(Image.open(io.BytesIO(png)), int)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_halves_do_not_bleed_into_each_other(size, file_format):
    halves = split_pair(_pair(file_format=file_format), size)
    for half, colour in (("edges", (0, 0, 255)), ("photo", (255, 0, 0))):
        pixels = _decode(halves[half])
        assert pixels.shape == (size, size, 3)
        # At full size the JPEG itself smears colour over one pixel at the border.
        inner = pixels[:, 1:-1] if size == 256 else pixels
        assert np.abs(inner - colour).max() <= 3


@pytest.mark.parametrize("height", [100, 250, 300, 48])
def test_other_heights_are_scaled_too(height):
    halves = split_pair(_pair(height), 64)
    assert np.abs(_decode(halves["photo"])[:, 2:] - (255, 0, 0)).max() <= 6


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be decoded"),
        (b"text", "cannot be decoded"),
        (_pair()[:2000], "cannot be decoded"),
    ],
)
def test_damaged_pictures_are_refused(data, words):
    with pytest.raises(PictureError, match=words):
        split_pair(data, 64)


def test_a_picture_of_another_shape_is_refused():
    file = io.BytesIO()
    Image.new("RGB", (256, 256)).save(file, "JPEG")
    with pytest.raises(PictureError, match="not two squares"):
        split_pair(file.getvalue(), 64)
