"""How settings are declared: a default, help, and what values are allowed."""

import dataclasses
from collections.abc import Callable
from typing import Any


def setting(
    default: Any,
    help: str,  # noqa: A002 - reads as the flag's help where it is used.
    *,
    choices: tuple[str, ...] | None = None,
    check: tuple[Callable[[Any], bool], str] | None = None,
    may_change: bool = False,
) -> Any:
    """A field with what flags and validation need to know of it.

    Args:
      default: Default value; its type is the type of the flag.
      help: For `--help`.
      choices: The values allowed, for an enumeration.
      check: A predicate on the value, and the words that say what it requires.
      may_change: Whether a resumed run may have another value than the run had before: true only
        for settings that no weight depends on, except for its last bits.
    """
    metadata = {"help": help, "choices": choices, "check": check, "may_change": may_change}
    return dataclasses.field(default=default, metadata=metadata)


POSITIVE = (lambda value: value > 0, "must be greater than 0")
NOT_NEGATIVE = (lambda value: value >= 0, "must be 0 or greater")
FRACTION = (lambda value: 0 <= value < 1, "must be in [0, 1)")
NOT_EMPTY = (lambda value: bool(value.strip()), "must not be empty")
