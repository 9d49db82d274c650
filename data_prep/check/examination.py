"""The examination of one domain."""

import dataclasses
import re

import numpy as np

from data_prep.check import duplicates
from data_prep.check.caption_findings import examine_captions
from data_prep.check.findings import Finding
from data_prep.check.measurements import Measurements, measure
from data_prep.errors import PreparationError
from data_prep.prepared import PreparedDomain

# In steps of 8 bits.
_BLANK = 2.0
_GRAY = 4
_COLORLESS = 2.0
# Share of the height.
_CUT = 0.1
_FEW, _VERY_FEW, _FEW_HELD_OUT = 500, 100, 50
_MANY_LEFT_OUT = 0.05
_CROPPED, _MUCH_CROPPED = 0.02, 0.1
_SHARE_THAT_MATTERS = 0.05
_EXAMPLES = 5
# The reasons for leaving an image out that mean it is unreadable.
_UNREADABLE = re.compile(
    r": (cannot be decoded|an empty file|.*pixels|.*max_|\[Errno|a folder that cannot"
    r"|.*if this is a HEIC|a JPEG of more than)"
)


@dataclasses.dataclass(frozen=True)
class Examination:
    """Results of an examination.

    Attributes:
      summary: For programs: counts, sizes, value statistics, numbers of findings.
      findings: In no order.
      shown: Label -> images as (split, index), for the contact sheet.
      digests: Of the training images.
    """

    summary: dict
    findings: list[Finding]
    shown: dict[str, list[tuple[str, int]]]
    digests: frozenset


def examine(domain: PreparedDomain, needs_validation: bool = True) -> Examination:
    """Examines every image of a domain.

    Args:
      domain: The domain.
      needs_validation: Whether it is a finding that there are no validation images.
    """
    measured = {split: measure(domain, split) for split in domain.names}
    found = _Findings(domain)
    _check_source(found)
    _check_framing(found)
    _check_counts(found, needs_validation)
    for split, measurements in measured.items():
        _check_images(found, split, measurements)
        _check_duplicates(found, split, measurements)
    if len(measured) == 2:
        _check_leakage(found, measured["train"], measured["val"])
    _check_half(found, measured)
    if domain.captions:
        found.findings += examine_captions(domain.name, domain.captions)
    summary = {
        "counts": {split: len(names) for split, names in domain.names.items()},
        "image_size": domain.size,
        "source_sizes": domain.preparation.get("source_sizes", {}),
        "left_out": len(domain.preparation["left_out"]),
        "fingerprints": domain.preparation["fingerprints"],
        "values": {
            split: {
                "mean": [round(float(value), 2) for value in measurements.mean],
                "deviation": [round(float(value), 2) for value in measurements.deviation],
            }
            for split, measurements in measured.items()
        },
        **found.numbers,
    }
    digests = frozenset(measured["train"].digests)
    return Examination(summary, found.findings, found.shown, digests)


class _Findings:
    """The findings so far."""

    def __init__(self, domain: PreparedDomain):
        self.domain = domain
        self.findings: list[Finding] = []
        self.numbers: dict[str, dict[str, int]] = {}
        self.shown: dict[str, list[tuple[str, int]]] = {}

    def add(self, level: str, where: str, text: str, remedy: str, examples=()) -> None:
        name = f"{self.domain.name} {where}".strip()
        self.findings.append(Finding(level, name, text, remedy, tuple(examples)[:_EXAMPLES]))

    def count(self, kind: str, split: str, number: int) -> None:
        self.numbers.setdefault(kind, {})[split] = number

    def images(
        self, key: str, split: str, which: np.ndarray, level: str, text: str, remedy: str
    ) -> None:
        """Counts, reports and shows images of a split.

        Args:
          key: Their name for programs.
          split: Of the domain.
          which: bool [n], which of the split's images they are.
          level: How severe it is that there are some; "" if it is not.
          text: What they are.
          remedy: What to do about them.
        """
        indices = np.flatnonzero(which)
        self.count(key, split, len(indices))
        if len(indices) and level:
            self.add(
                level, split, f"{text}: {len(indices)} of {len(which)} images", remedy,
                self.names(split, indices),
            )  # fmt: skip
            self.show(
                f"{text.partition(',')[0]}, {split}", [(split, int(index)) for index in indices]
            )

    def names(self, split: str, indices) -> list[str]:
        return [self.domain.names[split][index] for index in indices[:_EXAMPLES]]

    def show(self, label: str, indices: list[tuple[str, int]]) -> None:
        self.shown[f"{self.domain.name}: {label}"] = indices


