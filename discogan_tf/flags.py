"""Command-line flags: one per field of `Config`. Only entry points call this."""

import dataclasses
import os
import sys

from absl import flags, logging

from discogan_tf.config import Config

_DEFINERS = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_training_flags() -> None:
    """Defines a flag for every setting of a run, and lists it in the program's own `--help`."""
    for field in dataclasses.fields(Config):
        help_text, choices = field.metadata["help"], field.metadata["choices"]
        if choices:
            flags.DEFINE_enum(field.name, field.default, choices, help_text)
        else:
            _DEFINERS[type(field.default)](field.name, field.default, help_text)
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[field.name])


def config_from_flags() -> Config:
    """The settings given on the command line and in flagfiles.

    Raises:
      ConfigError: if one is out of range.
    """
    return Config(**{field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Config)})


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
