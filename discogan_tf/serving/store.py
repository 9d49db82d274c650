"""The exported translators that a server has loaded: of each, the newest version on disk."""

import logging
import threading
import time
from pathlib import Path

from discogan_tf.errors import ExportError
from discogan_tf.serving import golden
from discogan_tf.serving.versions import Version, version_folders

_log = logging.getLogger(__name__)


class Store:
    """Looks at an export again and again, and keeps the newest version of each model loaded.

    A version that cannot be loaded, or is still being copied, leaves the one before in place, and is
    tried again once its files change.

    Args:
      export_dir: An export, as `bundle.py` describes it.
    """

    def __init__(self, export_dir: Path):
        self._export_dir = export_dir
        self._failures: dict[Path, float] = {}
        self._stopping = threading.Event()
        self.versions: dict[str, Version] = {}
        self.errors: dict[str, str] = {}

    def refresh(self) -> None:
        """Loads what is new on disk and forgets what is gone."""
        folders = version_folders(self._export_dir)
        for name in set(self.versions) - set(folders):
            _log.warning("%s is gone from %s", name, self._export_dir)
            del self.versions[name]
        for name, (*_, newest) in folders.items():
            loaded = self.versions.get(name)
            if loaded is None or loaded.number != int(newest.name):
                self._load(name, newest)

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

    def _load(self, name: str, folder: Path) -> None:
        changed = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
        if self._failures.get(folder) == changed:
            return
        started = time.monotonic()
        try:
            version = Version(folder)
            _warm_up(name, folder, version)
        except Exception as error:  # Whatever is wrong with it, the version before must stay.
            self._failures[folder] = changed
            self.errors[name] = f"version {folder.name}: {error}"
            _log.error("%s %s", name, self.errors[name])
            return
        self.errors.pop(name, None)
        self.versions[name] = version
        _log.info("%s: version %d ready after %.1f s", name, version.number, time.monotonic() - started)


def _warm_up(name: str, folder: Path, version: Version) -> None:
    """Asks for the golden answers, so that no client waits for the first, and compares them."""
    try:
        golden.replay(folder, version.run)
    except ExportError as error:  # Another machine may round otherwise; it can serve all the same.
        _log.warning(
            "%s version %d answers otherwise than when it was exported: %s", name, version.number, error
        )
