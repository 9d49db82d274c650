"""The complete check of prepared domains, or of a source that is prepared temporarily."""

import contextlib
import io
import itertools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_prep.check.contact_sheet import draw_contact_sheet
from data_prep.check.examination import Examination, examine, finding_of
from data_prep.check.findings import LEVELS, Finding, ranked
from data_prep.errors import PreparationError
from data_prep.prepared import PreparedDomain, open_domain, prepared_domains

# Share of images from which on two domains are said to hold the same ones.
_SHARED = 0.05


def check_prepared(
    data_dir: Path, names: list[str], size: int, sheet: Path | None, as_json: bool
) -> str | None:
    """Examines prepared domains, prints the report and draws the contact sheet.

    Args:
      data_dir: Folder of prepared domains.
      names: Which; all if there are none.
      size: The size at which they are prepared.
      sheet: File of the contact sheet; None for none.
      as_json: Whether to print the report as JSON.

    Returns:
      The worst level found, or None.

    Raises:
      PreparationError: if nothing is prepared there.
    """
    requested = names or prepared_domains(data_dir, size)
    if not requested:
        raise PreparationError(
            f"no domain is prepared at {size} pixels in {data_dir}. Give --image_size, or check a "
            "source that is not prepared, by --archive=FILE or --images=DIR."
        )
    return _report(data_dir, requested, [], size, sheet, as_json)


def check_source(
    prepare: Callable[[Path], None],
    source: str,
    size: int,
    sheet: Path | None,
    as_json: bool,
    needs_validation: bool = True,
) -> str | None:
    """Checks a source that is not prepared: it is prepared in a temporary folder.

    Args:
      prepare: Prepares it in a folder.
      source: Its name in the report.
      size, sheet, as_json: As in `check_prepared`.
      needs_validation: Whether it should come with validation images.
    """
    failed = []
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    prepare(folder)
            except PreparationError as error:
                failed.append(finding_of(error, source))
            names = prepared_domains(folder, size)
            return _report(folder, names, failed, size, sheet, as_json, needs_validation)
    except BrokenPipeError:  # Of the printed report.
        raise
    except OSError as error:
        raise PreparationError(f"cannot work in {tempfile.gettempdir()}: {error}") from error


def _report(
    data_dir: Path,
    names: list[str],
    findings: list[Finding],
    size: int,
    sheet: Path | None,
    as_json: bool,
    needs_validation: bool = True,
) -> str | None:
    domains, examined = {}, {}
    for name in names:
        try:
            domains[name] = open_domain(data_dir, name, size)
            examined[name] = examine(domains[name], needs_validation)
            findings = findings + examined[name].findings
        except PreparationError as error:
            findings = [*findings, finding_of(error, name)]
    findings = ranked(findings + _same_images(examined))
    if sheet and examined:
        try:
            draw_contact_sheet(_rows(domains, examined), sheet)
        except OSError as error:
            raise PreparationError(f"cannot write {sheet}: {error}") from error
    if as_json:
        report = {
            "domains": {name: examination.summary for name, examination in examined.items()},
            "findings": [finding.__dict__ for finding in findings],
            "contact_sheet": str(sheet) if sheet and examined else None,
        }
        print(json.dumps(report, indent=1))
    else:
        _print(examined, findings, sheet if examined else None)
    return findings[0].level if findings else None


def _same_images(examined: dict[str, Examination]) -> list[Finding]:
    """Findings of domains that hold the same images."""
    found = []
    for one, other in itertools.combinations(examined, 2):
        digests = examined[one].digests, examined[other].digests
        shared = len(digests[0] & digests[1])
        if shared > _SHARED * min(map(len, digests)):
            found.append(
                Finding(
                    "warning",
                    f"{one} and {other}",
                    f"the same images: {shared} are in both",
                    "do not train a translation between them.",
                    (),
                )
            )
    return found


def _rows(domains: dict[str, PreparedDomain], examined: dict[str, Examination]) -> dict:
    rows = {}
    for name, domain in domains.items():
        if name in examined:
            rows |= {f"{name} {split}": domain.images(split) for split in domain.names}
    for name, examination in examined.items():
        images = {split: domains[name].images(split) for split in domains[name].names}
        for label, indices in examination.shown.items():
            rows[f"{label} ({len(indices)})"] = np.stack(
                [images[split][index] for split, index in indices[:64]]
            )
    return rows


def _print(examined: dict[str, Examination], findings: list[Finding], sheet: Path | None) -> None:
    for name, examination in examined.items():
        summary = examination.summary
        counts = ", ".join(f"{count:,} {split}" for split, count in summary["counts"].items())
        sizes = list(summary["source_sizes"])
        kinds = f"{len(sizes)} sizes, most often {sizes[0]}" if len(sizes) > 1 else "".join(sizes)
        print(f"{name}: {counts}; {summary['image_size']} pixels, from {kinds}")
        for split, values in summary["values"].items():
            mean, deviation = (
                " ".join(f"{v:.0f}" for v in values[key]) for key in ("mean", "deviation")
            )
            print(
                f"  {split}: red, green, blue on average {mean}, deviation {deviation} (of 0 to "
                "255)"
            )
    print()
    for finding in findings:
        print(f"{finding.level.upper()}  {finding.domain}: {finding.text}.")
        print(f"  To do: {finding.remedy}")
        for example in finding.examples:
            print(f"    {example}")
    totals = ", ".join(f"{level}s: {sum(f.level == level for f in findings)}" for level in LEVELS)
    print(f"\n{totals}." + (f" Contact sheet: {sheet}" if sheet else ""))
