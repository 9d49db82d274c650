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
    """Keeps the chatter of TensorFlow and its kin out of the terminal; errors still show.

    To be called before TensorFlow is imported. TF_CPP_MIN_LOG_LEVEL=0 brings TensorFlow's back.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.ERROR)