def _check_source(found: _Findings) -> None:
    preparation = found.domain.preparation
    left_out, used = preparation["left_out"], sum(preparation["counts"].values())
    unreadable = [line for line in left_out if _UNREADABLE.search(line)]
    found.numbers["unreadable"] = {"source": len(unreadable)}
    if unreadable:
        many = len(unreadable) > _MANY_LEFT_OUT * (used + len(unreadable))
        found.add(
            "error" if many else "warning", "",
            f"unreadable, corrupt or unsupported: {len(unreadable)} source files were skipped",
            "download or save them again, or remove them; preparation.json lists all.",
            unreadable,
        )  # fmt: skip
    if len(left_out) > len(unreadable):
        found.add(
            "note",
            "",
            f"not used: {len(left_out) - len(unreadable)} other files of the source",
            "nothing, if that was intended.",
            [line for line in left_out if line not in set(unreadable)],
        )
    # With padding the longer side gets the domain's size, and the other shrinks as much.
    deciding = max if preparation.get("fit") == "pad" else min
    smaller = {
        size: count
        for size, count in preparation.get("source_sizes", {}).items()
        if deciding(map(int, size.split("x"))) < found.domain.size
    }
    if smaller:
        share = sum(smaller.values()) / used
        found.add(
            "warning" if share > _SHARE_THAT_MATTERS else "note", "",
            f"enlarged, which blurs: {sum(smaller.values())} of {used} images, smaller than "
            f"{found.domain.size} pixels",
            "train at a smaller --image_size, or find larger images.",
            [f"{count} of {size}" for size, count in smaller.items()],
        )  # fmt: skip


def _check_framing(found: _Findings) -> None:
    """Says what cropping has cut off."""
    preparation = found.domain.preparation
    sizes = {
        tuple(map(int, size.split("x"))): count
        for size, count in preparation.get("source_sizes", {}).items()
    }
    if preparation.get("fit") != "crop" or not sizes:
        return
    lost = sum(count * (1 - min(size) / max(size)) for size, count in sizes.items())
    lost /= sum(sizes.values())
    if lost > _CROPPED:
        found.add(
            "warning" if lost > _MUCH_CROPPED else "note", "",
            f"cropped to the square in the middle: {lost:.0%} of the images' area is lost",
            "look at the contact sheet. If it cuts things off, prepare the domain again with "
            "--fit=pad --force.",
        )  # fmt: skip


def _check_counts(found: _Findings, needs_validation: bool) -> None:
    counts = {split: len(names) for split, names in found.domain.names.items()}
    if counts["train"] < _FEW:
        few = counts["train"] < _VERY_FEW
        found.add(
            "warning" if few else "note", "train", f"few images: {counts['train']}",
            "expect the network to memorize them; --flip augments them if mirrored images are "
            "plausible.",
        )  # fmt: skip
    if "val" not in counts and needs_validation:
        found.add(
            "warning", "", "no validation images",
            "provide some with --val_share or --val_images: without, a run cannot be evaluated.",
        )  # fmt: skip
    elif counts.get("val", _FEW_HELD_OUT) < _FEW_HELD_OUT:
        found.add(
            "note", "val", f"few images: {counts['val']}", "metrics will have wide intervals."
        )


def _check_images(found: _Findings, split: str, measured: Measurements) -> None:
    total = len(measured.contrast)
    found.count("corrupt", split, len(measured.corrupt))
    if measured.corrupt:
        found.add(
            "error", split, f"changed on disk: {len(measured.corrupt)} of {total} prepared images",
            "remove the domain's folder and prepare it again; check the disk.",
            found.names(split, measured.corrupt),
        )  # fmt: skip
    blank = measured.contrast < _BLANK
    found.images(
        "blank", split, blank, "warning", "blank, of one color",
        "remove them from the source: a translator only learns to generate blank images from them.",
    )  # fmt: skip
    cut = (measured.cut_rows >= _CUT * found.domain.size) & ~blank
    found.images(
        "cut", split, cut, "warning", "cut off, the lower part plain gray",
        "find the complete files or remove them: each was saved from a truncated file.",
    )  # fmt: skip
    gray = (measured.most_color <= _GRAY) & ~blank
    level = "warning" if gray.sum() > _SHARE_THAT_MATTERS * total else "note"
    found.images(
        "gray", split, gray, "" if _is_drawing(found.domain) else level, "no color at all",
        "nothing, if the objects are black, gray or white. Black-and-white photos teach the "
        "translator to lose color.",
    )  # fmt: skip


