"""Ctrl-C and SIGTERM as requests to stop after the current step, instead of in the middle of it."""

import signal


class StopSignals:
    """A context manager whose `signal` is None until a signal arrives, then its number.

    A second signal is not intercepted: it ends the process as it would outside.
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
        self.signal = number
        self.__exit__()
