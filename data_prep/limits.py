"""Resource limits, and the list of skipped files."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """Bounds on what is read. The largest pix2pix archive, 8 GB of 140,000 pairs, is far within.

    Attributes:
      max_bytes: Bytes of an unpacked archive, against gzip bombs.
      max_members: Files, folders and links in an archive, or files in a folder.
      max_image_bytes: Bytes of one image file.
      max_pixels: Pixels of one image as its header declares them, against decompression bombs.
    """

    max_bytes: int = 256 << 30
    max_members: int = 5_000_000
    max_image_bytes: int = 64 << 20
    max_pixels: int = 64_000_000


_SHOWN = 300


class LeftOut:
    """Every file that was not used, and why."""

    def __init__(self):
        self.lines: list[str] = []

    def add(self, name: str, reason: str) -> None:
        shown = printable(name)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}... ({len(shown):,} characters)"
        self.lines.append(f"{shown}: {reason}")

    def __len__(self) -> int:
        return len(self.lines)


def printable(name: str) -> str:
    """A file's name for a terminal: on one line, with bytes that are not UTF-8 escaped."""
    if name.isascii() and name.isprintable():
        return name
    try:
        text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # Half of a pair of surrogates, as a cut JSON string may have.
        text = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
