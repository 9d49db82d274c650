import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageOps

from data_prep.errors import PreparationError
from data_prep.known_sets import pair_form
from data_prep.pairs import PairForm
from data_prep.prepare import prepare_archive, prepare_missing
from data_prep.prepared import is_prepared, prepared_folder
from data_prep.unfinished import remove_leftovers, unfinished_folder
from discogan_tf.data.domains import load_domain
from tests.data_prep.conftest import jpeg, write_archive


def _prepared(folder, size=64):
    return {
        half: load_domain(str(folder), f"edges2boots/{half}", "train", size)
        for half in ("photo", "edges")
    }


def test_prepares_both_halves_of_both_splits_and_reports(tmp_path, capsys, good_members):
    prepare_archive(write_archive(tmp_path, good_members), tmp_path, 64)
    found = _prepared(tmp_path)
    assert found["photo"].names == found["edges"].names == [name for name, _ in good_members[:4]]
    for i, (photo, edges) in enumerate(
        zip(found["photo"].images, found["edges"].images, strict=True)
    ):
        assert np.abs(photo[:, 2:].astype(int) - (250, i * 40, 0)).max() <= 3
        assert edges[:, :-2].min() >= 252
    val = load_domain(str(tmp_path), "edges2boots/photo", "val", 64)
    assert val.names == ["edges2boots/val/1_AB.jpg"] and val.images.shape == (1, 64, 64, 3)
    assert "4 train, 1 val images each, 0 left out" in capsys.readouterr().out
    assert not list(tmp_path.glob("incomplete*"))


def test_tensorflow_datasets_reads_it_too(tmp_path, good_members):
    """With its own checksums, and the same pixels."""
    prepare_archive(write_archive(tmp_path, good_members), tmp_path, 32)
    builder = tfds.builder_from_directory(prepared_folder(tmp_path, "edges2boots/photo", 32))
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        "train": 4,
        "val": 1,
    }
    examples = builder.as_dataset("train", shuffle_files=False).as_numpy_iterator()
    found = np.stack([example["image"] for example in examples])
    np.testing.assert_array_equal(
        found, load_domain(str(tmp_path), "edges2boots/photo", "train", 32).images
    )


def test_an_archive_without_val_has_only_train(tmp_path, good_members):
    prepare_archive(write_archive(tmp_path, good_members[:4]), tmp_path, 32)
    names = json.loads(
        (prepared_folder(tmp_path, "edges2boots/photo", 32) / "names.json").read_text()
    )
    assert list(names) == ["train"]


def test_one_half_alone_and_the_other_later(tmp_path, capsys, good_members):
    archive = write_archive(tmp_path, good_members)
    prepare_archive(archive, tmp_path, 32, PairForm(halves=("photo",)))
    assert not is_prepared(tmp_path, "edges2boots/edges", 32)
    prepare_archive(archive, tmp_path, 32)
    out = capsys.readouterr().out
    assert (
        is_prepared(tmp_path, "edges2boots/edges", 32)
        and "edges2boots/photo is already prepared" in out
    )


def test_a_prepared_archive_is_left_alone(tmp_path, capsys, good_members):
    path = write_archive(tmp_path, good_members)
    prepare_archive(path, tmp_path, 64)
    path.unlink()
    prepare_archive(path, tmp_path, 64)
    assert capsys.readouterr().out.count("already") == 2


def test_an_archive_is_not_taken_for_prepared_in_another_way(tmp_path, good_members):
    path = write_archive(tmp_path, good_members)
    prepare_archive(path, tmp_path, 32)
    left = PairForm(photo_side="left", side_is_certain=True)
    with pytest.raises(PreparationError, match=r"photo_side=right, not left\. Give --force"):
        prepare_archive(path, tmp_path, 32, left)
    with pytest.raises(PreparationError, match=r"edges is already .* thickened=True, not False"):
        prepare_archive(path, tmp_path, 32, PairForm(thicken_edges=False))


def test_prepare_missing_prepares_what_the_run_needs(tmp_path, capsys, good_members):
    write_archive(tmp_path, good_members)
    prepare_missing(str(tmp_path), ("edges2boots/edges", "edges2boots/photo", "absent/photo"), 32)
    assert is_prepared(tmp_path, "edges2boots/edges", 32)
    assert capsys.readouterr().out.count("Preparing") == 1
    prepare_missing(str(tmp_path), ("edges2boots/photo", "clogs"), 64)
    assert is_prepared(tmp_path, "edges2boots/photo", 64)
    assert not is_prepared(tmp_path, "edges2boots/edges", 64)


