"""Broken and malicious input: each is named, nothing else is lost, no partial result is left."""

import bz2
import contextlib
import gzip
import io
import lzma
import os
import random
import struct
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_prep.domain_writer import DomainWriter
from data_prep.errors import ImageError, PreparationError
from data_prep.folder import FITS, FolderSource, prepare_folder, read_image
from data_prep.limits import LeftOut, Limits
from data_prep.pairs import PairForm, split_pair
from data_prep.pix2pix import prepare_pairs
from data_prep.prepare import prepare_archive
from data_prep.prepared import is_prepared
from discogan_tf.data.domains import load_domain
from tests.data_prep.conftest import jpeg, write_archive


def _prepare(archive, data_dir, limits=None):
    left_out = LeftOut()
    prepare_pairs(archive, data_dir, 32, PairForm(), limits or Limits(), left_out)
    return left_out.lines


def _nothing_left(folder):
    return not list(folder.glob("incomplete*")) and not is_prepared(folder, "edges2boots/photo", 32)


def _link(name, kind=tarfile.SYMTYPE):
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, "/etc/passwd"
    return header, None


def _huge_png():
    """A PNG whose header declares 100,000 x 100,000 pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


_BAD = {
    "edges2boots/train/../../../escape.jpg": (jpeg((9, 9, 9)), "points outside the archive"),
    "/etc/absolute/train/a.jpg": (jpeg((9, 9, 9)), "points outside the archive"),
    "edges2boots/train/huge.png": (_huge_png(), "pixels than Pillow considers safe"),
    "edges2boots/train/cut.jpg": (jpeg((200, 0, 0))[:900], "cannot be decoded"),
    "edges2boots/train/empty.jpg": (b"", "an empty file"),
    "edges2boots/train/text.jpg": (b"this is text\n" * 50, "cannot be decoded: no JPEG, PNG file"),
    "edges2boots/train/square.jpg": (jpeg((9, 9, 9), (256, 256)), "not two squares side by side"),
    "edges2boots/train/notes.txt": (b"notes", "not an image"),
    "edges2boots/other/1.jpg": (jpeg((9, 9, 9)), "in no folder named train or val"),
    "edges2boots/train/0_AB.jpg": (jpeg((9, 9, 9)), "another member has this name"),
}


def test_bad_members_are_named_one_by_one_and_good_ones_kept(tmp_path, good_members):
    bad = [(name, content) for name, (content, _) in _BAD.items()]
    links = [
        _link("edges2boots/train/link.jpg"),
        _link("edges2boots/train/device.jpg", tarfile.CHRTYPE),
    ]
    large = ("edges2boots/train/large.jpg", bytes(100_001))
    archive = write_archive(tmp_path, [*good_members[:2], *bad, *links, large, *good_members[2:]])
    lines = _prepare(archive, tmp_path, Limits(max_image_bytes=100_000))
    expected = {name: words for name, (_, words) in _BAD.items()} | {
        "edges2boots/train/link.jpg": "a symbolic link, not a file",
        "edges2boots/train/device.jpg": "a character device, not a file",
        "edges2boots/train/large.jpg": "100,001 bytes, more than 100,000 (--max_image_bytes)",
    }
    assert len(lines) == len(expected)
    for name, words in expected.items():
        assert any(line.startswith(f"{name}: ") and words in line for line in lines), (name, words)
    assert load_domain(str(tmp_path), "edges2boots/photo", "train", 32).names == [
        n for n, _ in good_members[:4]
    ]
    assert not (tmp_path.parent / "escape.jpg").exists()


def test_16_bits_and_strange_names_are_no_reason_to_leave_an_image_out(tmp_path, good_members):
    pixels = np.full((64, 128), 65535, np.uint16)
    pixels[:, 64:] = 30_000
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    strange = "edges2boots/train/sch\udcf6n\n.png"
    assert (
        _prepare(write_archive(tmp_path, [*good_members, (strange, file.getvalue())]), tmp_path)
        == []
    )
    domain = load_domain(str(tmp_path), "edges2boots/photo", "train", 32)
    assert domain.names[-1] == r"edges2boots/train/sch\xf6n\n.png"
    assert np.abs(domain.images[-1].astype(int) - 30_000 // 256).max() <= 1


def test_a_gzip_bomb_ends_at_the_limit_and_not_in_memory(tmp_path, good_members):
    path = tmp_path / "edges2boots.tar.gz"
    header = tarfile.TarInfo("edges2boots/train/zeros.jpg")
    header.size = 1 << 30
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(header.tobuf())
        for _ in range(64):
            file.write(bytes(1 << 24))
    with pytest.raises(
        PreparationError, match=r"unpacks to more than 100,000,000 bytes.*--max_bytes"
    ):
        _prepare(path, tmp_path, Limits(max_bytes=100_000_000))
    assert _nothing_left(tmp_path)


def test_a_good_member_after_a_bad_one_of_its_name_is_used(tmp_path, good_members):
    bad = (good_members[0][0], b"")
    (line,) = _prepare(write_archive(tmp_path, [bad, *good_members]), tmp_path)
    assert line == f"{bad[0]}: an empty file"


def test_too_many_members_is_an_error(tmp_path, good_members):
    with pytest.raises(PreparationError, match=r"more than 3 members.*--max_members"):
        _prepare(write_archive(tmp_path, good_members), tmp_path, Limits(max_members=3))
    assert _nothing_left(tmp_path)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_leaves_nothing(tmp_path, good_members, kept):
    path = write_archive(tmp_path, good_members)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(PreparationError, match=r"corrupt or truncated.*download it again"):
        _prepare(path, tmp_path)
    assert _nothing_left(tmp_path)


def test_a_flipped_byte_is_found_by_the_checksum(tmp_path, good_members):
    path = write_archive(tmp_path, good_members)
    data = bytearray(path.read_bytes())
    data[-6] ^= 1  # Of gzip's checksum and length at the end.
    path.write_bytes(bytes(data))
    with pytest.raises(PreparationError, match="corrupt or truncated"):
        _prepare(path, tmp_path)
    assert _nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "corrupt or truncated"),
        (b"plain text" * 100, "corrupt or truncated"),
        (bytes(1024), "no usable"),
        (lzma.compress(b"a tar"), "compressed with xz. Unpack it"),
        (bz2.compress(b"a tar"), "compressed with bzip2. Unpack it"),
        (b"PK\x03\x04", "a zip archive. Unpack it"),
    ],
)
def test_what_is_no_archive_is_refused(tmp_path, content, words):
    path = tmp_path / "edges2boots.tar.gz"
    path.write_bytes(content)
    with pytest.raises(PreparationError, match=words):
        prepare_archive(path, tmp_path, 32)
    assert _nothing_left(tmp_path)


def test_an_archive_without_training_images_is_refused(tmp_path, good_members):
    with pytest.raises(PreparationError, match="no usable training images"):
        prepare_archive(write_archive(tmp_path, good_members[4:]), tmp_path, 32)
    assert _nothing_left(tmp_path)


def test_a_folder_for_an_archive_is_said(tmp_path):
    with pytest.raises(PreparationError, match="python -m data_prep folder"):
        prepare_archive(tmp_path, tmp_path, 32)


def test_an_unwritable_data_dir_is_an_error(tmp_path, good_members):
    blocked = tmp_path / "data"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(PreparationError, match="cannot prepare"):
        prepare_archive(write_archive(tmp_path, good_members), blocked, 32)


def _open_full(path):
    return Path("/dev/full").open("wb")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, good_members, monkeypatch):
    archive = write_archive(tmp_path, good_members)
    monkeypatch.setattr("data_prep.domain_writer._open", _open_full)
    with pytest.raises(PreparationError, match=r"cannot prepare.*No space left.*No partial result"):
        prepare_archive(archive, tmp_path, 32)
    assert _nothing_left(tmp_path)


def test_an_interrupted_preparation_does_not_pass_for_whole(tmp_path):
    with (
        contextlib.suppress(KeyboardInterrupt),
        DomainWriter(tmp_path, "edges2boots/photo", 32) as writer,
    ):
        writer.add("train", "a", np.zeros((32, 32, 3), np.uint8))
        raise KeyboardInterrupt
    assert _nothing_left(tmp_path)


def _seeds():
    """Real images of each format, to be corrupted."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (16, 32, 3), dtype=np.uint8)).resize((128, 64))
    files = []
    for file_format, options in (
        ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("GIF", {}),
        ("BMP", {}),
    ):  # fmt: skip
        file = io.BytesIO()
        image.save(file, file_format, **options)
        files.append(file.getvalue())
    cmyk = io.BytesIO()
    image.convert("CMYK").save(cmyk, "JPEG")
    palette = io.BytesIO()
    image.convert("P").save(palette, "PNG", transparency=3)
    return [*files, cmyk.getvalue(), palette.getvalue()]


