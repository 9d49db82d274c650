"""The images of an archive as a stream: nothing is unpacked to disk."""

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from data_prep.errors import PreparationError
from data_prep.limits import LeftOut, Limits
from data_prep.tar_stream import Member, TarError, read_tar

_GZIP_MAGIC = b"\x1f\x8b"
# First bytes of archives that are not read.
_OTHER_MAGICS = {
    b"\xfd7zXZ": "compressed with xz",
    b"BZh": "compressed with bzip2",
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"PK\x03\x04": "a zip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
}
_BUFFER_BYTES = 1 << 20
_PROGRESS_INTERVAL = 64
# The length limit of paths on Linux.
_LONGEST_NAME = 4096


def dataset_name(archive: Path) -> str:
    """edges2shoes.tar.gz -> edges2shoes."""
    return archive.name.removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")


def read_images(
    archive: Path, suffixes: tuple[str, ...], limits: Limits, left_out: LeftOut
) -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of the files with one of the suffixes, with a progress bar.

    Args:
      archive: A tar archive, compressed with gzip or not.
      suffixes: Endings of names, in lower case.
      limits: Bounds on the archive.
      left_out: Collects every other member except folders.

    Raises:
      PreparationError: if the archive is missing, not a tar archive, corrupt, truncated or over a
        limit.
    """
    try:
        size = archive.stat().st_size
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(archive.open("rb"))
            bar = stack.enter_context(
                tqdm(
                    desc=f"Reading {archive.name}",
                    total=size,
                    unit="B",
                    unit_scale=True,
                    mininterval=0.5,
                    delay=1,
                )
            )
            start = file.peek(8)[:8]
            for magic, kind in _OTHER_MAGICS.items():
                if start.startswith(magic):
                    raise PreparationError(
                        f"{archive} is {kind}. Unpack it and pack it again as .tar or .tar.gz, or "
                        "use `python -m data_prep folder` for a folder of images"
                    )
            zipped = start.startswith(_GZIP_MAGIC)
            # Python's reader, unlike others, reports a truncated stream.
            stream = stack.enter_context(gzip.GzipFile(fileobj=file)) if zipped else file
            counted = _Counted(stream, limits.max_bytes)
            buffered = io.BufferedReader(counted, _BUFFER_BYTES)
            seen: set[bytes] = set()
            for count, member in enumerate(read_tar(buffered, limits.max_image_bytes), 1):
                if count > limits.max_members:
                    raise PreparationError(
                        f"{archive} has more than {limits.max_members:,} members. Nothing was "
                        "prepared from it. If that is right, raise --max_members."
                    )
                if count % _PROGRESS_INTERVAL == 0:
                    bar.update(file.tell() - bar.n)
                problem = _problem(member, suffixes, limits, seen)
                if problem:
                    left_out.add(member.name, problem)
                elif member.content is not None:
                    seen.add(_digest(member.name))
                    yield member.name, member.content
    except FileNotFoundError as error:
        raise PreparationError(f"no archive at {archive}") from error
    except _TooMuchError as error:
        raise PreparationError(
            f"{archive} unpacks to more than {limits.max_bytes:,} bytes. Nothing was prepared from "
            "it. If that is right, raise --max_bytes."
        ) from error
    except (TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise PreparationError(
            f"{archive} is corrupt or truncated ({error}). Nothing was prepared from it. Remove "
            "it, download it again and compare its size with the source's."
        ) from error
    except IsADirectoryError as error:
        raise PreparationError(
            f"{archive} is a folder. For a folder of images: python -m data_prep folder"
        ) from error


def _problem(member: Member, suffixes: tuple[str, ...], limits: Limits, seen: set[bytes]) -> str:
    """Why a member is not used; "" if it is, and for folders."""
    if member.kind == "a folder":
        return ""
    if len(member.name) > _LONGEST_NAME:
        return f"a name of {len(member.name):,} characters"
    if member.kind:
        return f"{member.kind}, not a file"
    if member.name.startswith("/") or ".." in member.name.split("/"):
        return "its name points outside the archive"
    if not member.name.lower().endswith(suffixes):
        return f"not an image ({', '.join(suffixes)})"
    if _digest(member.name) in seen:
        return "another member has this name"
    if member.size == 0:
        return "an empty file"
    if member.content is None:
        return f"{member.size:,} bytes, more than {limits.max_image_bytes:,} (--max_image_bytes)"
    return ""


def _digest(name: str) -> bytes:
    """Of fixed length, however long the name."""
    return hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16).digest()


class _TooMuchError(Exception):
    """More bytes than the limit."""


class _Counted(io.RawIOBase):
    """A stream that returns at most so many bytes."""

    def __init__(self, stream, limit: int):
        self._stream, self._left = stream, limit

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise _TooMuchError
        buffer[: len(data)] = data
        return len(data)
