"""One training process for a workdir at a time."""

import datetime
import fcntl
import os
import socket
from pathlib import Path

from discogan_tf.errors import ConfigError

_NAME = "lock"


class WorkdirLock:
    """A context manager that locks a workdir until the process ends, however it ends.

    The operating system's own lock on a file: a crash leaves nothing to clean up. It makes the
    workdir if there is none.

    Args:
      workdir: Folder of the run.
    """

    def __init__(self, workdir: Path):
        self._workdir = workdir

    def __enter__(self):
        """Takes the lock.

        Raises:
          ConfigError: if another process has it, naming that, or if the folder cannot be written.
        """
        path = self._workdir / _NAME
        try:
            self._workdir.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+")
        except OSError as error:
            raise ConfigError(f"--workdir={self._workdir} cannot be written: {error}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise ConfigError(
                f"{self._workdir} is in use by {holder}. Wait for it, stop it, or use another "
                "--workdir"
            ) from error
        self._file.truncate(0)
        started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}, since {started}\n")
        self._file.flush()
        return self

    def __exit__(self, *unused):
        self._file.truncate(0)
        self._file.close()
