import io
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data_prep.errors import PreparationError
from data_prep.prepare import is_prepared, prepare_archive, prepare_missing


def _jpeg(colour, size=(512, 256)):
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG")
    return file.getvalue()


def _archive(folder, members, name="edges2boots"):
    path = folder / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members:
            header = tarfile.TarInfo(member)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


_GOOD = [(f"edges2boots/train/{i}_AB.jpg", _jpeg((i * 40, 0, 0))) for i in range(4)] + [
    ("edges2boots/val/1_AB.jpg", _jpeg((0, 200, 0)))
]


def test_prepares_both_splits_and_reports(tmp_path, capsys):
    prepare_archive(_archive(tmp_path, _GOOD), tmp_path, 64)
    builder = tfds.builder_from_directory(tmp_path / "edges2boots" / "64px" / "1.0.0")
    assert builder.info.splits["train"].num_examples == 4
    assert builder.info.splits["val"].num_examples == 1
    (example,) = builder.as_dataset("val").as_numpy_iterator()
    assert example["name"] == b"edges2boots/val/1_AB.jpg"
    np.testing.assert_allclose(example["photo"][30, 30], (0, 200, 0), atol=3)
    assert "4 train, 1 val pictures each, 0 left out" in capsys.readouterr().out
    assert not list(tmp_path.glob("incomplete*"))


def test_an_archive_without_val_has_only_train(tmp_path):
    prepare_archive(_archive(tmp_path, _GOOD[:4]), tmp_path, 32)
    builder = tfds.builder_from_directory(tmp_path / "edges2boots" / "32px" / "1.0.0")
    assert list(builder.info.splits) == ["train"]


def test_bad_pictures_are_named_and_good_ones_kept(tmp_path, capsys):
    bad = [
        ("edges2boots/train/text_AB.jpg", b"no picture"),
        ("edges2boots/train/square_AB.jpg", _jpeg((0, 0, 0), (256, 256))),
        _GOOD[0],
        ("edges2boots/README", b"not looked at"),
    ]
    prepare_archive(_archive(tmp_path, _GOOD + bad), tmp_path, 64)
    out = capsys.readouterr().out
    assert "4 train, 1 val pictures each, 3 left out" in out
    assert "text_AB.jpg: cannot be decoded" in out
    assert "square_AB.jpg: 256x256 pixels" in out
    assert "a second member of this name" in out


def test_a_truncated_archive_leaves_nothing(tmp_path):
    path = _archive(tmp_path, _GOOD)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(PreparationError, match="damaged or cut short"):
        prepare_archive(path, tmp_path, 64)
    assert not is_prepared(tmp_path, "edges2boots", 64)
    assert [entry.name for entry in tmp_path.iterdir() if entry.name != "edges2boots"] == [path.name]


@pytest.mark.parametrize("content", [b"", b"plain text, no archive" * 100])
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "edges2boots.tar.gz"
    path.write_bytes(content)
    with pytest.raises(PreparationError):
        prepare_archive(path, tmp_path, 64)
    assert not is_prepared(tmp_path, "edges2boots", 64)


def test_an_archive_without_training_pictures_is_refused(tmp_path):
    with pytest.raises(PreparationError, match="no usable training pictures"):
        prepare_archive(_archive(tmp_path, [("photos/1.jpg", _jpeg((0, 0, 0)))]), tmp_path, 64)


def test_an_unwritable_data_dir_is_an_error(tmp_path):
    blocked = tmp_path / "data"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(PreparationError, match="cannot prepare"):
        prepare_archive(_archive(tmp_path, _GOOD), blocked, 64)


def test_a_prepared_archive_is_left_alone(tmp_path, capsys):
    path = _archive(tmp_path, _GOOD)
    prepare_archive(path, tmp_path, 64)
    path.unlink()
    prepare_archive(path, tmp_path, 64)
    assert "already" in capsys.readouterr().out


def test_prepare_missing_prepares_once_for_both_halves(tmp_path, capsys):
    _archive(tmp_path, _GOOD)
    prepare_missing(str(tmp_path), ("edges2boots/edges", "edges2boots/photo", "absent/photo"), 32)
    assert is_prepared(tmp_path, "edges2boots", 32)
    assert capsys.readouterr().out.count("Preparing") == 1


def test_command_line(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "data_prep", *arguments], capture_output=True, text=True
        )

    archive = _archive(tmp_path, _GOOD)
    done = run("pix2pix", f"--archive={archive}", f"--data_dir={tmp_path / 'data'}")
    assert done.returncode == 0 and "Prepared edges2boots/photo" in done.stdout, done.stderr
    failed = run("pix2pix", f"--archive={tmp_path / 'absent.tar.gz'}", f"--data_dir={tmp_path}")
    assert failed.returncode == 1 and "error: no archive at" in failed.stderr
