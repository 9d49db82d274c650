"""Files that belong together, sealed by a manifest: whole when it is there and right, else not to be used.

The files of a checkpoint are flushed to the disk, then a manifest with the size and digest of each, then
its name is put in place. A crash at any moment leaves files without a manifest, which count for nothing,
or a sealed checkpoint.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_SUFFIX = ".manifest"
# What a manifest is called while it is written.
_UNFINISHED = ".part"


def seal(prefix: Path) -> None:
    """Seals the files `PREFIX.*`.

    Raises:
      OSError: if the disk does not take them.
    """
    files = {}
    for path in _files(prefix):
        with path.open("rb") as file:
            files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(file)}
            os.fsync(file.fileno())
    write_durably(_manifest(prefix), json.dumps({"files": files}, indent=1) + "\n")


def unseal(prefix: Path) -> None:
    """Takes the manifest away, before its files are changed or removed; also one that a crash left half."""
    for manifest in (_manifest(prefix), _unfinished(_manifest(prefix))):
        manifest.unlink(missing_ok=True)


def remove(prefix: Path) -> None:
    """Removes a checkpoint, its manifest first."""
    unseal(prefix)
    for path in _files(prefix):
        path.unlink(missing_ok=True)


def remove_all_but(folder: Path, steps: Iterable[int]) -> None:
    """Removes from a folder what is not a file of these steps' checkpoints: older ones, and what a crash
    while saving left, such as the folder that TensorFlow gathers the parts of a checkpoint in.
    """
    kept = {f"step-{step}" for step in steps}
    for path in folder.glob("step-*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name.partition(".")[0] not in kept:
            path.unlink()


def sealed_steps(folder: Path) -> list[int]:
    """The steps of the sealed checkpoints `step-N` in a folder, the last first."""
    names = (
        path.name.removeprefix("step-").removesuffix(_SUFFIX) for path in folder.glob(f"step-*{_SUFFIX}")
    )
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def damage(prefix: Path) -> str:
    """What is wrong with a sealed checkpoint; "" if it is whole."""
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
        return "it was never finished"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{_manifest(prefix).name} cannot be read ({error})"
    return ""


def write_durably(path: Path, text: str) -> None:
    """Writes a small file: when it has its name, it is on the disk, whole.

    Raises:
      OSError: if the disk does not take it.
    """
    temporary = _unfinished(path)
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


def _unfinished(path: Path) -> Path:
    return path.with_name(path.name + _UNFINISHED)


def _files(prefix: Path) -> list[Path]:
    found = prefix.parent.glob(prefix.name + ".*")
    return sorted(path for path in found if path.suffix != _SUFFIX and path.is_file())


def _digest(file) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()
