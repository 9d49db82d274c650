"""Temporary folders for atomic writes, which are removed on failure."""

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from data_prep.prepared import INCOMPLETE

_LOCK = "in_work"
# Within this time a new folder may not have its lock yet.
_GRACE_SECS = 60


@contextlib.contextmanager
def unfinished_folder(data_dir: Path, name: str) -> Iterator[Path]:
    """A new folder in `data_dir`, removed at the end unless renamed.

    It holds a file that this process has locked. The system unlocks it when the process ends, so
    that a later process can remove the folder if this one is killed.

    Args:
      data_dir: An existing folder.
      name: What it is for.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{INCOMPLETE}.{name}.", dir=data_dir))
    try:
        with (folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def finish(folder: Path, target: Path) -> None:
    """Renames a folder of `unfinished_folder` to its target, which it replaces."""
    (folder / _LOCK).unlink()
    folder.chmod(0o755)  # Temporary folders are accessible to their owner only.
    with tempfile.TemporaryDirectory(prefix=f"{INCOMPLETE}.", dir=folder.parent) as before:
        if target.exists():
            target.rename(Path(before) / target.name)
        folder.rename(target)


def remove_leftovers(data_dir: Path) -> None:
    """Removes unfinished folders whose process has ended without removing them."""
    for folder in data_dir.glob(f"{INCOMPLETE}.*"):
        try:
            with (folder / _LOCK).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _GRACE_SECS:
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # In use.
