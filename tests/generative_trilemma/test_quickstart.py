"""The quick start runs as it is committed, in a kernel, and its outputs are fit for a notebook."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
FEW_DIGITS = """
from pathlib import Path
from datamodules import mnist
import bench.runs.context
whole = mnist.Mnist.load
def load(self):
    train, test = whole(self)
    return mnist.Split(train.images[:512], train.labels[:512]), mnist.Split(test.images[:256], test.labels[:256])
mnist.Mnist.load = load
bench.runs.context.CACHE = Path("cache")
"""


def texts(output: dict[str, Any]) -> str:
    """All that a frontend may show of an output, as one text."""
    return "".join([output.get("text", ""), *output.get("data", {}).values()])


def test_the_notebook_is_committed_without_outputs() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)


@pytest.mark.slow  # starts a kernel, trains and evaluates
def test_it_runs_without_errors_warnings_and_control_characters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MNIST is cut to 512 + 256 images by a cell before the first, so that the features take seconds."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell("import generative_trilemma\n" + FEW_DIGITS))
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"stream", "display_data", "execute_result"}
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    said = "".join(map(texts, outputs))
    assert not [character for character in said if ord(character) < 32 and character != "\n"]
    results = [output.data for output in outputs if output.output_type == "execute_result"]
    assert results[0]["text/plain"].startswith("<Record vae-mnist-0-")
    assert results[1]["text/plain"].startswith("160 samples of noise, compared with mnist")
    assert "<td>lower</td>" in results[1]["text/html"]
    assert "noise" in results[-1]["text/html"]
    assert "<th" in results[-1]["text/html"]
    bars = [output.data["text/html"] for output in outputs if output.output_type == "display_data"]
    assert any("train vae" in bar and "1,280 images in" in bar for bar in bars)
    assert not any("<progress" in bar for bar in bars)  # each bar has given way to the line of its end
