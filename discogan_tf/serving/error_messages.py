"""TensorFlow's error messages without the lines that say where in the graph the error was."""

import re


def plain_reason(message: str) -> str:
    """One line of the message of an InvalidArgumentError, as a server sends it to its clients.

    >>> plain_reason("Graph execution error:\\nassertion failed: [images: too dark]\\n\\t [[x]]")
    'images: too dark'
    >>> plain_reason("Invalid PNG data, size 7\\n\\t [[{{node x}}]]")
    'Invalid PNG data, size 7'
    """
    if stated := re.search(r"assertion failed: \[(.*)\]", message):
        return stated.group(1)
    lines = message.partition("\n\t [[")[0].strip().splitlines()
    return lines[-1] if lines else "no reason given"
