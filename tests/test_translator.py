"""A trained run in Python."""

import numpy as np
import pytest
from PIL import Image

import discogan_tf
from discogan_tf.errors import ConfigError


@pytest.fixture(scope="module")
def run(make_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator") / "run"
    make_run(folder)
    return discogan_tf.load(folder)


def test_paths_pillow_images_and_arrays_give_the_same(run, tmp_path):
    image = Image.new("RGBA", (60, 40), (200, 30, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "image.png") as opened:
        by_path, by_image = run.translate([tmp_path / "image.png", opened], "handbags2shoes")
    np.testing.assert_array_equal(by_path, by_image)
    assert by_path.shape == (32, 32, 3) and by_path.dtype == np.uint8
    array = np.random.default_rng(0).random((50, 70, 3)).astype(np.float32)
    whole = (array * 255).round().astype(np.uint8)
    one, other = run.translate([array, whole], "a_to_b")
    np.testing.assert_array_equal(one, other)
    (large,) = run.translate([whole], "handbags2shoes", keep_size=True)
    assert large.shape == (50, 70, 3)
    assert run.translate([], "handbags2shoes") == []


def test_a_cycle_has_three_images_of_each(run):
    image = np.full((32, 32, 3), 90, np.uint8)
    originals, translated, reconstructed = run.cycle([image] * 3, "shoes2handbags")
    assert len(originals) == len(translated) == len(reconstructed) == 3
    np.testing.assert_array_equal(originals[0], image)
    np.testing.assert_array_equal(translated[0], run.translate([image], "shoes2handbags")[0])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4)),
        np.zeros((0, 4, 3), np.uint8),
        np.full((4, 4, 3), 2.0),
        np.zeros((4, 4, 3), int),
    ],
)
def test_what_is_no_image_is_refused(run, image):
    with pytest.raises(ValueError, match=r"shape|\[0, 1\]|dtype"):
        run.translate([image], "handbags2shoes")


def test_one_image_is_no_list(run, tmp_path):
    for image in ("bag.jpg", tmp_path / "bag.jpg", Image.new("RGB", (9, 9))):
        with pytest.raises(TypeError, match="give a list of images"):
            run.translate(image, "handbags2shoes")


def test_directions_are_named(run, tmp_path):
    assert run.targets == {"handbags2shoes": "shoes", "shoes2handbags": "handbags"}
    for direction in (None, "bags2boots"):
        with pytest.raises(ConfigError, match="handbags2shoes and shoes2handbags"):
            run.translate([np.zeros((4, 4, 3), np.uint8)], direction)
    with pytest.raises(ConfigError, match="no run in"):
        discogan_tf.load(tmp_path)
