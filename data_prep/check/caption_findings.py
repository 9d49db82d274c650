"""What is wrong with the captions of a domain."""

import collections
import unicodedata

from data_prep.check.findings import Finding

# Multiplication, fraction and minus.
_SIGNS = "\u00d7\u2044\u2212"
# A text encoder reads so many characters.
_LONGEST = 99
_SHARE_THAT_MATTERS = 0.05
_EXAMPLES = 5
_FEW_OF_A_CLASS = 5


def examine_captions(name: str, captions: dict[str, list[dict]]) -> list[Finding]:
    """Findings about the captions of a prepared domain.

    Args:
      name: Of the domain.
      captions: Split -> for each image {"captions", "type", "color", ...}.
    """
    rows = [row for of_split in captions.values() for row in of_split]
    texts = [caption for row in rows for caption in row["captions"]]
    findings = []

    def add(which: list[str], text: str, remedy: str) -> None:
        if which:
            level = "warning" if len(which) > _SHARE_THAT_MATTERS * len(texts) else "note"
            examples = tuple(dict.fromkeys(which))[:_EXAMPLES]
            text = f"{text}: {len(which)} of {len(texts)} captions"
            findings.append(Finding(level, name, text, remedy, examples))

    add(
        [text for text in texts if len(text) > _LONGEST],
        f"longer than {_LONGEST} characters",
        "put what is visible first: the rest is not read.",
    )
    add(
        [text for text in texts if not _is_readable(text)],
        "in another script, or with signs that are not read",
        "transliterate them: the text encoder knows Latin letters, digits and punctuation.",
    )
    classes = collections.defaultdict(set)
    for row in rows:
        for caption in row["captions"]:
            classes[caption.lower()].add((row["type"], row["color"]))
    add(
        [text for text in texts if len(classes[text.lower()]) > 1],
        "the same for images of several types or colors",
        "add what distinguishes them, for example with --template: such a caption cannot say what "
        "to generate.",
    )
    counts = collections.Counter((row["type"], row["color"]) for row in rows)
    if all(not kind or not color for kind, color in counts):
        findings.append(
            Finding(
                "note", name, "no types and colors",
                "name their columns with --type_column and --color_column: every other image then "
                "counts as a mismatch of a caption, even one that it describes.",
                (),
            )
        )  # fmt: skip
    elif few := [f"{k} {c}: {n}" for (k, c), n in counts.items() if n < _FEW_OF_A_CLASS]:
        findings.append(
            Finding(
                "note", name,
                f"combinations of type and color of fewer than {_FEW_OF_A_CLASS} images: "
                f"{len(few)} of {len(counts)}",
                "nothing, if they are rare; merge types or colors if they mean the same.",
                tuple(few[:_EXAMPLES]),
            )
        )  # fmt: skip
    return findings


def _is_readable(caption: str) -> bool:
    """Whether all but accents is ASCII, or typographic punctuation and signs."""
    parts = unicodedata.normalize("NFKD", caption)
    return all(
        c.isascii()
        or c in _SIGNS
        or unicodedata.combining(c)
        or unicodedata.category(c) in ("Pd", "Pi", "Pf")
        for c in parts
    )
