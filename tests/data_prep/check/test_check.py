"""The check finds what was broken on purpose, and nothing in sound domains."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageOps

from data_prep.check import duplicates, examination
from data_prep.check.measurements import measure
from data_prep.folder import FolderSource
from data_prep.prepare import prepare_archive, prepare_images
from data_prep.prepared import open_domain, prepared_folder
from tests.data_prep.conftest import jpeg, write_archive

_SIZE = 32


def _image(seed):
    """Smooth, colored, and different from all others."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((96, 96))


def _images(folder, count, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        _image(number).save(folder / f"{number:04}.png")
    return folder


def _check(*arguments, cwd):
    command = [
        sys.executable,
        "-m",
        "data_prep",
        "check",
        f"--image_size={_SIZE}",
        *map(str, arguments),
    ]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=cwd)
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def _found(report, words):
    """The findings with this text."""
    return [finding for finding in report["findings"] if words in finding["text"]]


def test_only_images_that_grow_are_enlarged(tmp_path):
    """With padding the longer side decides, and with cropping the shorter one."""
    (tmp_path / "in").mkdir()
    for number, size in enumerate([(_SIZE + 8, _SIZE - 8), (_SIZE - 8, _SIZE - 8)]):
        _image(number).resize(size).save(tmp_path / "in" / f"{number}.png")
    for fit, expected in (("pad", 1), ("crop", 2)):
        _, report = _check(f"--images={tmp_path / 'in'}", f"--fit={fit}", cwd=tmp_path)
        (finding,) = _found(report, "enlarged")
        assert f"{expected} of 2 images" in finding["text"]


def test_a_closed_pipe_is_no_error(tmp_path):
    """As of `check | head`: the contact sheet is drawn, and nothing is said."""
    images = _images(tmp_path / "in", 4)
    command = f"{sys.executable} -m data_prep check --image_size={_SIZE} --images={images} | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=tmp_path)
    assert (tmp_path / "check.png").is_file()
    assert "error" not in done.stderr and "Traceback" not in done.stderr


def test_a_healthy_domain_has_nothing(tmp_path):
    status, report = _check(f"--images={_images(tmp_path / 'in', 700)}", cwd=tmp_path)
    assert (status, report["findings"]) == (0, [])
    counts = report["domains"]["in"]["counts"]
    assert counts == {"train": 700} and report["domains"]["in"]["source_sizes"] == {"96x96": 700}
    assert Image.open(tmp_path / "check.png").width > 1000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["check.png", "in"]


@pytest.mark.parametrize("size", [32, 35])
def test_sizes_need_not_be_multiples_of_eight(tmp_path, size):
    """Copies of images are found at any."""
    for name in ("in", "copy"):
        _images(tmp_path / name, 5)
        source = FolderSource(tmp_path / name, val_share=0)
        prepare_images(source, tmp_path / "data", name, size)
    one, other = (
        measure(open_domain(tmp_path / "data", name, size), "train") for name in ("in", "copy")
    )
    assert one.digests == other.digests and one.small.shape == (5, 8 * 8 * 3)
    np.testing.assert_array_equal(one.small, other.small)


def test_everything_broken_is_found_and_ranked(tmp_path):
    folder = _images(tmp_path / "in", 60)
    rng = np.random.default_rng(0)
    for number in range(3):
        Image.new("RGB", (96, 96), (number, 90, 200)).save(folder / f"blank{number}.png")
        ImageOps.grayscale(_image(200 + number)).save(folder / f"gray{number}.png")
        _image(number).save(folder / f"same{number}.bmp")
        noisy = np.asarray(_image(10 + number), int) + rng.integers(-3, 4, (96, 96, 3))
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / f"near{number}.png")
        cut = np.asarray(_image(300 + number)).copy()
        cut[60:] = 128
        Image.fromarray(cut).save(folder / f"cut{number}.png")
        _image(400 + number).resize((20, 20)).save(folder / f"small{number}.png")
        (folder / f"broken{number}.jpg").write_bytes(jpeg((9, 9, 9))[:700])
    (folder / "notes.txt").write_text("notes")
    status, report = _check(f"--images={folder}", cwd=tmp_path)
    numbers = report["domains"]["in"]
    for kind, count in (
        ("blank", 3), ("gray", 3), ("cut", 3), ("unreadable", 3), ("identical", 3),
        ("near_duplicates", 3),
    ):  # fmt: skip
        assert sum(numbers[kind].values()) == count, (kind, numbers[kind])
    assert status == 0 and not _found(report, "changed on disk")
    for words in ("blank", "cut off", "unreadable", "few images", "enlarged", "not used"):
        assert _found(report, words), words
    levels = [finding["level"] for finding in report["findings"]]
    assert levels == sorted(levels, key=["error", "warning", "note"].index) and "warning" in levels
    (broken,) = _found(report, "unreadable")
    assert any("broken0.jpg: cannot be decoded" in example for example in broken["examples"])
    assert all(finding["remedy"] for finding in report["findings"])


def test_mostly_unreadable_is_an_error(tmp_path):
    folder = _images(tmp_path / "in", 10)
    (folder / "broken.jpg").write_bytes(b"nothing")
    status, report = _check(f"--images={folder}", cwd=tmp_path)
    assert status == 1 and _found(report, "unreadable")[0]["level"] == "error"


def test_photos_that_need_a_package_are_unreadable():
    """And no files that somebody left out on purpose."""
    for reason in ("if this is a HEIC photo: pip install", "a JPEG of more than 100 scans"):
        assert examination._UNREADABLE.search(f"IMG_1.heic: {reason}")


