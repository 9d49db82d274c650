"""The exported translators that a server has loaded: of each, the newest version on disk."""

import logging
import threading
import time
from pathlib import Path

from discogan_tf.errors import ExportError
from discogan_tf.serving import golden
from discogan_tf.serving.versions import Version, identity, version_folders

_log = logging.getLogger(__name__)


class Store:
    """Looks at an export again and again, and keeps the newest version of each model loaded.

    Where that cannot be loaded, or is still being copied, it is the newest that can; the other is
    tried again once its files change.

    Args:
      export_dir: An export, as `bundle.py` describes it.
    """

    def __init__(self, export_dir: Path):
        self._export_dir = export_dir
        # Folder -> when its files last changed, and what was wrong with them then.
        self._failures: dict[Path, tuple[float, str]] = {}
        self._stopping = threading.Event()
        self.versions: dict[str, Version] = {}
        self.errors: dict[str, str] = {}

    def refresh(self) -> None:
        """Loads what is new on disk and forgets what is gone."""
        folders = version_folders(self._export_dir)
        for name in set(self.versions) - set(folders):
            _log.warning("%s is gone from %s", name, self._export_dir)
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

    def start(self, poll_secs: float) -> None:
        """Refreshes every `poll_secs` in the background until `stop`."""

        def poll():
            while not self._stopping.wait(poll_secs):
                try:
                    self.refresh()
                except OSError as error:  # A network drive that is away for a moment, say.
                    _log.warning("cannot look at %s: %s", self._export_dir, error)

        threading.Thread(target=poll, daemon=True, name="store").start()

    def stop(self) -> None:
        self._stopping.set()

    def _load(self, name: str, folder: Path) -> str | None:
        """Loads a version, and gives what is wrong with it if it cannot."""
        changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        known = self._failures.get(folder)
        if known is not None and known[0] == changed:
            return known[1]
        started = time.monotonic()
        try:
            version = Version(folder)
            _warm_up(name, folder, version)
        except Exception as error:  # Whatever is wrong with it, the version before must stay.
            failure = f"version {folder.name}: {error}"
            self._failures[folder] = changed, failure
            _log.error("%s %s", name, failure)
            return failure
        self.versions[name] = version
        _log.info("%s: version %d ready after %.1f s", name, version.number, time.monotonic() - started)
        return None


def _warm_up(name: str, folder: Path, version: Version) -> None:
    """Asks for the golden answers, so that no client waits for the first, and compares them."""
    try:
        golden.replay(folder, version.run)
    except ExportError as error:  # Another machine may round otherwise; it can serve all the same.
        _log.warning("%s version %d, golden answers: %s", name, version.number, error)
