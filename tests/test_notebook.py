"""The notebook runs from its first cell to its last."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

_NOTEBOOK = Path(__file__).parents[1] / "examples" / "bags_to_shoes.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    for name, value in (("NUM_STEPS", 3), ("NUM_TRAIN", 40), ("FOLDER", tmp_path)):
        monkeypatch.setenv(name, str(value))
    notebook = nbformat.read(_NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute(cwd=str(tmp_path))
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = "".join(output.get("text", "") for output in outputs)
    assert "['handbags2shoes', 'shoes2handbags'] step 3" in texts
    assert "lightness: correlation" in texts
    images = [o for o in outputs if "image/png" in o.get("data", {})]
    assert len(images) == 4  # Both domains, curves, and each direction.


def test_the_notebook_is_committed_without_outputs():
    cells = nbformat.read(_NOTEBOOK, as_version=4).cells
    assert cells and all(not cell.get("outputs") for cell in cells)
