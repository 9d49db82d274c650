"""What `pip install .` brings, and each extra beyond it: packages and their size on disk.

pip install -e .[dev] && python -m benchmarks.installed_size
"""

import importlib.metadata as metadata
from pathlib import Path

from packaging.requirements import Requirement

_PROJECT = "discogan-tf"


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _closure(requirements: list[Requirement]) -> set[str]:
    """Names of the packages that requirements bring, with what these require."""
    seen, pending = set(), list(requirements)
    while pending:
        requirement = pending.pop()
        name = requirement.name.lower().replace("_", "-")
        for extra in ("", *requirement.extras):
            if (name, extra) not in seen:
                seen.add((name, extra))
                found = map(Requirement, metadata.distribution(requirement.name).requires or [])
                pending += [other for other in found if _applies(other, extra)]
    return {name for name, _ in seen}


def _megabytes(names: set[str]) -> float:
    total = 0
    for name in names:
        for file in metadata.distribution(name).files or []:
            path = Path(file.locate())
            total += path.stat().st_size if path.is_file() else 0
    return total / 1e6


def main() -> None:
    project = metadata.distribution(_PROJECT)
    requirements = [Requirement(line) for line in project.requires]
    base = _closure([one for one in requirements if _applies(one, "")])
    print(f"| | packages | MB |\n|---|---|---|\n| base | {len(base)} | {_megabytes(base):.0f} |")
    for extra in sorted(set(project.metadata.get_all("Provides-Extra")) - {"gpu"}):
        of_extra = [one for one in requirements if _applies(one, extra) and not _applies(one, "")]
        added = _closure(of_extra) - base
        print(f"| `[{extra}]` | {len(added)} | {_megabytes(added):.0f} |", flush=True)


if __name__ == "__main__":
    main()
