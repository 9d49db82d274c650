import collections
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import PreparationError
from data_prep.sample import bags, shoes
from data_prep.sample.archive import draw_archives, draw_pair
from data_prep.sample.edges import draw_edges


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    draw_archives(folder, num_train=40, num_val=5)
    return folder


def test_archives_have_the_pix2pix_layout(folder):
    for name in ("sample_edges2handbags", "sample_edges2shoes"):
        with tarfile.open(folder / f"{name}.tar.gz") as tar:
            names = tar.getnames()
            assert names[0] == f"{name}/train/1_AB.jpg" and names[-1] == f"{name}/val/5_AB.jpg"
            assert len(names) == 45
            image = Image.open(io.BytesIO(tar.extractfile(names[7]).read()))
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (512, 256))


def test_attributes_are_true_and_varied(folder):
    for name, kinds in (("handbags", bags.KINDS), ("shoes", shoes.KINDS)):
        truth = json.loads((folder / f"sample_edges2{name}.json").read_text())
        assert len(truth) == 45
        assert {entry["kind"] for entry in truth.values()} == set(kinds)
        patterns = collections.Counter(entry["pattern"] for entry in truth.values())
        assert set(patterns) == {"plain", "stripes", "dots", "checks"}
        assert len({entry["color"] for entry in truth.values()}) >= 8
        assert {entry["two_tone"] for entry in truth.values()} == {True, False}


def test_the_drawing_has_the_color_its_attributes_tell(folder):
    """Of plain, one-colored images: the median of what is not white is close to the color."""
    checked = 0
    for number in range(1, 41):
        jpeg, truth = draw_pair(f"sample_edges2handbags/train/{number}_AB.jpg")
        if truth["pattern"] == "plain" and not truth["two_tone"]:
            photo = np.asarray(Image.open(io.BytesIO(jpeg)))[:, 256:]
            median = np.median(photo[photo.min(-1) < 200], axis=0)
            assert np.abs(median - truth["color_rgb"]).max() < 45
            checked += 1
    assert checked >= 5


@pytest.mark.parametrize("name", ["sample_edges2handbags", "sample_edges2shoes"])
def test_objects_stand_free_on_white(name):
    for number in range(1, 25):
        jpeg, _ = draw_pair(f"{name}/train/{number}_AB.jpg")
        photo = np.asarray(Image.open(io.BytesIO(jpeg)))[:, 256:]
        rim = np.concatenate([photo[0], photo[-1], photo[:, -1]])
        assert rim.min() > 225
        assert 0.04 < (photo.min(-1) < 225).mean() < 0.7


def test_drawing_is_reproducible():
    member = "sample_edges2shoes/val/3_AB.jpg"
    assert draw_pair(member) == draw_pair(member)
    assert draw_pair(member)[0] != draw_pair("sample_edges2shoes/val/4_AB.jpg")[0]


def test_edges_are_thin_and_where_colors_change():
    image = np.full((64, 64, 3), 255, np.uint8)
    image[16:48, 16:48] = (200, 30, 30)
    lines = draw_edges(image)[..., 0] < 128
    assert lines[32, 14:18].any() and lines[14:18, 32].any()
    assert not lines[20:44, 20:44].any() and not lines[:12].any()
    assert lines[32].sum() <= 4


def test_drawing_again_is_skipped_or_refused(folder, capsys):
    draw_archives(folder, num_train=40, num_val=5)
    assert "exists already" in capsys.readouterr().out
    with pytest.raises(PreparationError, match="Give --force"):
        draw_archives(folder, num_train=41, num_val=5)


def test_no_pairs_are_refused(tmp_path):
    with pytest.raises(PreparationError):
        draw_archives(tmp_path, num_train=0, num_val=5)