def _check_duplicates(found: _Findings, split: str, measured: Measurements) -> None:
    groups = duplicates.groups_of_identical(measured.digests)
    surplus = sum(len(group) - 1 for group in groups)
    found.count("identical", split, surplus)
    if surplus:
        found.add(
            "warning" if surplus > _SHARE_THAT_MATTERS * len(measured.digests) else "note", split,
            f"identical, pixel for pixel: {surplus} of {len(measured.digests)} images",
            "remove them from the source: duplicates count twice in training.",
            [" = ".join(found.names(split, group)) for group in groups[:_EXAMPLES]],
        )  # fmt: skip
        found.show(f"identical, {split}", [(split, index) for group in groups for index in group])
    chosen = _compared(measured)
    images = found.domain.images(split)
    near = duplicates.near_pairs(
        measured.small[chosen], None, lambda i: images[chosen[i]], lambda j: images[chosen[j]]
    )
    pairs = [(chosen[i], chosen[j]) for i, j in near]
    found.count("near_duplicates", split, len(pairs))
    if pairs:
        found.add(
            "warning" if len(pairs) > _SHARE_THAT_MATTERS * len(chosen) else "note",
            split,
            f"nearly identical to another: {len(pairs)} of {len(chosen)} images",
            "look at the contact sheet: copies that were scaled or saved again count twice.",
            [" ~ ".join(found.names(split, pair)) for pair in pairs[:_EXAMPLES]],
        )
        found.show(
            f"near duplicates, {split}", [(split, int(index)) for pair in pairs for index in pair]
        )


def _check_leakage(found: _Findings, train: Measurements, val: Measurements) -> None:
    known = set(train.digests)
    same = [index for index, digest in enumerate(val.digests) if digest in known]
    found.count("identical", "val and train", len(same))
    remedy = (
        "keep them in one split, otherwise metrics are too optimistic: `data_prep folder "
        "--val_share` does that."
    )
    if same:
        found.add(
            "warning",
            "val",
            f"data leakage: {len(same)} of {len(val.digests)} images are also training images",
            remedy,
            found.names("val", same),
        )
        found.show("in both splits", [("val", index) for index in same])
    chosen_val, chosen_train = _compared(val), _compared(train)
    images = {split: found.domain.images(split) for split in ("train", "val")}
    near = duplicates.near_pairs(
        val.small[chosen_val], train.small[chosen_train],
        lambda i: images["val"][chosen_val[i]], lambda j: images["train"][chosen_train[j]],
    )  # fmt: skip
    pairs = [
        (chosen_val[i], chosen_train[j]) for i, j in near if val.digests[chosen_val[i]] not in known
    ]
    found.count("near_duplicates", "val and train", len(pairs))
    if pairs:
        found.add(
            "warning" if len(pairs) > _SHARE_THAT_MATTERS * len(chosen_val) else "note",
            "val",
            f"nearly identical to a training image: {len(pairs)} of {len(chosen_val)} validation "
            "images",
            "look at the contact sheet: metrics on them are too optimistic (data leakage).",
            [
                " ~ ".join(found.names("val", [i]) + found.names("train", [j]))
                for i, j in pairs[:_EXAMPLES]
            ],
        )
        shown = [index for i, j in pairs for index in (("val", int(i)), ("train", int(j)))]
        found.show("near duplicates, val and train", shown)


def _check_half(found: _Findings, measured: dict[str, Measurements]) -> None:
    """Checks that a half of a pix2pix archive is the half that its name says."""
    half = found.domain.preparation.get("half")
    if half not in ("photo", "edges") or found.domain.preparation.get("drawing") != "edges":
        return
    colorless = float((measured["train"].color < _COLORLESS).mean())
    wrong = colorless > 0.8 if half == "photo" else colorless < 0.2
    if wrong and (half == "photo" or not found.domain.preparation.get("thickened")):
        side = found.domain.preparation["photo_side"]
        other = {"left": "right", "right": "left"}[side]
        has = "no color" if half == "photo" else "color"
        found.add(
            "error", "",
            f"the {half} half has {has}: the archive is mirrored, or was prepared as if it were "
            f"(--photo_side={side})",
            f"remove the domain's folder and prepare the archive with --photo_side={other}.",
        )  # fmt: skip


def _is_drawing(domain: PreparedDomain) -> bool:
    return domain.preparation.get("half", "photo") != "photo"


def _compared(measured: Measurements) -> np.ndarray:
    """Indices of the images to compare: all but blank ones, evenly spaced if there are many."""
    indices = np.flatnonzero(measured.contrast >= _BLANK)
    return indices[
        np.linspace(0, len(indices) - 1, min(len(indices), duplicates.MOST_COMPARED)).astype(int)
    ]


def finding_of(error: PreparationError, source: str) -> Finding:
    """The finding for a source that cannot be prepared at all."""
    text, _, remedy = str(error).partition(" Nothing was prepared from it. ")
    return Finding("error", source, text.rstrip("."), remedy or "fix that and check again.")
