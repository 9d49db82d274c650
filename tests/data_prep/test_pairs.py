import io

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import ImageError
from data_prep.pairs import PairForm, colored_halves, split_pair

_PLAIN = PairForm(thicken_edges=False)
_PIXELS = 1_000_000


def _file(image, file_format="JPEG"):
    file = io.BytesIO()
    image.save(file, file_format, **({"quality": 95} if file_format == "JPEG" else {}))
    return file.getvalue()


def _pair(height=256, file_format="JPEG"):
    """A blue half beside a red one, as a file."""
    pair = Image.new("RGB", (2 * height, height), (0, 0, 255))
    pair.paste((255, 0, 0), (height, 0, 2 * height, height))
    return _file(pair, file_format)


@pytest.mark.parametrize("size", [32, 64, 128, 256])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_halves_do_not_bleed_into_each_other(size, file_format):
    halves, source_size = split_pair(_pair(file_format=file_format), size, _PLAIN, _PIXELS)
    assert source_size == (256, 256)
    for half, color in (("edges", (0, 0, 255)), ("photo", (255, 0, 0))):
        assert halves[half].shape == (size, size, 3) and halves[half].dtype == np.uint8
        # At full size the JPEG itself smears color over one pixel at the border.
        inner = halves[half][:, 1:-1] if size == 256 else halves[half]
        assert np.abs(inner.astype(int) - color).max() <= 3


@pytest.mark.parametrize("height", [100, 250, 300, 48])
def test_other_heights_are_scaled_too(height):
    photo = split_pair(_pair(height), 64, _PLAIN, _PIXELS)[0]["photo"]
    assert np.abs(photo[:, 2:].astype(int) - (255, 0, 0)).max() <= 6


def test_a_mirrored_pair_has_its_photo_on_the_left():
    form = PairForm(photo_side="left", halves=("photo",))
    halves, _ = split_pair(_pair(), 64, form, _PIXELS)
    assert (
        list(halves) == ["photo"] and np.abs(halves["photo"].astype(int) - (0, 0, 255)).max() <= 3
    )


def test_lines_become_two_pixels_thicker_before_scaling():
    """A line of one pixel in 256 becomes 3/4 of a pixel in 64, equally dark at every position."""
    for place in (40, 41, 42, 43, 0, 255):
        pair = np.full((256, 512, 3), 255, np.uint8)
        pair[:, place] = 0
        data = _file(Image.fromarray(pair), "PNG")
        thick, thin = (
            split_pair(data, 64, PairForm(thicken_edges=thicken), _PIXELS)[0]["edges"].astype(int)
            for thicken in (True, False)
        )
        ends = 2 if place in (0, 255) else 3
        assert np.abs((255 - thick).sum(1) - 255 * ends / 4).max() <= 2
        assert np.abs((255 - thin).sum(1) - 255 / 4).max() <= 1


def test_photos_are_the_same_with_and_without_edges():
    rng = np.random.default_rng(0)
    smooth = Image.fromarray(rng.integers(0, 256, (16, 32, 3), dtype=np.uint8)).resize((512, 256))
    both = split_pair(_file(smooth), 64, PairForm(), _PIXELS)[0]["photo"]
    np.testing.assert_array_equal(
        both, split_pair(_file(smooth), 64, PairForm(halves=("photo",)), _PIXELS)[0]["photo"]
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "cannot be decoded"),
        (b"text", "cannot be decoded"),
        (_pair()[:2000], "cannot be decoded"),
        (_pair(800), "1600x800 pixels, too many"),
    ],
)
def test_damaged_and_oversized_images_are_refused(data, words):
    with pytest.raises(ImageError, match=words):
        split_pair(data, 64, PairForm(), _PIXELS)


def test_an_image_of_another_shape_is_refused():
    with pytest.raises(ImageError, match="not two squares"):
        split_pair(_file(Image.new("RGB", (256, 256))), 64, PairForm(), _PIXELS)


def test_the_side_in_color_is_found():
    pair = Image.new("RGB", (512, 256), (255, 255, 255))
    assert colored_halves(_file(pair), _PIXELS) == "neither"
    pair.paste((200, 80, 40), (300, 40, 460, 220))
    assert colored_halves(_file(pair), _PIXELS) == "right"
    assert colored_halves(_file(pair.transpose(Image.Transpose.FLIP_LEFT_RIGHT)), _PIXELS) == "left"
    pair.paste((20, 80, 240), (40, 40, 220, 220))
    assert colored_halves(_file(pair), _PIXELS) == "both"


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_a_pair_is_not_turned_whatever_the_camera_says(orientation, file_format):
    """Rotated, its halves would be others."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.open(io.BytesIO(_pair(64, "PNG"))).save(file, file_format, exif=exif)
    photo = split_pair(file.getvalue(), 32, _PLAIN, _PIXELS)[0]["photo"]
    assert np.abs(photo[:, 2:].astype(int) - (255, 0, 0)).max() <= 6
