"""How commands start, without TensorFlow's start-up logs, and end on an error."""

import contextlib
import io
import os
import signal
import sys

from absl import logging

from discogan_tf.errors import DiscoganError


@contextlib.contextmanager
def exit_on_errors():
    """Ends the program with a message on an error that a user can fix, and with 130 on Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names of files need not be text.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        yield
    except (DiscoganError, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def silence_startup_logs() -> None:
    """Imports TensorFlow without its logs about what this machine lacks; later errors still appear.

    Call it before anything else imports TensorFlow. If TF_CPP_MIN_LOG_LEVEL is set, TensorFlow logs
    what that says: 0 helps where a GPU is not found.
    """
    logging.set_verbosity(logging.ERROR)
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    # The first lines come before TensorFlow reads any setting, straight to the process's error
    # stream.
    stream = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        import tensorflow as tf

        tf.config.list_physical_devices()
    finally:
        os.dup2(stream, 2)
        os.close(stream)
        os.close(silence)
