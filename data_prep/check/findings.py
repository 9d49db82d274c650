"""What the doctor says, and how bad it is."""

import dataclasses

# From the worst. An error spoils training; a warning may; a note is to be known.
LEVELS = ("error", "warning", "note")


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something about a domain.

    Attributes:
      level: One of `LEVELS`.
      domain: Name of the domain or source, with the split where it is of one.
      text: What was seen, with the number of images.
      remedy: What to do.
      examples: Names of a few images.
    """

    level: str
    domain: str
    text: str
    remedy: str
    examples: tuple[str, ...] = ()


def ranked(findings: list[Finding]) -> list[Finding]:
    """The worst first; alike in order."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
