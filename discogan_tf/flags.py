"""Command-line flags: one per field of `Config`. Only entry points import this."""

import dataclasses
import sys

from absl import flags

from discogan_tf.config import Config

_DEFINERS = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    str: flags.DEFINE_string,
}


def define_training_flags() -> None:
    """Defines a flag for every setting of a run, and lists it in the program's `--help`."""
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
    return Config(
        **{field.name: flags.FLAGS[field.name].value for field in dataclasses.fields(Config)}
    )
