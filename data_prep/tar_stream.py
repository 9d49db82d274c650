"""Reads a tar archive from its first byte to its last, whatever it contains.

Python's `tarfile` allocates as much memory as a header declares, and ends silently if an archive
was cut off between two members. This reader supports the three dialects in use (POSIX ustar, GNU,
pax), holds one member at a time, and writes nothing: a name is a label to it, never a path.
"""

import dataclasses
from collections.abc import Iterator
from typing import BinaryIO

_BLOCK = 512
_CHUNK = 1 << 20
# More than the length of any name, and than any program writes before a member.
_MAX_EXTENSION = 1 << 16
_MAX_EXTENSIONS = 8
# The keys that are used.
_KEYS = ("path", "size", "GNU.sparse.realsize")
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"5": "a folder",
    b"6": "a pipe",
    b"S": "a sparse file",
}
_REGULAR = (b"0", b"\0", b"7")


class TarError(Exception):
    """The stream is not a tar archive, is corrupt or ends too early."""


@dataclasses.dataclass(frozen=True)
class Member:
    """One member of an archive.

    Attributes:
      name: As in the archive; bytes that are not UTF-8 are surrogates.
      size: Of its content, in bytes.
      kind: "" for a regular file, otherwise what it is.
      content: Of a regular file within the requested size; None otherwise.
    """

    name: str
    size: int
    kind: str
    content: bytes | None


def read_tar(stream: BinaryIO, max_content: int) -> Iterator[Member]:
    """Yields every member in order, and reads the stream to its end.

    Args:
      stream: Read from its current position, in blocks.
      max_content: Larger contents are skipped, in little memory.

    Raises:
      TarError: if the stream is not a tar archive, is corrupt or ends too early.
    """
    extended: dict[str, bytes] = {}  # What extension headers declare for the next member.
    for_all: dict[str, bytes] = {}
    extensions = 0
    while True:
        header = _read(stream, _BLOCK, "in the header of a member")
        if header == bytes(_BLOCK):
            break
        if not _checksum_is_right(header):
            raise TarError("a header has a wrong checksum")
        kind, size = header[156:157], _number(header[124:136])
        if kind in (b"L", b"K", b"x", b"g"):
            extensions += 1
            if size > _MAX_EXTENSION or extensions > _MAX_EXTENSIONS:
                raise TarError(f"extension header {extensions} of a member, of {size} bytes")
            value = _read_content(stream, size)
            if kind == b"L":
                extended["path"] = value.rstrip(b"\0")
            elif kind == b"x":
                extended |= _pax_records(value)
            elif kind == b"g":
                for_all |= _pax_records(value)
            continue
        known = for_all | extended
        extended, extensions = {}, 0
        try:
            size = int(known.get("size", size))
        except ValueError as error:
            raise TarError("a size that is not a number") from error
        if size < 0:
            raise TarError("a negative size")
        if kind == b"S" and header[482]:  # GNU's list of holes continues behind the header.
            while _read(stream, _BLOCK, "in the header of a member")[504]:
                pass
        name = known.get("path") or _name(header)
        if kind in (b"1", b"2", b"5"):  # Whatever the header declares, nothing follows it.
            size = 0
        regular = kind in _REGULAR and "GNU.sparse.realsize" not in known
        is_used = regular and size <= max_content
        content = _read_content(stream, size) if is_used else _pass_over(stream, size)
        kind_name = "" if regular else _KINDS.get(kind, f"of unknown kind {kind!r}")
        yield Member(name.decode("utf-8", "surrogateescape"), size, kind_name, content)
    while rest := stream.read(_CHUNK):  # To the end, where gzip has the checksum.
        if rest.strip(b"\0"):
            raise TarError("data follows its end, as in joined archives")


def _read(stream: BinaryIO, count: int, where: str) -> bytes:
    data = stream.read(count)
    while len(data) < count:
        more = stream.read(count - len(data))
        if not more:
            raise TarError(f"it ends {where}")
        data += more
    return data


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _read_content(stream: BinaryIO, size: int) -> bytes:
    return _read(stream, _padded(size), "within a member")[:size]


def _pass_over(stream: BinaryIO, size: int) -> None:
    left = _padded(size)
    while left:
        data = stream.read(min(left, _CHUNK))
        if not data:
            raise TarError("it ends within a member")
        left -= len(data)


def _checksum_is_right(header: bytes) -> bool:
    """The sum of all bytes, with spaces in place of the checksum itself."""
    try:
        return sum(header) - sum(header[148:156]) + 8 * 32 == _number(header[148:156])
    except TarError:
        return False


def _number(field: bytes) -> int:
    """Octal digits; or, in GNU's form for large numbers, binary after a byte of 0x80."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip()
    try:
        value = int(digits or b"0", 8)
    except ValueError as error:
        raise TarError(f"a header says {field!r} instead of a number") from error
    if value < 0:
        raise TarError("a negative size")
    return value


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0]
    # GNU's older dialect has times where POSIX has the prefix; its magic differs.
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _pax_records(data: bytes) -> dict[str, bytes]:
    """Records are "LENGTH KEY=VALUE\n", the length that of the whole record."""
    records, position = {}, 0
    while position < len(data):
        length, space, _ = data[position : position + 20].partition(b" ")
        try:
            end = position + int(length)
        except ValueError as error:
            raise TarError("an extension header that is not a list of records") from error
        record = data[position + len(length) + 1 : end - 1]
        key, equals, value = record.partition(b"=")
        if not (space and equals) or end <= position or end > len(data):
            raise TarError("an extension header that is not a list of records")
        if key.decode("utf-8", "replace") in _KEYS:
            records[key.decode()] = value
        position = end
    return records
