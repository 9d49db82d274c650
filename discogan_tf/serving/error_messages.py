"""TensorFlow's error messages without the lines that say where in the graph the error was."""

import re

# Of a server's own words.
_MAX_CHARACTERS = 500


def plain_reason(message: str) -> str:
    """One line of the message of an InvalidArgumentError, as a server sends it to its clients.

    >>> plain_reason("Graph execution error:\\nassertion failed: [images: too dark]\\n\\t [[x]]")
    'images: too dark'
    >>> plain_reason("Invalid PNG data, size 7\\n\\t [[{{node x}}]]")
    'Invalid PNG data, size 7'
    """
    message = _printable(message)
    if stated := re.search(r"assertion failed: \[(.*)\]", message):
        return stated.group(1)[:_MAX_CHARACTERS]
    lines = message.partition("\n\t [[")[0].strip().splitlines()
    return lines[-1][:_MAX_CHARACTERS] if lines else "no reason given"


def _printable(message: str) -> str:
    """Without the control characters with which a server could steer a terminal."""
    lines = message[: 8 * _MAX_CHARACTERS].split("\n")
    return "\n".join("".join(c if c.isprintable() or c == "\t" else "?" for c in x) for x in lines)