def test_images_on_both_sides_are_found(tmp_path):
    train, val = _images(tmp_path / "train", 30), _images(tmp_path / "val", 10, first=28)
    noisy = np.asarray(_image(3), int) + np.random.default_rng(0).integers(-3, 4, (96, 96, 3))
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(val / "again.png")
    prepare_images(FolderSource(train, val), tmp_path / "data", "things", _SIZE)
    status, report = _check("--domain=things", cwd=tmp_path)
    assert status == 0
    assert "2 of 11" in _found(report, "data leakage")[0]["text"]
    (near,) = _found(report, "nearly identical to a training image")
    assert near["examples"] == ["again.png ~ 0003.png"]


def test_an_image_changed_on_the_disk_is_found(tmp_path):
    source = FolderSource(_images(tmp_path / "in", 30), val_share=0.2)
    prepare_images(source, tmp_path / "data", "things", _SIZE)
    (file,) = prepared_folder(tmp_path / "data", "things", _SIZE).glob("*-train.*")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(bytes(data))
    status, report = _check(cwd=tmp_path)
    (found,) = _found(report, "changed on disk")
    assert status == 1 and found["level"] == "error" and len(found["examples"]) == 1
    file.write_bytes(bytes(data[:-1]))
    status, report = _check(cwd=tmp_path)
    assert status == 1 and "is corrupt" in report["findings"][0]["text"]


def test_a_mirrored_archive_is_found_before_and_after_it_is_prepared(tmp_path):
    members = [
        (f"edges2boots/{split}/{i}_AB.jpg", jpeg((250, i * 10, 0), (128, 64)))
        for split in ("train", "val")
        for i in range(20)
    ]
    good = write_archive(tmp_path, members)
    status, report = _check(f"--archive={good}", cwd=tmp_path)
    assert not _found(report, "mirrored")

    def mirrored(data):
        file = io.BytesIO()
        ImageOps.mirror(Image.open(io.BytesIO(data))).save(file, "JPEG")
        return file.getvalue()

    (tmp_path / "other").mkdir()
    archive = write_archive(tmp_path / "other", [(name, mirrored(data)) for name, data in members])
    status, report = _check(f"--archive={archive}", cwd=tmp_path)
    (finding,) = _found(report, "is mirrored")
    assert status == 1 and "--photo_side=left" in finding["remedy"]
    # Of halves of another kind, nothing is known.
    status, report = _check(f"--archive={archive}", "--drawing=labels", cwd=tmp_path)
    assert not _found(report, "mirrored")
    prepare_archive(good, tmp_path / "data", _SIZE)
    folder = prepared_folder(tmp_path / "data", "edges2boots/photo", _SIZE)
    for name in ("train", "val"):  # As if an earlier program had taken the wrong half.
        (drawing,) = prepared_folder(tmp_path / "data", "edges2boots/edges", _SIZE).glob(
            f"*-{name}.*"
        )
        (photo,) = folder.glob(f"*-{name}.*")
        photo.write_bytes(drawing.read_bytes())
    status, report = _check("--domain=edges2boots/photo", cwd=tmp_path)
    assert status == 1 and "--photo_side=left" in _found(report, "mirrored")[0]["remedy"]


def test_for_people_and_without_anything_to_examine(tmp_path):
    source = FolderSource(_images(tmp_path / "in", 30), val_share=0.2)
    prepare_images(source, tmp_path / "data", "things", _SIZE)

    def run(*arguments):
        command = [sys.executable, "-m", "data_prep", "check", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    done = run("--image_size=32")
    assert (
        done.returncode == 0
        and "WARNING  things train: few images" in done.stdout
        and "To do: " in done.stdout
    )
    assert "Contact sheet: check.png" in done.stdout
    nothing = run("--image_size=64")
    assert nothing.returncode == 1 and "no domain is prepared at 64 pixels" in nothing.stderr
    absent = run("--image_size=32", "--domain=absent")
    assert absent.returncode == 1 and "no domain absent" in absent.stdout


def test_what_cropping_loses_and_the_same_images_twice_are_found(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(12):
        _image(number).resize((96, 64)).save(folder / f"{number}.png")
    status, report = _check(f"--images={folder}", "--fit=crop", cwd=tmp_path)
    assert status == 0 and "33% of the images' area is lost" in _found(report, "cropped")[0]["text"]
    assert not _found(_check(f"--images={folder}", cwd=tmp_path)[1], "cropped")
    for name in ("things", "others"):
        prepare_images(FolderSource(folder), tmp_path / "data", name, _SIZE)
    _, report = _check(cwd=tmp_path)
    (found,) = _found(report, "the same images")
    assert found["domain"] == "others and things"


@pytest.mark.parametrize("within", [True, False])
def test_near_pairs_are_those_of_all_comparisons(within):
    """Found block by block, as by comparing one by one."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)
    images[30] = images[3] ^ 1
    images[35] = images[7]
    others = images if within else np.concatenate([images[20:], images[3:4] ^ 2])

    def small(images):
        return (
            images.reshape(-1, 8, 2, 8, 2, 3)
            .mean((2, 4), dtype=np.float32)
            .reshape(len(images), -1)
        )

    found = duplicates.near_pairs(
        small(images), None if within else small(others), images.__getitem__, others.__getitem__
    )
    assert found == ([(3, 30)] if within else [(3, 10), (30, 20)])
    assert duplicates.groups_of_identical([p.tobytes() for p in images]) == [[7, 35]]
