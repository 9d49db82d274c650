import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from discogan_tf import images as pixels


def test_uint8_round_trip_keeps_every_value():
    values = np.arange(256, dtype=np.uint8)
    as_float = pixels.to_float(tf.constant(values)).numpy()
    assert as_float.dtype == np.float32 and as_float[0] == 0 and as_float[-1] == 1
    np.testing.assert_array_equal(pixels.to_uint8(as_float), values)
    # To the last bit, compiled or not.
    np.testing.assert_array_equal(as_float, (values / 255).astype(np.float32))
    np.testing.assert_array_equal(tf.function(pixels.to_float)(tf.constant(values)), as_float)


def test_to_uint8_clips_instead_of_wrapping():
    np.testing.assert_array_equal(pixels.to_uint8([-0.5, 1.5, 0.5]), [0, 255, 128])


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_read_image_takes_every_mode(tmp_path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 40), 0x8000, np.uint16))
    else:
        image = Image.new("RGB", (40, 40), (128, 128, 128)).convert(mode)
    image.save(path)
    read = pixels.read_image(path, 16)
    assert read.shape == (16, 16, 3) and read.dtype == np.uint8
    if mode != "1":
        assert abs(int(read.mean()) - 128) <= 2


def test_transparency_and_margins_become_white(tmp_path):
    path = tmp_path / "wide.png"
    image = Image.new("RGBA", (40, 20), (255, 0, 0, 255))
    image.paste((0, 0, 255, 0), (0, 0, 22, 20))
    image.save(path)
    read = pixels.read_image(path, 40)
    # Above and below, the color of most of the upper and lower sides: white, once blended.
    assert (read[0] == 255).all() and (read[-1] == 255).all()
    assert (read[20, 5] == 255).all()  # The transparent half.
    assert tuple(read[20, 30]) == (255, 0, 0)


@pytest.mark.parametrize("turned", [False, True])
def test_margins_have_the_color_of_the_sides_beside_them(tmp_path, turned):
    image = Image.new("RGB", (40, 20), (200, 30, 30))
    for top in (0, 16):
        image.paste((30, 30, 200), (4, top, 36, top + 4))
    (image.transpose(Image.Transpose.ROTATE_90) if turned else image).save(tmp_path / "image.png")
    read = pixels.read_image(tmp_path / "image.png", 40)
    margins = read[:, [0, -1]] if turned else read[[0, -1]]
    assert (margins == (30, 30, 200)).all()


def test_exif_orientation_is_followed(tmp_path):
    path = tmp_path / "turned.jpg"
    image = Image.new("RGB", (32, 32), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 32, 16))
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    image.save(path, exif=exif)
    read = pixels.read_image(path, 32)
    assert read[4].mean() < 30 and read[-4].mean() > 225


def test_scaling_down_is_antialiased(tmp_path):
    path = tmp_path / "fine.png"
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    Image.fromarray(stripes).save(path)
    assert abs(pixels.read_image(path, 16).astype(int) - 128).max() <= 1


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_what_is_no_image_raises_oserror(tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(OSError):
        pixels.read_image(path, 16)


def test_absurd_sizes_are_refused_before_decoding(tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(OSError, match="too many pixels"):
        pixels.read_image(path, 16)


def test_a_long_strip_takes_no_square_of_memory(tmp_path):
    path = tmp_path / "strip.png"
    strip = np.full((20, 30_000), 90, np.uint8)
    strip[8:12] = 0
    Image.fromarray(strip).save(path)
    read = pixels.read_image(path, 64, "pad")
    assert len(np.unique(read[:31])) == len(np.unique(read[32:])) == 1


def test_draw_grid_places_and_enlarges():
    rows = {"one": np.zeros((2, 32, 32, 3)), "two": np.full((1, 32, 32, 3), 200, np.uint8)}
    grid = pixels.draw_grid(rows, cell_size=64)
    assert grid.shape[0] == 2 * 68 + 4
    assert (grid[4 + 32, -4 - 32] == 0).all()  # Second image of row one.
    assert (grid[4 + 68 + 32, -4 - 68 - 32] == 200).all()  # First of row two.


def test_draw_pairs_breaks_lines():
    images = [np.zeros((32, 32, 3), np.uint8)] * 5
    assert pixels.draw_pairs(images, images, columns=2).shape[0] == 6 * 100 + 4
