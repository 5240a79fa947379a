"""docs/notebook.ipynb runs from its first cell to its last, without an error."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.steepest_only

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


@pytest.mark.filterwarnings("ignore")
def test_notebook(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    # The same everywhere: on generated digits.
    monkeypatch.setenv("STEEPEST_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "".join(output.get("text", "") for output in outputs)
    data = [output["data"] for output in outputs if "data" in output]
    assert "GENERATED digits" in text and "the same predictions from a file: True" in text
    assert text.count("accuracy on test rows") == 9
    assert sum("image/png" in item for item in data) == 3
    assert any("<svg" in item.get("text/html", "") for item in data), "the run's curve"
    assert any("epoch" in item.get("text/plain", "") for item in data), "the live line"
