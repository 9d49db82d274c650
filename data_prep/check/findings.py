"""Findings of a check, and how severe they are."""

import dataclasses

# From the most severe. An error spoils training, a warning may, a note is for information.
LEVELS = ("error", "warning", "note")


@dataclasses.dataclass(frozen=True)
class Finding:
    """A fact about a domain that its user should know.

    Attributes:
      level: One of `LEVELS`.
      domain: Name of the domain or source, with the split if it concerns one.
      text: What was found, with the number of images.
      remedy: What to do.
      examples: Names of a few images.
    """

    level: str
    domain: str
    text: str
    remedy: str
    examples: tuple[str, ...] = ()


def ranked(findings: list[Finding]) -> list[Finding]:
    """The findings, the most severe first; equal ones in their order."""
    return sorted(findings, key=lambda finding: LEVELS.index(finding.level))
