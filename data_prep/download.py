"""Downloads an archive and resumes after interruptions."""

import dataclasses
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import requests
import urllib3
from tqdm import tqdm

from data_prep.errors import PreparationError
from data_prep.known_sets import ADDRESSES, KNOWN_SETS, UNPAIRED_ADDRESSES

_TIMEOUT_SECS = 60
# The most that a broken connection loses.
_CHUNK = 1 << 16
# How the files of each kind begin.
_MAGIC = {".gz": b"\x1f\x8b", ".zip": b"PK\x03\x04"}
# Failures in a row without new data.
_ATTEMPTS = 6
_LONGEST_WAIT_SECS = 60
# HTTP statuses that may pass.
_TRANSIENT = (408, 429, 500, 502, 503, 504)


class _PermanentError(Exception):
    """An address that does not have the file, however often it is requested."""


@dataclasses.dataclass(frozen=True)
class _Part:
    """A partial file, and beside it a note of which version of the source it belongs to."""

    file: Path

    @property
    def note(self) -> Path:
        return self.file.with_name(self.file.name + ".version")

    @property
    def magic(self) -> bytes:
        """How the complete file begins."""
        return next(magic for suffix, magic in _MAGIC.items() if f"{suffix}.part" in self.file.name)

    def size(self) -> int:
        return self.file.stat().st_size if self.file.is_file() and self.note.is_file() else 0

    def start(self, version: str) -> None:
        self.file.write_bytes(b"")
        self.note.write_text(version)

    def remove(self) -> None:
        self.file.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def download(
    name: str,
    data_dir: Path,
    sha256: str | None = None,
    addresses: tuple[str, ...] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Downloads an archive into a folder, unless it is there; continues an earlier attempt.

    It is `NAME.tar.gz` for the sets of pix2pix and `NAME.zip` for those of CycleGAN.

    Args:
      name: A name of `KNOWN_SETS` or `UNPAIRED_SETS`.
      data_dir: The folder.
      sha256: The digest that the file must have, in hexadecimal digits; None if it is unknown.
      addresses: Where to look, one after the other, with {name} in them; None for where the
        archives are known to be.
      wait: Waits so many seconds.

    Returns:
      The file's path. It has this name only when it is complete.

    Raises:
      PreparationError: if no address has the file, or its digest is wrong.
    """
    is_pairs = name in KNOWN_SETS
    addresses = addresses or (ADDRESSES if is_pairs else UNPAIRED_ADDRESSES)
    about = f" (about {KNOWN_SETS[name][2]})" if is_pairs else ""
    target = data_dir / f"{name}{'.tar.gz' if is_pairs else '.zip'}"
    if target.is_file():
        print(f"{target} is there already.")
        if sha256:
            _require_digest(target, sha256, f"Remove {target} to download it again.")
        return target
    # One for each address: the file of one cannot be continued from another.
    parts = [
        _Part(target.with_name(f"{target.name}.part{number or ''}"))
        for number in range(len(addresses))
    ]
    failures = []
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        for part, address in zip(
            parts, (address.format(name=name) for address in addresses), strict=True
        ):
            print(f"Fetching {address}{about}.")
            try:
                _fetch(address, part, wait)
                break
            except _PermanentError as error:
                failures.append(f"{address}: {error}")
                print(f"Failed: {error}.")
        else:
            raise PreparationError(
                f"{name} could not be downloaded.\n  " + "\n  ".join(failures) + "\n"
                f"Run the command again to continue. Or download {target.name} with a browser, put "
                f"it into {data_dir}/ and run it again: it is prepared from there."
            )
        digest = _require_digest(
            part.file, sha256, "The next attempt starts from the beginning.", part
        )
        part.file.replace(target)
        for part in parts:
            part.remove()
    except OSError as error:
        raise PreparationError(f"cannot write {target}: {error}. Run again to continue.") from error
    print(f"Fetched {target}: {target.stat().st_size:,} bytes, sha256 {digest}.")
    return target


def _fetch(address: str, part: _Part, wait: Callable[[float], None]) -> None:
    """Downloads until the file is complete.

    Raises:
      _PermanentError: if the address does not have it, or sends nothing for several attempts in a
        row.
    """
    attempts, delay, most = 0, 1.0, part.size()
    while True:
        try:
            _fetch_once(address, part)
            return
        except (requests.RequestException, urllib3.exceptions.HTTPError, _TransientError) as error:
            problem = error
        if part.size() > most:
            attempts, delay, most = 0, 1.0, part.size()
        attempts += 1
        if attempts == _ATTEMPTS:
            raise _PermanentError(f"{_in_short(problem)}, {_ATTEMPTS} times in a row")
        pause = max(delay, getattr(problem, "retry_after", 0.0))
        print(
            f"Interrupted ({_in_short(problem)}) at {part.size():,} bytes; next attempt in "
            f"{pause:.0f} s."
        )
        wait(pause)
        delay = min(2 * delay, _LONGEST_WAIT_SECS)


class _TransientError(Exception):
    """An answer that may be better later."""

    def __init__(self, words: str, retry_after: float = 0.0):
        super().__init__(words)
        self.retry_after = min(retry_after, _LONGEST_WAIT_SECS)


def _fetch_once(address: str, part: _Part) -> None:
    """Requests what is missing once. If the body is cut off, it raises and what arrived stays."""
    have = part.size()
    # No compression, because bytes are counted as they are sent.
    headers = {"Accept-Encoding": "identity"}
    if have:
        # "Only if it is still the same file, else all of it."
        headers |= {"Range": f"bytes={have}-", "If-Range": part.note.read_text()}
    with requests.get(address, headers=headers, stream=True, timeout=_TIMEOUT_SECS) as answer:
        if answer.status_code in _TRANSIENT:
            after = answer.headers.get("Retry-After", "")
            raise _TransientError(
                f"HTTP {answer.status_code}", float(after) if after.isdecimal() else 0.0
            )
        # Nothing is left to send: the file was complete, or it is another one.
        if answer.status_code == 416:
            whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
            if whole == str(have):
                return
            part.remove()
            raise _TransientError("the file on the server changed; the download restarts")
        if answer.status_code not in (200, 206):
            raise _PermanentError(f"HTTP {answer.status_code} {answer.reason}")
        if answer.status_code == 200:
            if answer.headers.get("Content-Type", "").startswith("text/"):
                raise _PermanentError("a page of text instead of the archive")
            version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
            have = 0
            part.start(version or "")
            if not version:
                # There is no way to tell whether a later answer is of the same file.
                part.note.unlink()
        elif answer.headers.get("Content-Range", "").split("-")[0] != f"bytes {have}":
            part.remove()
            raise _TransientError("the server sent the wrong byte range")
        length = answer.headers.get("Content-Length", "")
        expected = have + int(length) if length.isdecimal() else None
        _write(answer, part, have, expected)


def _write(answer: requests.Response, part: _Part, have: int, expected: int | None) -> None:
    bar = tqdm(
        desc=part.file.name.removesuffix(".part"),
        initial=have,
        total=expected,
        unit="B",
        unit_scale=True,
        mininterval=0.5,
        delay=1,
    )
    with bar, part.file.open("ab") as file:
        # As they are sent: a server may confuse the archive's compression with the transfer's.
        for chunk in answer.raw.stream(_CHUNK, decode_content=False):
            if file.tell() == 0 and not chunk.startswith(part.magic):
                raise _PermanentError("a file that is not an archive of this kind")
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
        if expected is not None and file.tell() != expected:
            raise _TransientError(f"{file.tell():,} of {expected:,} bytes")
        if file.tell() == 0:
            raise _PermanentError("an empty file")


def _require_digest(path: Path, sha256: str | None, remedy: str, part: _Part | None = None) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 and digest != sha256.lower():
        if part:
            part.remove()
        raise PreparationError(
            f"{path} has sha256 {digest}, not {sha256}: not the expected file. {remedy}"
        )
    return digest


def _in_short(error: Exception) -> str:
    """A network error in one line: its last cause says most."""
    while isinstance(error.__cause__ or error.__context__, Exception):
        error = error.__cause__ or error.__context__
    return str(error).splitlines()[0] if str(error) else type(error).__name__
