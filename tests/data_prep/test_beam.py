"""By Apache Beam's local runner: the same domains as by one process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from data_prep.errors import PreparationError
from data_prep.limits import Limits
from data_prep.pairs import PairForm
from data_prep.prepare import prepare_archive, prepare_by_beam
from data_prep.prepared import open_domain
from tests.data_prep.conftest import jpeg, write_archive

pytest.importorskip("apache_beam")


def _by_beam(archives, folder, name, *options):
    prepare_by_beam(archives, name, folder, 32, PairForm(), Limits(), list(options))


def test_one_archive_gives_what_one_process_gives(tmp_path, good_members, capsys):
    """To the last bit and the last name; what is left out too."""
    members = [*good_members, ("edges2boots/train/bad.jpg", b"nothing"), ("edges2boots/README", b"words")]
    archive = write_archive(tmp_path, members)
    prepare_archive(archive, tmp_path, 32)
    _by_beam([archive], tmp_path / "beam", "edges2boots")
    for half in ("photo", "edges"):
        alone = open_domain(tmp_path, f"edges2boots/{half}", 32)
        beam = open_domain(tmp_path / "beam", f"edges2boots/{half}", 32)
        for domain in (alone, beam):
            domain.preparation.pop("prepared")
            domain.preparation["left_out"].sort()
        assert beam.preparation == alone.preparation and len(beam.preparation["left_out"]) == 2
        assert beam.names == alone.names
        for split in ("train", "val"):
            np.testing.assert_array_equal(beam.pictures(split), alone.pictures(split))
    assert "4 train, 1 val pictures each, 2 left out" in capsys.readouterr().out
    assert not list((tmp_path / "beam").glob("incomplete*"))


def test_several_archives_become_one_data_set_in_order(tmp_path, good_members):
    archives = []
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        archive = write_archive(tmp_path / str(number), good_members)
        archives.append(archive.rename(tmp_path / f"part{number}.tar.gz"))
    _by_beam(archives, tmp_path, "boots")
    domain = open_domain(tmp_path, "boots/photo", 32)
    names = [name for name, _ in good_members if "/train/" in name]
    assert domain.names["train"] == [f"part{n}.tar.gz:{name}" for n in range(3) for name in names]
    first, second, third = np.split(domain.pictures("train"), 3)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert domain.preparation["source"]["archive"] == "part0.tar.gz, part1.tar.gz, part2.tar.gz"


def test_archives_whose_splits_are_at_the_top(tmp_path, good_members):
    """And what is left out of each says of which."""
    members = [(name.removeprefix("edges2boots/"), data) for name, data in good_members]
    archives = [write_archive(tmp_path, [*members, ("train/bad.jpg", b"no")], f"part{n}") for n in range(2)]
    _by_beam(archives, tmp_path, "boots")
    domain = open_domain(tmp_path, "boots/photo", 32)
    assert domain.names["val"] == ["part0.tar.gz:val/1_AB.jpg", "part1.tar.gz:val/1_AB.jpg"]
    assert [line.partition("/")[0] for line in domain.preparation["left_out"]] == [
        "part0.tar.gz:train", "part1.tar.gz:train",
    ]  # fmt: skip


def test_a_damaged_archive_is_named_and_leaves_nothing(tmp_path, good_members):
    archive = write_archive(tmp_path, good_members)
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(PreparationError, match=f"{archive.name} is damaged or cut short"):
        _by_beam([archive], tmp_path, "boots")
    with pytest.raises(PreparationError, match="no archive at"):
        _by_beam([tmp_path / "nothing.tar.gz"], tmp_path, "boots")
    assert [path.name for path in tmp_path.iterdir()] == [archive.name]


@pytest.mark.slow
def test_by_several_processes_and_from_the_command_line(tmp_path):
    members = [(f"edges2boots/train/{n}_AB.jpg", jpeg((250, 6 * n, 0))) for n in range(40)]
    archive = write_archive(tmp_path, members)
    command = [
        sys.executable, "-m", "data_prep", "beam", "--name=boots", f"--archive={archive}",
        f"--data_dir={tmp_path}", "--image_size=32", "--runner=DirectRunner", "--direct_num_workers=2",
        "--direct_running_mode=multi_processing",
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
    assert open_domain(tmp_path, "boots/photo", 32).names == {"train": [name for name, _ in members]}
