import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.folder import FolderSource
from data_prep.prepare import prepare_images
from discogan_tf.config import Config
from discogan_tf.data import run_images
from discogan_tf.data.domains import Domain, load_domain
from discogan_tf.data.run_images import load_run_images
from discogan_tf.errors import DataError
from discogan_tf.runs import provenance


@pytest.fixture
def config(tmp_path):
    """Two domains of noise, each prepared at two sizes, split by its prepared pixels."""
    rng = np.random.default_rng(0)
    for name in ("boots", "clogs"):
        (tmp_path / name).mkdir()
        for number in range(20):
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
        for size in (32, 36):
            source = FolderSource(tmp_path / name, val_share=0.3)
            prepare_images(source, tmp_path / "data", name, size)
    return Config(
        data_dir=str(tmp_path / "data"), domain_a="boots", domain_b="clogs", image_size=32,
        load_size=36, batch_size=4,
    )  # fmt: skip


def test_crops_are_never_made_of_validation_images(config):
    """The larger images are split in another way, because their pixels differ."""
    images = load_run_images(config)
    for stream, domain in config.domains.items():
        larger = load_domain(config.data_dir, domain, "train", 36)
        held_out = set(images.validation[stream].names)
        assert held_out & set(larger.names)  # Or the test would show nothing.
        kept = [name not in held_out for name in larger.names]
        np.testing.assert_array_equal(images.sources[stream], larger.images[:][kept])
        assert images.training[stream].shape[1:] == (32, 32, 3)


def test_a_corrupt_validation_split_is_an_error(config):
    """And no reason to measure training images."""
    (file,) = Path(config.data_dir).glob("clogs/32px/*/*-val.*")
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(DataError, match="corrupt"):
        load_run_images(config)


def test_names_may_be_of_a_training_and_a_validation_image(config, tmp_path):
    """As in trainA and testA, whose files are numbered alike: no training image is left out."""
    rng = np.random.default_rng(1)
    for folder, count in (("train", 8), ("test", 5)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    for size in (32, 36):
        source = FolderSource(tmp_path / "train", val_images=tmp_path / "test")
        prepare_images(source, Path(config.data_dir), "given", size)
    images = load_run_images(dataclasses.replace(config, domain_a="given"))
    assert len(images.sources["a"]) == len(images.training["a"]) == 8


def test_both_sizes_must_be_framed_alike(config):
    for name, fit in (("boots", "crop"), ("clogs", "pad")):
        source = FolderSource(Path(config.data_dir).parent / name, val_share=0.3, fit=fit)
        prepare_images(source, Path(config.data_dir), name, 40)
    with pytest.raises(DataError, match="--fit=pad at 32 pixels and --fit=crop at 40 pixels"):
        load_run_images(dataclasses.replace(config, load_size=40))


def test_hopeless_data_is_refused_before_training(config):
    with pytest.raises(
        DataError, match=r"--batch_size=16 images of each domain, but boots has \d+"
    ):
        load_run_images(dataclasses.replace(config, batch_size=16))
    images = Path(config.data_dir).parent / "boots"
    prepare_images(FolderSource(images, val_share=0.3), Path(config.data_dir), "copy", 32)
    same = dataclasses.replace(config, domain_b="copy", load_size=0)
    with pytest.raises(DataError, match=r"boots and copy hold the same images \(100% are equal\)"):
        load_run_images(same)


def test_the_same_images_in_another_order_are_the_same(config):
    domain = load_domain(config.data_dir, "boots", "train", 32)
    order = np.random.default_rng(0).permutation(len(domain.names))
    shuffled = Domain(domain.images[:][order], [domain.names[index] for index in order])
    with pytest.raises(DataError, match="100% are equal"):
        run_images._require_usable(config, {"a": domain, "b": shuffled})


def test_an_unprepared_domain_names_the_prepared_ones(config):
    with pytest.raises(
        DataError, match=r"Prepared \(at pixels\): boots \(32, 36\), clogs \(32, 36\)"
    ):
        load_run_images(dataclasses.replace(config, domain_a="boot"))


def test_a_size_that_is_not_prepared_is_named(config):
    with pytest.raises(DataError, match="not prepared at 40 pixels"):
        load_run_images(dataclasses.replace(config, load_size=40))


def test_a_resume_compares_the_larger_images_too(config, tmp_path):
    config = dataclasses.replace(config, workdir=str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    provenance.record(config, 0, 1)
    shutil.rmtree(tmp_path / "data" / "boots" / "36px")
    (tmp_path / "boots" / "0.png").unlink()
    source = FolderSource(tmp_path / "boots", val_share=0.3)
    prepare_images(source, tmp_path / "data", "boots", 36)
    with pytest.raises(DataError, match="boots, 36 pixels"):
        provenance.record(config, 1, 1)
