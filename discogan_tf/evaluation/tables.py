"""What was measured, in words and tables. Reports are as `subject.measure` gives them."""

import statistics


def cells(report: dict) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: a row for each metric, a column for each direction."""
    directions = report["directions"]
    rows = []
    for metric in dict.fromkeys(metric for found in directions.values() for metric in found):
        entries = [found.get(metric) for found in directions.values()]
        known = [entry for entry in entries if entry]
        floors = " / ".join(number(entry["floor"]) for entry in known if entry["floor"] is not None)
        values = [with_interval(entry) if entry else "" for entry in entries]
        rows.append([metric, *values, floors, known[0]["better"]])
    return ["", *directions, "floor (real pictures, chance)", "better"], rows


def common_directions(reports: dict[str, dict]) -> list[str]:
    """The directions that all reports have."""
    first, *others = (report["directions"] for report in reports.values())
    return [name for name in first if all(name in other for other in others)]


def side_by_side(reports: dict[str, dict], direction: str) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table: a row for each metric of a direction, a column for each report."""
    found = {name: report["directions"][direction] for name, report in reports.items()}
    rows = [["step", *(str(report["step"]) for report in reports.values()), "", ""]]
    for metric in dict.fromkeys(metric for values in found.values() for metric in values):
        cells = [with_interval(values[metric]) if metric in values else "" for values in found.values()]
        known = [values[metric] for values in found.values() if metric in values]
        # Some floors are by chance, from each report's own translations.
        at_the_floor = [entry["floor"] for entry in known if entry["floor"] is not None]
        floor = number(statistics.fmean(at_the_floor)) if at_the_floor else ""
        rows.append([metric, *cells, floor, known[0]["better"]])
    return ["", *found, "floor", "better"], rows


def notes(report: dict) -> list[str]:
    """What must be known beside the numbers."""
    directions = report["directions"]
    counts = sorted({entry["count"] for found in directions.values() for entry in found.values()})
    counted = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    return [
        f"{counted} pictures for a metric, split {report['split']}, of {report['image_size']} pixels "
        "as they were prepared (mean over areas); outputs rounded to 8 bits.",
        "In brackets an interval of 95 %, by bootstrap; of distances between sets by the spread of a few.",
        *(
            f"{name}, {metric}: {entry['note']}"
            for name, found in directions.items()
            for metric, entry in found.items()
            if entry["note"]
        ),
    ]


def floors(report: dict, metric: str) -> dict[str, float]:
    """Name of each direction -> the floor of a metric, where it has one."""
    return {
        name: found[metric]["floor"]
        for name, found in report["directions"].items()
        if metric in found and found[metric]["floor"] is not None
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
    interval = f" [{number(entry['low'])}, {number(entry['high'])}]" if entry["low"] is not None else ""
    return number(entry["value"]) + interval


def number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
