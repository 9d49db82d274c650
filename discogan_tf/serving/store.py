"""The exported translations that a server has loaded: of each, the newest version on disk."""

import contextlib
import ctypes
import gc
import logging
import threading
import time
from pathlib import Path

from discogan_tf.export import golden
from discogan_tf.export.versions import Version, identity, version_folders

_log = logging.getLogger(__name__)


class Store:
    """Keeps the newest version of each model in an export loaded.

    If the newest version cannot be loaded, is still being copied, or does not reproduce its golden
    answers, the store keeps the newest one that does. It retries a failed version when its files
    change.

    Args:
      export_dir: An export, as `export/bundle.py` describes it.

    Attributes:
      versions: Name of each model -> its loaded version.
      errors: Name of a model -> why newer versions could not be loaded.
    """

    def __init__(self, export_dir: Path):
        self._export_dir = export_dir
        # Folder -> when its files last changed, and the error at that time.
        self._failures: dict[Path, tuple[float, str]] = {}
        self._stopping = threading.Event()
        self.versions: dict[str, Version] = {}
        self.errors: dict[str, str] = {}

    def refresh(self) -> None:
        """Loads what is new on disk and drops what was removed."""
        folders = version_folders(self._export_dir)
        before = set(self.versions.values())
        for name in set(self.versions) - set(folders):
            _log.warning("%s was removed from %s", name, self._export_dir)
            del self.versions[name]
        errors = {}
        for name, versions in folders.items():
            failures = []
            for folder in reversed(versions):
                loaded = self.versions.get(name)
                if loaded is not None and loaded.identity == identity(folder):
                    break
                failure = self._load(name, folder)
                if failure is None:
                    break
                failures.append(failure)
            if failures:
                errors[name] = "; ".join(failures)
        self.errors = errors
        if before - set(self.versions.values()):
            del before
            loaded = None  # It may be the last reference to a version.
            _free_memory()

    def start(self, poll_secs: float) -> None:
        """Refreshes every `poll_secs` in the background until `stop`."""

        def poll():
            while not self._stopping.wait(poll_secs):
                try:
                    self.refresh()
                except OSError as error:  # For example a network drive that is disconnected.
                    _log.warning("cannot read %s: %s", self._export_dir, error)

        threading.Thread(target=poll, daemon=True, name="store").start()

    def stop(self) -> None:
        self._stopping.set()

    def _load(self, name: str, folder: Path) -> str | None:
        """Loads a version. Returns the error if that fails."""
        # Of a link itself, since what it points to may be gone.
        changed = max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
        known = self._failures.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        started = time.monotonic()
        try:
            version = Version(folder)
            # No client waits for the first answer, and none gets another than the network's.
            golden.replay(folder, version.run)
        except Exception as error:  # Whatever is wrong, the version before must stay.
            failure = f"version {folder.name}: {error}"
            self._failures[folder] = changed, failure
            _log.error("%s %s", name, failure)
            return failure
        self.versions[name] = version
        seconds = time.monotonic() - started
        _log.info("%s: version %d ready after %.1f s", name, version.number, seconds)
        return None


def _free_memory() -> None:
    """Returns the memory of a version that is no longer served to the system."""
    gc.collect()  # A loaded SavedModel is full of reference cycles.
    with contextlib.suppress(OSError, AttributeError):  # Only glibc has it.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
