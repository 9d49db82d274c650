"""The settings of a run as text: the flagfile `config.cfg` in its workdir."""

import dataclasses

from discogan_tf.config import Config
from discogan_tf.errors import ConfigError


def to_flagfile(config: Config) -> str:
    """The text of a flagfile that reproduces `config`."""
    lines = ["# Written by train.py. To repeat: python train.py --flagfile=THIS_FILE --workdir=NEW"]
    for name, value in dataclasses.asdict(config).items():
        lines.append(f"--{name}={str(value).lower() if isinstance(value, bool) else value}")
    return "\n".join(lines) + "\n"


def from_flagfile(text: str) -> Config:
    """Reads back what `to_flagfile` wrote.

    Raises:
      ConfigError: if a line is not a setting of this version.
    """
    types = {field.name: type(field.default) for field in dataclasses.fields(Config)}
    values = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("--").partition("=")
        if not equals or name not in types:
            raise ConfigError(f"not a setting of this version: {line!r}")
        try:
            values[name] = value == "true" if types[name] is bool else types[name](value)
        except ValueError as error:
            raise ConfigError(f"not a {types[name].__name__}: {line!r}") from error
    return Config(**values)


def differing_settings(recorded: Config, requested: Config) -> list[str]:
    """Lines naming each setting that keeps `requested` from resuming the run of `recorded`."""
    fixed = {field.name for field in dataclasses.fields(Config) if not field.metadata["may_change"]}
    if recorded.learning_rate_decay_steps:
        fixed.add("num_steps")  # The steps taken so far had rates that depend on it.
    lines = []
    for field in dataclasses.fields(Config):
        has, got = getattr(recorded, field.name), getattr(requested, field.name)
        if field.name in fixed and has != got:
            why = " (its learning rate decays up to that step)" if field.name == "num_steps" else ""
            lines.append(f"--{field.name}: the run has {has}{why}, you requested {got}")
    return lines
