import dataclasses
import io
import json
import shutil
import tarfile

import numpy as np
import pytest
from PIL import Image

from discogan_tf.config import Config
from discogan_tf.data.domains import cached, load_domain, load_training
from discogan_tf.errors import DataError


@pytest.mark.parametrize(("split", "count"), [("train", 14), ("val", 6)])
def test_loads_whole_and_in_one_order(data_dir, split, count):
    first = load_domain(str(data_dir), "sample_edges2shoes/photo", split, 32)
    again = load_domain(str(data_dir), "sample_edges2shoes/photo", split, 32)
    assert first.images.shape == (count, 32, 32, 3) and first.images.dtype == np.uint8
    assert first.names == again.names
    np.testing.assert_array_equal(first.images, again.images)
    expected = {f"sample_edges2shoes/{split}/{number + 1}_AB.jpg" for number in range(count)}
    assert set(first.names) == expected


def test_halves_are_those_of_the_archive(data_dir):
    """Pixel for pixel near a plain crop and area mean of the archive's JPEG."""
    with tarfile.open(data_dir / "sample_edges2shoes.tar.gz") as archive:
        pairs = {name: archive.extractfile(name).read() for name in archive.getnames()}
    for half, left in (("edges", 0), ("photo", 256)):
        domain = load_domain(str(data_dir), f"sample_edges2shoes/{half}", "val", 32)
        for name, image in zip(domain.names, domain.images, strict=True):
            pair = Image.open(io.BytesIO(pairs[name])).convert("RGB")
            crop = np.asarray(pair, np.float64)[:, left : left + 256]
            if half == "edges":  # Thickened: the darkest of 3 x 3 pixels.
                padded = np.pad(crop, ((1, 1), (1, 1), (0, 0)), constant_values=255)
                crop = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1)).min((3, 4))
            reference = crop.reshape(32, 8, 32, 8, 3).mean((1, 3))
            assert np.abs(image - reference).mean() < 1.5


def test_names_lead_to_the_true_attributes(data_dir):
    truth = json.loads((data_dir / "sample_edges2handbags.json").read_text())
    domain = load_domain(str(data_dir), "sample_edges2handbags/photo", "train", 32)
    assert {truth[name]["kind"] for name in domain.names} <= {
        "tote", "clutch", "shoulder bag", "satchel", "hobo", "bucket bag",
    }  # fmt: skip


def test_a_missing_domain_says_how_to_get_it(data_dir):
    with pytest.raises(DataError) as error:
        load_domain(str(data_dir), "edges2boots/photo", "train", 32)
    for words in (
        "Looked for",
        "edges2boots.tar.gz",
        "python -m data_prep pix2pix",
        "make quickstart",
    ):
        assert words in str(error.value)


def test_a_missing_sample_says_how_to_draw_it(tmp_path):
    with pytest.raises(DataError, match="python -m data_prep sample") as error:
        load_domain(str(tmp_path), "sample_edges2shoes/photo", "train", 32)
    assert "download " not in str(error.value).replace("any download", "")


def test_another_size_is_missing_too(data_dir):
    with pytest.raises(DataError, match="64 pixels"):
        load_domain(str(data_dir), "sample_edges2shoes/photo", "train", 64)


def test_an_unknown_half_names_those_there_are(data_dir):
    with pytest.raises(DataError, match="sample_edges2shoes/edges"):
        load_domain(str(data_dir), "sample_edges2shoes/sketch", "train", 32)


def test_an_unknown_split_is_an_error(data_dir):
    with pytest.raises(DataError, match="no test images"):
        load_domain(str(data_dir), "sample_edges2shoes/photo", "test", 32)


def test_images_stay_on_the_disk_until_they_are_wanted(data_dir):
    images = load_domain(str(data_dir), "sample_edges2shoes/photo", "train", 32).images
    in_memory = cached(images, images.nbytes)
    assert isinstance(in_memory, np.ndarray) and cached(images, images.nbytes - 1) is images
    assert in_memory.shape == images.shape == (14, 32, 32, 3) and len(images) == 14
    for key in (3, slice(2, 9, 3), np.array([5, 5, 0])):
        np.testing.assert_array_equal(images[key], in_memory[key])
    np.testing.assert_array_equal(images.take(np.array([4, 1]))[::-1], in_memory[[1, 4]])
    with pytest.raises(IndexError):
        images[14]


def _from_edges_of_shoes_to(domain_b, data_dir):
    domain_a = "sample_edges2shoes/edges"
    return Config(data_dir=str(data_dir), image_size=32, domain_a=domain_a, domain_b=domain_b)


def test_halves_of_one_archive_share_no_pair(data_dir):
    config = _from_edges_of_shoes_to("sample_edges2shoes/photo", data_dir)
    found = load_training(config, config.image_size)
    assert [len(found[key].names) for key in "ab"] == [7, 7]
    assert not set(found["a"].names) & set(found["b"].names)
    whole = load_domain(str(data_dir), "sample_edges2shoes/edges", "train", 32)
    for name, image in zip(found["a"].names, found["a"].images[:], strict=True):
        np.testing.assert_array_equal(image, whole.images[whole.names.index(name)])
    together = load_training(dataclasses.replace(config, split_pairs=False), config.image_size)
    assert [len(together[key].names) for key in "ab"] == [14, 14]
    unrelated = load_training(
        dataclasses.replace(config, domain_a="sample_edges2handbags/edges"), config.image_size
    )
    assert [len(unrelated[key].names) for key in "ab"] == [14, 14]


def test_domains_that_a_run_on_one_domain_does_not_use_are_not_split(data_dir):
    config = Config(
        data_dir=str(data_dir), model="text_encoder", domain="sample_edges2shoes/photo",
        domain_a="sample_edges2shoes/edges", domain_b="sample_edges2shoes/photo",
    )  # fmt: skip
    assert len(load_training(config, 32)["image"].names) == 14


def test_a_share_of_the_training_images(data_dir):
    config = _from_edges_of_shoes_to("sample_edges2handbags/photo", data_dir)
    everything = load_training(config, config.image_size)
    half = load_training(dataclasses.replace(config, train_share=0.5), config.image_size)
    for stream in "ab":
        indices = [everything[stream].names.index(name) for name in half[stream].names]
        assert len(set(indices)) == 7 and sorted(indices) == indices
        np.testing.assert_array_equal(half[stream].images[:], everything[stream].images[indices])
        assert load_domain(str(data_dir), config.domains[stream], "val", 32).names


def test_a_corrupt_domain_is_an_error(data_dir, tmp_path):
    folder = tmp_path / "sample_edges2shoes" / "photo"
    shutil.copytree(data_dir / "sample_edges2shoes" / "photo", folder)
    (file,) = folder.glob("**/*-train.*")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"corrupt.*does not hold 14 records.*prepare it again"):
        load_domain(str(tmp_path), "sample_edges2shoes/photo", "train", 32)
