"""Data sets of two domains, in folders trainA, trainB, testA and testB."""

import io
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from data_prep.errors import PreparationError
from data_prep.limits import Limits
from data_prep.unpaired import unpacked
from discogan_tf.data.domains import load_domain

_COUNTS = {"trainA": 5, "trainB": 4, "testA": 2, "testB": 3}


@pytest.fixture
def images(tmp_path):
    """As CycleGAN's data sets are, each folder with images of its own gray value."""
    folder = tmp_path / "monet2photo"
    for value, (name, count) in enumerate(_COUNTS.items(), 1):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((40, 40, 3), 50 * value + number, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def _data_prep(*arguments):
    command = [sys.executable, "-m", "data_prep", "folder", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def _gray_values(data_dir, domain, split):
    images = load_domain(str(data_dir), domain, split, 32).images[:]
    return sorted(int(image[0, 0, 0]) for image in images)


def test_one_command_prepares_both_domains_with_their_splits(images, tmp_path):
    data_dir = tmp_path / "data"
    result = _data_prep(
        "--name=monet2photo", f"--images={images}", f"--data_dir={data_dir}", "--image_size=32"
    )
    assert result.returncode == 0, result.stderr
    for value, (name, count) in enumerate(_COUNTS.items(), 1):
        split = "train" if name.startswith("train") else "val"
        found = _gray_values(data_dir, f"monet2photo_{name[-1].lower()}", split)
        assert found == list(range(50 * value, 50 * value + count))


def test_without_test_folders_some_training_images_become_validation(images, tmp_path):
    for name in ("testA", "testB"):
        for file in (images / name).iterdir():
            file.unlink()
        (images / name).rmdir()
    result = _data_prep(
        "--name=boots", f"--images={images}", f"--data_dir={tmp_path}", "--image_size=32"
    )
    assert result.returncode == 0, result.stderr
    for domain, count in (("boots_a", 5), ("boots_b", 4)):
        splits = [_gray_values(tmp_path, domain, split) for split in ("train", "val")]
        assert all(splits) and sum(map(len, splits)) == count


def test_an_archive_that_was_downloaded_by_hand_is_used(images, tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    with zipfile.ZipFile(data_dir / "horse2zebra.zip", "w") as archive:
        for file in sorted(images.rglob("*.png")):
            archive.write(file, f"horse2zebra/{file.relative_to(images)}")
    result = _data_prep("--download=horse2zebra", f"--data_dir={data_dir}", "--image_size=32")
    assert result.returncode == 0, result.stderr
    assert _gray_values(data_dir, "horse2zebra_b", "train") == [100, 101, 102, 103]
    assert not [path for path in data_dir.iterdir() if "incomplete" in path.name.lower()]
    # One that was interrupted between the two continues, though it is unpacked elsewhere.
    shutil.rmtree(data_dir / "horse2zebra_b")
    continued = _data_prep("--download=horse2zebra", f"--data_dir={data_dir}", "--image_size=32")
    assert continued.returncode == 0, continued.stderr
    assert "Prepared horse2zebra_b" in continued.stdout
    assert "Prepared horse2zebra_a" not in continued.stdout
    other = "--download=horse2zebra", f"--data_dir={data_dir}", "--image_size=32", "--fit=crop"
    assert "with --fit=pad. Give --force" in _data_prep(*other).stderr
    # A second time nothing is unpacked, nor downloaded though the archive is gone.
    (data_dir / "horse2zebra.zip").unlink()
    again = _data_prep("--download=horse2zebra", f"--data_dir={data_dir}", "--image_size=32")
    assert again.returncode == 0 and "already prepared" in again.stdout


def test_a_set_of_two_domains_is_not_mixed_into_one(images, tmp_path):
    result = _data_prep("--name=x", f"--images={images}", f"--val_images={images / 'testA'}")
    assert result.returncode == 1 and "--val_images" in result.stderr
    check = subprocess.run(
        [sys.executable, "-m", "data_prep", "check", f"--images={images}"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert check.returncode == 1 and "trainA" in check.stderr


def test_without_a_name_or_source_it_says_what_to_give(images):
    assert "--name" in _data_prep(f"--images={images}").stderr
    assert "--download" in _data_prep("--name=boots").stderr


@pytest.mark.parametrize(
    ("limits", "words"),
    [(Limits(max_members=3), "max_members"), (Limits(max_bytes=300), "max_bytes")],
)
def test_an_archive_beyond_a_limit_is_refused(images, tmp_path, limits, words):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for file in sorted(images.rglob("*.png")):
            archive.write(file, file.relative_to(images))
    with pytest.raises(PreparationError, match=words), unpacked(tmp_path / "set.zip", limits):
        pass


def _with_a_flipped_byte():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trainA/text.png", b"compressible " * 1000)
    content = bytearray(file.getvalue())
    content[60] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no more", b"no archive", None])
def test_a_corrupt_archive_is_refused(tmp_path, content):
    (tmp_path / "set.zip").write_bytes(content or _with_a_flipped_byte())
    with (
        pytest.raises(PreparationError, match="corrupt"),
        unpacked(tmp_path / "set.zip", Limits()),
    ):
        pass


def test_an_archive_of_other_things_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("../outside.txt", "text")
    with (
        pytest.raises(PreparationError, match="trainA"),
        unpacked(tmp_path / "set.zip", Limits()),
    ):
        pass
    assert not (tmp_path.parent / "outside.txt").exists()
