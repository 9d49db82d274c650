"""TensorFlow without its chatter."""

import os

from absl import logging


def quiet_libraries() -> None:
    """Imports TensorFlow without its chatter about what this machine lacks; errors later still show.

    To be called before anything else imports TensorFlow. With TF_CPP_MIN_LOG_LEVEL set, to 0 for
    all of it, TensorFlow says what it likes: the thing to do where a GPU is not found.
    """
    logging.set_verbosity(logging.ERROR)
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    # Its first lines come before it reads any setting, straight to the process's error stream.
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
