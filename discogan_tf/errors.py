"""What can go wrong in ways a user can mend. Every message says what to do next."""


class DiscoganError(Exception):
    """Base of the errors that an entry point prints without a traceback."""


class ConfigError(DiscoganError):
    """A setting is out of range, or differs from those of the run being resumed."""


class DataError(DiscoganError):
    """A domain is missing, empty or not of the expected form."""


class CheckpointError(DiscoganError):
    """A checkpoint that was asked for is missing or does not fit the networks."""


class ExportError(DiscoganError):
    """An export is missing or damaged, or does not answer as the trained network does."""


class ServingError(DiscoganError):
    """A server of exported translators cannot be reached, or refuses a request."""


class NonFiniteLossError(DiscoganError):
    """A loss or gradient became NaN or infinite; training on would only spread it. `step` is where."""

    def __init__(self, words: str, step: int):
        super().__init__(words)
        self.step = step


class WorkerLostError(DiscoganError):
    """Another worker is gone, without which none can go on."""
