"""Checkpoints that are complete only with a manifest, which lists their files with size and digest.

The files of a checkpoint are flushed to disk. Then the manifest is written under a temporary name
and renamed. A crash at any moment leaves either a complete checkpoint or files without a manifest,
which do not count. A file that changes later does not match the manifest: the checkpoint is
corrupt.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = ".manifest"
# Suffix of a file while it is written.
_PARTIAL = ".part"


def write_manifest(prefix: Path) -> None:
    """Flushes the files `PREFIX.*` and lists them: from then on the checkpoint is complete.

    Raises:
      OSError: if the disk cannot be written.
    """
    files = {}
    for path in _files(prefix):
        with path.open("rb") as file:
            files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(file)}
            os.fsync(file.fileno())
    write_durably(_manifest(prefix), json.dumps({"files": files}, indent=1) + "\n")


def remove_manifest(prefix: Path) -> None:
    """Removes the manifest, before its files change; also one that a crash left half-written."""
    for manifest in (_manifest(prefix), _partial(_manifest(prefix))):
        manifest.unlink(missing_ok=True)


def remove(prefix: Path) -> None:
    """Removes a checkpoint, its manifest first."""
    remove_manifest(prefix)
    for path in _files(prefix):
        path.unlink(missing_ok=True)


def remove_all_but(folder: Path, steps: Iterable[int]) -> None:
    """Removes what belongs to no checkpoint of these steps: older ones, and what a crash left.

    TensorFlow collects the parts of a checkpoint in a folder, which a crash leaves behind too.
    """
    kept = {f"step-{step}" for step in steps}
    for path in folder.glob("step-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.partition(".")[0] not in kept:
            path.unlink()


def complete_steps(folder: Path) -> list[int]:
    """The steps of the complete checkpoints `step-N` in a folder, the last first."""
    names = (
        path.name.removeprefix("step-").removesuffix(_SUFFIX)
        for path in folder.glob(f"step-*{_SUFFIX}")
    )
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def find_corruption(prefix: Path) -> str:
    """Why a checkpoint cannot be used; "" if it is complete and its files match the manifest."""
    try:
        listed = json.loads(_manifest(prefix).read_text())["files"]
        for name, expected in listed.items():
            path = prefix.with_name(name)
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != expected["bytes"]:
                return f"{name} has {path.stat().st_size:,} bytes, not {expected['bytes']:,}"
            with path.open("rb") as file:
                if _digest(file) != expected["sha256"]:
                    return f"{name} has changed since it was written"
    except FileNotFoundError:
        return "it is incomplete"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_manifest(prefix).name} cannot be read ({error})"
    return ""


def write_durably(path: Path, text: str) -> None:
    """Writes a small file: as soon as it has its name, all of it is on the disk.

    Raises:
      OSError: if the disk cannot be written.
    """
    temporary = _partial(path)
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _manifest(prefix: Path) -> Path:
    return prefix.with_name(prefix.name + _SUFFIX)


def _partial(path: Path) -> Path:
    return path.with_name(path.name + _PARTIAL)


def _files(prefix: Path) -> list[Path]:
    found = prefix.parent.glob(prefix.name + ".*")
    return sorted(path for path in found if path.suffix != _SUFFIX and path.is_file())


def _digest(file) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