def _damaged(rng, data):
    data = bytearray(data)
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(data[: rng.randrange(len(data))])
    if kind == 1:
        place = rng.randrange(len(data))
        return bytes(data[:place] + rng.randbytes(rng.randrange(1, 50)) + data[place:])
    for _ in range(rng.choice((1, 4, 30))):
        # Headers are where the harm is.
        place = rng.randrange(min(len(data), 200)) if kind == 2 else rng.randrange(len(data))
        data[place] = rng.randrange(256)
    return bytes(data)


def test_damaged_images_give_images_or_our_errors_and_nothing_else():
    """4,000 mutations of images of every format, as a pair and as a folder's image."""
    rng, seeds = random.Random(0), _seeds()
    outcomes = {"kept": 0, "refused": 0}
    for number in range(4000):
        data = _damaged(rng, seeds[number % len(seeds)])
        for decode in (
            lambda data: split_pair(data, 32, PairForm(), 1_000_000)[0]["photo"],
            lambda data: read_image(data, 32, FITS[number % 3], 1_000_000)[0],  # noqa: B023
        ):
            try:
                image = decode(data)
                assert image.shape == (32, 32, 3) and image.dtype == np.uint8
                outcomes["kept"] += 1
            except ImageError:
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 500


def test_damaged_archives_give_domains_or_our_errors_and_nothing_else(tmp_path):
    """Some hundred mutations of an archive, each prepared completely or not at all."""
    rng = random.Random(1)
    members = [
        (f"edges2boots/{split}/{i}.jpg", jpeg((250, 0, i), (64, 32)))
        for split in ("train", "val")
        for i in range(3)
    ]
    path = write_archive(tmp_path, members)
    plain = gzip.decompress(path.read_bytes())
    for number in range(300):
        data_dir = tmp_path / str(number)
        data_dir.mkdir()
        target = data_dir / path.name
        target.write_bytes(
            _damaged(rng, path.read_bytes()) if number % 3 == 0 else _damaged(rng, plain)
        )
        try:
            _prepare(target, data_dir)
            assert len(load_domain(str(data_dir), "edges2boots/photo", "train", 32).images) <= 3
        except PreparationError:
            assert _nothing_left(data_dir)


def test_a_folder_with_broken_files_keeps_the_good_ones(tmp_path, good_members):
    images = tmp_path / "in"
    images.mkdir()
    for number in range(5):
        (images / f"{number}.jpg").write_bytes(jpeg((number * 50, 0, 0)))
    (images / "cut.jpg").write_bytes(jpeg((5, 5, 5))[:800])
    (images / "notes.txt").write_text("notes")
    (images / "empty.png").touch()
    (images / "huge.png").write_bytes(_huge_png())
    (images / "nowhere.jpg").symlink_to(images / "absent.jpg")
    os.mkfifo(images / "pipe.jpg")
    left_out = LeftOut()
    source = FolderSource(images, val_share=0.2)
    counts = prepare_folder(source, tmp_path, "boots", 32, Limits(), left_out)
    assert sum(counts.values()) == 5 and len(left_out) == 6
    assert {line.partition(":")[0] for line in left_out.lines} == {
        "cut.jpg", "notes.txt", "empty.png", "huge.png", "nowhere.jpg", "pipe.jpg",
    }  # fmt: skip