def test_a_mirrored_archive_is_refused_and_then_prepared_properly(tmp_path, good_members):
    def mirrored(data):
        file = io.BytesIO()
        ImageOps.mirror(Image.open(io.BytesIO(data))).save(file, "JPEG")
        return file.getvalue()

    archive = write_archive(tmp_path, [(name, mirrored(data)) for name, data in good_members])
    with pytest.raises(PreparationError, match=r"mirrored.*--photo_side=left"):
        prepare_archive(archive, tmp_path, 32)
    assert not is_prepared(tmp_path, "edges2boots/photo", 32)
    prepare_archive(archive, tmp_path, 32, PairForm(photo_side="left"))
    photo = _prepared(tmp_path, 32)["photo"].images[0]
    assert np.abs(photo[:, :-2].astype(int) - (250, 0, 0)).max() <= 3


def test_left_overs_of_killed_processes_are_removed_and_others_not(tmp_path, good_members):
    """Those without a lock, whatever their process's number; not one in use, nor a new one."""
    killed, just_made = tmp_path / "incomplete.edges2boots.photo.x", tmp_path / "incomplete.y"
    for folder in (killed, just_made):
        folder.mkdir()
    (killed / "in_work").touch()
    with unfinished_folder(tmp_path, "other") as in_work:
        prepare_archive(write_archive(tmp_path, good_members), tmp_path, 32)
        assert not killed.exists() and just_made.exists() and in_work.exists()
    assert not in_work.exists()
    os.utime(just_made, (0, 0))
    remove_leftovers(tmp_path)
    assert not just_made.exists()


@pytest.mark.parametrize("name", ["...tar.gz", ".tar.gz", "my set.tar.gz", "incomplete.1.tar.gz"])
def test_an_archive_whose_name_makes_no_folder_is_refused(tmp_path, good_members, name):
    archive = write_archive(tmp_path, good_members)
    odd = archive.rename(tmp_path / name)
    with pytest.raises(PreparationError, match="are allowed"):
        prepare_archive(odd, tmp_path / "deep" / "data", 32)
    assert not (tmp_path / "deep").exists()


def test_colored_drawings_are_no_edges(tmp_path):
    """Refused until the user names them; then a photo without colors raises no doubt."""

    def pair(number):
        image = Image.new("RGB", (64, 32), (200, 40 + number, 10))
        image.paste((10, 60, 200 - number), (32, 0, 64, 32))
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    archive = write_archive(
        tmp_path, [(f"night2day/train/{i}.png", pair(i)) for i in range(6)], "night2day"
    )
    with pytest.raises(PreparationError, match=r"colors in both halves.*--drawing"):
        prepare_archive(archive, tmp_path, 32)
    prepare_archive(archive, tmp_path, 32, pair_form(archive, "", "left", True, "night"))
    night = load_domain(str(tmp_path), "night2day/night", "train", 32).images
    np.testing.assert_array_equal(night[1][16, 16], (10, 60, 199))


def test_command_line(tmp_path, good_members):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "data_prep", *arguments], capture_output=True, text=True
        )

    archive = write_archive(
        tmp_path, [*good_members, ("edges2boots/train/bad.jpg", jpeg((0, 0, 0), (9, 9)))]
    )
    done = run("pix2pix", f"--archive={archive}", f"--data_dir={tmp_path / 'data'}")
    assert (
        done.returncode == 0 and "Prepared edges2boots/edges and edges2boots/photo" in done.stdout
    )
    assert "bad.jpg: 9x9 pixels" in done.stdout
    failed = run("pix2pix", f"--archive={tmp_path / 'absent.tar.gz'}", f"--data_dir={tmp_path}")
    assert failed.returncode == 1 and "error: no archive at" in failed.stderr
    for arguments, words in (
        ((), "--archive=FILE or --download=NAME"),
        ((f"--archive={archive}", "--halves=sketch"), "no 'sketch'"),
        ((f"--archive={archive}", "--sha256=00"), "--sha256 is for one --download"),
    ):
        failed = run("pix2pix", f"--data_dir={tmp_path}", *arguments)
        assert failed.returncode == 1 and words in failed.stderr
