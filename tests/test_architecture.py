"""Rules of the architecture: imports run downward, FLAGS are read in few places."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
# From the bottom up: a module may import its own package and those before it.
_LEVELS = (
    ("errors", "settings", "image_files"),
    ("startup", "constraints", "text_settings", "output_files"),
    ("config", "images", "hardware", "tiling", "text"),
    ("flagfile", "losses", "networks", "data"),
    ("models", "runs"),
    ("evaluation", "export"),
    ("translator", "text_generator", "video"),
    ("matching",),
    ("serving", "training", "reporting"),
    ("flags",),
    (
        "train",
        "translate",
        "generate",
        "evaluate",
        "report",
        "compare",
        "launch",
        "match",
        "export_command",
        "experiments",
        "demo",
    ),
)
_MAY_READ_FLAGS = {
    "train.py",
    "discogan.py",
    "data_prep/__main__.py",
    "data_prep/command_flags.py",
    "discogan_tf/flags.py",
    "discogan_tf/launch.py",
    "discogan_tf/serving/server.py",
    "discogan_tf/serving/client.py",
    "discogan_tf/train.py",
    "discogan_tf/export_command.py",
    "discogan_tf/translate.py",
    "discogan_tf/generate.py",
    "discogan_tf/match.py",
    "discogan_tf/demo/__main__.py",
    "discogan_tf/evaluate.py",
    "discogan_tf/report.py",
    "discogan_tf/compare.py",
    "discogan_tf/experiments/three_models.py",
}
_SOURCES = sorted(
    path
    for pattern in ("*.py", "discogan_tf/**/*.py", "data_prep/**/*.py")
    for path in _ROOT.glob(pattern)
)


def _imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _level(package: str) -> int:
    return next(level for level, packages in enumerate(_LEVELS) if package in packages)


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_imports_run_downward(path):
    parts = path.relative_to(_ROOT).with_suffix("").parts
    for name in _imports(path):
        package, *inner = name.split(".")
        if parts[0] == "data_prep":
            assert package != "discogan_tf", name
        if parts[0] == "discogan_tf" and len(parts) > 1 and parts[1] != "__init__":
            assert package != "data_prep", name
            if package == "discogan_tf" and inner[0] != parts[1]:
                assert _level(inner[0]) < _level(parts[1]), name


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_flags_are_read_in_entry_points_only(path):
    if str(path.relative_to(_ROOT)) not in _MAY_READ_FLAGS:
        assert not any(name.startswith("absl.flags") for name in _imports(path))


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_only_images_converts_pixel_ranges(path):
    allowed = {"images.py", "canvas.py", "edges.py", "style.py"}
    if path.name not in allowed:
        constants = [
            n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)
        ]
        assert 255 not in constants


@pytest.mark.parametrize("path", _SOURCES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_no_module_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


def test_no_module_rebinds_a_global():
    for package in ("discogan_tf", "data_prep"):
        for path in (_ROOT / package).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            assert not any(isinstance(node, ast.Global) for node in nodes), path
