"""Reads the members of a tar archive as a stream: nothing is unpacked to disk."""

import contextlib
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from data_prep.errors import PreparationError

_GZIP_MAGIC = b"\x1f\x8b"
_BUFFER_BYTES = 1 << 20


def dataset_name(archive: Path) -> str:
    """edges2shoes.tar.gz -> edges2shoes."""
    return archive.name.removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")


def read_members(archive: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of the regular files with one of the suffixes, with a progress bar.

    Raises:
      PreparationError: if the archive is missing, no tar archive, damaged or cut short.
    """
    if not archive.is_file():
        raise PreparationError(f"no archive at {archive}")
    try:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(archive.open("rb"))
            bar = stack.enter_context(
                tqdm(
                    desc=f"Reading {archive.name}", total=archive.stat().st_size, unit="B",
                    unit_scale=True, mininterval=0.5, delay=1,
                )
            )  # fmt: skip
            zipped = file.read(2) == _GZIP_MAGIC
            file.seek(0)
            # tarfile's own gzip reader takes a stream cut short for its end; this one does not.
            stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if zipped else file
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r|", bufsize=_BUFFER_BYTES))
            for member in tar:
                if member.isfile() and member.name.lower().endswith(suffixes):
                    yield member.name, tar.extractfile(member).read()
                bar.update(file.tell() - bar.n)
            while stream.read(_BUFFER_BYTES):
                pass  # To the end, where gzip keeps the checksum of it all.
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise PreparationError(
            f"{archive} is damaged or cut short ({error}). Nothing was prepared from it. "
            "Fetch it again and compare its size with the source's."
        ) from error
