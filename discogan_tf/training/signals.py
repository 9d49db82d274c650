"""Ctrl-C and SIGTERM as requests to stop after the current step, instead of in the middle of it."""

import os
import signal
import sys


class StopSignals:
    """A context manager whose `signal` is None until a signal arrives, then its number.

    A second signal ends the process as it would outside. Both are announced at once.
    """

    def __init__(self):
        self.signal: int | None = None

    def __enter__(self):
        self._previous = {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)
        }
        for number in self._previous:
            signal.signal(number, self._receive)
        return self

    def __exit__(self, *unused):
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _receive(self, number, frame):
        if self.signal is None:
            self.signal = number
            _announce("Stopping after this step, then saving. A second time ends without saving.")
            return
        _announce("Ended without saving: the run resumes from its last checkpoint.")
        self.__exit__()
        os.kill(os.getpid(), number)


def _announce(text: str) -> None:
    # Not by `print`, whose lock the interrupted code may hold.
    os.write(sys.__stderr__.fileno(), f"\n{text}\n".encode())
