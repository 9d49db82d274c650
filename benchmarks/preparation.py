"""Speed of preparing an archive, beside the chapter's extraction and the limit of decoding.

    python -m benchmarks.preparation --archive=edges2shoes.tar.gz --repeat=10 --rounds=3

All are interleaved on the same cores. The archive is enlarged by repeating its pairs under other
names, because a thousand take less than a second. The chapter's program gets the pairs as files,
and one process: decode, scale the pair, crop, save. Its result corresponds to `photo` here.

    python -m benchmarks.preparation --archive=edges2shoes.tar.gz --pairs=60000

prepares so many instead, once, in its own process, and prints its peak memory.
"""

import argparse
import contextlib
import io
import os
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from PIL import Image

from data_prep.archives import read_images
from data_prep.decoding import decode_jpeg
from data_prep.limits import LeftOut, Limits
from data_prep.pairs import PairForm
from data_prep.prepare import prepare_archive

_SIZE = 64
_SUFFIXES = (".jpg",)


def _pairs(archive: Path) -> list[bytes]:
    return [data for _, data in read_images(archive, _SUFFIXES, Limits(), LeftOut())]


def _write_archive(path: Path, pairs: list[bytes], count: int) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for number in range(count):
            data = pairs[number % len(pairs)]
            header = tarfile.TarInfo(f"{path.name.partition('.')[0]}/train/{number}_AB.jpg")
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))


def _chapter(files: list[Path], folder: Path) -> None:
    for file in files:
        pair = Image.open(file).resize((2 * _SIZE, _SIZE), Image.Resampling.LANCZOS)
        pair.crop((_SIZE, 0, 2 * _SIZE, _SIZE)).save(folder / file.name)


def _decode(pairs: list[bytes]) -> None:
    """Decodes only, scaled within the JPEG transform."""
    for data in pairs:
        decode_jpeg(data, 2 * _SIZE, _SIZE)


def _prepare(archive: Path, data_dir: Path, halves: tuple[str, ...]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        prepare_archive(archive, data_dir, _SIZE, PairForm(halves=halves))


def _timed(work, *arguments) -> float:
    started = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - started


def _side_by_side(pairs: list[bytes], repeat: int, rounds: int) -> None:
    cores, count = os.cpu_count() or 1, repeat * len(pairs)
    secs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "edges2things.tar.gz"
        _write_archive(archive, pairs, count)
        (folder / "pairs").mkdir()
        files = [folder / "pairs" / f"{number}_AB.jpg" for number in range(len(pairs))]
        for file, data in zip(files, pairs, strict=True):
            file.write_bytes(data)
        (folder / "extracted").mkdir()
        for number in range(rounds):
            for kind, work, scale in (
                ("chapter", lambda: _chapter(files, folder / "extracted"), count / len(files)),
                ("reading", lambda: _pairs(archive), 1),
                ("decoding", lambda: _decode(pairs), count / len(pairs)),
                ("photo", lambda n=number: _prepare(archive, folder / f"photo{n}", ("photo",)), 1),
                (
                    "photo and edges",
                    lambda n=number: _prepare(archive, folder / f"both{n}", ("edges", "photo")),
                    1,
                ),
            ):
                secs.setdefault(kind, []).append(_timed(work) * scale)
    limit = [(r + d) / cores for r, d in zip(secs["reading"], secs["decoding"], strict=True)]
    print(f"{count} pairs at {_SIZE} pixels, {rounds} rounds, {cores} cores; medians (ranges)\n")
    print("| what | pairs/s | against the chapter | against reading and decoding alone |")
    print("|---|---|---|---|")
    for kind, words in (
        ("chapter", "the chapter: decode, scale the pair, crop, save; one process"),
        ("reading", "reading the archive alone, one core"),
        ("decoding", "decoding alone, scaled in the JPEG transform, one core"),
        ("photo", "`--halves=photo`"),
        ("photo and edges", "both halves, edges thickened"),
    ):
        ratios = [c / s for c, s in zip(secs["chapter"], secs[kind], strict=True)]
        allowed = [bound / s for bound, s in zip(limit, secs[kind], strict=True)]
        rates = [count / s for s in secs[kind]]
        shown = f"{statistics.median(allowed):.2f}" if kind.startswith("photo") else ""
        print(
            f"| {words} | {statistics.median(rates):,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) "
            f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {shown} "
            "|"
        )
    print(
        f"\nReading and decoding alone, shared out on {cores} cores: "
        f"{count / statistics.median(limit):,.0f} pairs/s"
    )


def _large(pairs: list[bytes], count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = folder / "edges2things.tar.gz"
        _write_archive(archive, pairs, count)
        size = archive.stat().st_size
        command = [
            sys.executable,
            "-m",
            "data_prep",
            "pix2pix",
            f"--archive={archive}",
            f"--data_dir={folder}",
        ]
        secs = _timed(lambda: subprocess.run(command, check=True))
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{count:,} pairs, {size / 1e9:.2f} GB: {secs:.1f} s, "
        f"{count / secs:,.0f} pairs/s, at most {peak:.0f} MiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=0)
    values = parser.parse_args()
    pairs = _pairs(values.archive)
    if values.pairs:
        _large(pairs, values.pairs)
    else:
        _side_by_side(pairs, values.repeat, values.rounds)


if __name__ == "__main__":
    main()
