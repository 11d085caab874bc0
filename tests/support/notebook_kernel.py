"""Runs notebooks in a kernel of their own, as Jupyter would."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 120


@contextmanager
def environment(folder: Path) -> Iterator[None]:
    """A kernel of this Python, and Ray without accounts of its own. Workers inherit the kernel's environment."""
    spec = folder / "kernels" / "python3"
    spec.mkdir(parents=True)
    command = f'{{"argv": ["{sys.executable}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (spec / "kernel.json").write_text(f'{command}, "display_name": "Python 3", "language": "python"}}')
    own = {
        "JUPYTER_PATH": str(folder),
        "PYTHONPATH": str(REPOSITORY / "platform"),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    with patch.dict(os.environ, own):
        yield


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs.

    Raises:
        CellExecutionError: a cell failed.
    """
    NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}).execute()
    return notebook


def of_cells(*sources: str) -> nbformat.NotebookNode:
    """A notebook of these cells."""
    return new_notebook(cells=[new_code_cell(source) for source in sources])


def texts(notebook: nbformat.NotebookNode) -> list[str]:
    """What each code cell shows as text: its prints and its last value, without warnings and logs."""
    return ["".join(map(_text, cell.outputs)) for cell in notebook.cells if cell.cell_type == "code"]


def html(notebook: nbformat.NotebookNode) -> list[str]:
    """The HTML outputs in order."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]


def _text(output: nbformat.NotebookNode) -> str:
    if output.get("name") == "stderr":
        return ""
    return str(output.get("text") or output.get("data", {}).get("text/plain", ""))
