"""Benchmarks are run by hand. These tests only check that they still load."""

import importlib
from pathlib import Path

import pytest

_NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("[a-z]*.py"))
# What only they need, and nothing installs.
_EXTRA = dict.fromkeys(("torch_step", "torch_cyclegan", "torch_stackgan"), "torch")


@pytest.mark.parametrize("name", _NAMES)
def test_it_can_be_loaded(name):
    if name in _EXTRA:
        pytest.importorskip(_EXTRA[name])
    importlib.import_module(f"benchmarks.{name}")
