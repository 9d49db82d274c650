"""Reports of metrics as text and tables. Reports are as `evaluated_run.measure` returns them."""

import statistics


def cells(report: dict) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: one row per metric, one column per direction."""
    directions = report["directions"]
    rows = []
    for metric in dict.fromkeys(metric for found in directions.values() for metric in found):
        entries = [found.get(metric) for found in directions.values()]
        known = [entry for entry in entries if entry]
        reference = " / ".join(
            number(entry["reference"]) for entry in known if entry["reference"] is not None
        )
        values = [with_interval(entry) if entry else "" for entry in entries]
        rows.append([metric, *values, reference, known[0]["better"]])
    return ["", *directions, "reference (real images, chance)", "better"], rows


def side_by_side(reports: dict[str, dict], direction: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: one row per metric of a direction, one column per report.

    The last column compares each report with the first (see `verdict`).
    """
    found = {name: report["directions"][direction] for name, report in reports.items()}
    rows = [["step", *(str(report["step"]) for report in reports.values()), "", "", ""]]
    for metric in dict.fromkeys(metric for values in found.values() for metric in values):
        entries = [
            with_interval(values[metric]) if metric in values else "" for values in found.values()
        ]
        known = [values[metric] for values in found.values() if metric in values]
        # Some references are chance, and differ with the translations of each report.
        references = [entry["reference"] for entry in known if entry["reference"] is not None]
        reference = number(statistics.fmean(references)) if references else ""
        first, *others = (values.get(metric) for values in found.values())
        verdicts = [verdict(first, other) for other in others]
        rows.append([metric, *entries, reference, known[0]["better"], "; ".join(verdicts)])
    return ["", *found, "reference", "better", f"against {next(iter(found))}"], rows


def verdict(first: dict | None, other: dict | None) -> str:
    """Whether `other` is better than `first`, in words.

    Args:
      first, other: Entries of the same metric, or None.

    Returns:
      "better" or "worse" if their 95 % intervals do not overlap, "not distinguishable" if they do,
      and "" if an interval is missing or neither direction is better.
    """
    if not first or not other or None in (first["low"], other["low"]) or not first["better"]:
        return ""
    if other["high"] >= first["low"] and other["low"] <= first["high"]:
        return "not distinguishable"
    is_higher = other["low"] > first["high"]
    return "better" if is_higher == (first["better"] == "higher") else "worse"


def notes(report: dict) -> list[str]:
    """What the reader must know beside the numbers."""
    directions = report["directions"]
    counts = sorted({entry["count"] for found in directions.values() for entry in found.values()})
    counted = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    return [
        f"{counted} images per metric, {report['split']} split, {report['image_size']} pixels; "
        "translations are rounded to 8 bits.",
        "Brackets contain 95 % bootstrap intervals. Intervals of distances between sets use the "
        "standard deviation of a few bootstrap samples.",
        *(
            f"{name}, {metric}: {entry['note']}"
            for name, found in directions.items()
            for metric, entry in found.items()
            if entry["note"]
        ),
    ]


def references(report: dict, metric: str) -> dict[str, float]:
    """Name of each direction -> the reference of a metric, if it has one."""
    return {
        name: found[metric]["reference"]
        for name, found in report["directions"].items()
        if metric in found and found[metric]["reference"] is not None
    }


def in_columns(head: list[str], rows: list[list[str]]) -> str:
    """A table for the terminal."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def in_markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table for a Markdown file."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


def with_interval(entry: dict) -> str:
    interval = ""
    if entry["low"] is not None:
        interval = f" [{number(entry['low'])}, {number(entry['high'])}]"
    return number(entry["value"]) + interval


def number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
