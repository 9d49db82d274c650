"""Errors that a user can fix. Every message says what to do next."""


class DiscoganError(Exception):
    """Base of the errors that an entry point prints without a traceback."""


class ConfigError(DiscoganError):
    """A setting is out of range, or differs from those of the run being resumed."""


class DataError(DiscoganError):
    """A domain is missing, empty or has another format."""


class CheckpointError(DiscoganError):
    """A checkpoint is missing, corrupt, cannot be written, or does not fit the networks."""


class ExportError(DiscoganError):
    """An export is missing or corrupt, or its outputs differ from the trained network's."""


class ServingError(DiscoganError):
    """A server of exported translations cannot be reached, or refuses a request."""


class RefusedError(ServingError):
    """A server refuses one request, for what is in it. Others may succeed."""


class NonFiniteLossError(DiscoganError):
    """A loss or gradient became NaN or infinite, or a weight did.

    Attributes:
      step: Number of the step.
    """

    def __init__(self, message: str, step: int):
        super().__init__(message)
        self.step = step


class WorkerLostError(DiscoganError):
    """Another worker is lost, without which training cannot continue."""
