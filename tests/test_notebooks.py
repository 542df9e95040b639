"""The notebooks run top to bottom on the tables of a small run, in a kernel and a Spark session of their own."""

import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from equipoise.cli import main
from equipoise.stages.demo_data import write_demo_data

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
PER_CLASS = 12
SECONDS_A_CELL = 300


class RunningInterpreter(KernelSpecManager):
    """Knows one kernel: the Python that runs the tests, whether or not it was registered with Jupyter."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=kernel_name, language="python")


@pytest.fixture(scope="module")
def workspace(spark, tmp_path_factory) -> str:
    """The tables of a run over a few digits."""
    folder = tmp_path_factory.mktemp("notebooks")
    write_demo_data("digits", folder / "digits")
    for scan in (folder / "digits").glob("*/*.png"):
        if int(scan.stem) >= PER_CLASS:
            scan.unlink()
    config = folder / "few.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "workspace": str(folder / "workspace"),
                "source": {"kind": "images", "path": str(folder / "digits"), "label": "parent_folder"},
                "embed": {"encoder": "pixels", "size": 8, "mode": "L"},
                "cluster": {"levels": [{"k": 30}, {"k": 6, "resampling": {"rounds": 2}}]},
                "select": [{"name": "balanced", "target": 40}],
            }
        )
    )
    assert main(["curate", "--config", str(config), "--quiet"]) == 0
    return str(folder / "workspace")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_runs_top_to_bottom(path, workspace, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_WORKSPACE", workspace)
    # A short run spends its time compiling: see conftest.py.
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    notebook = nbformat.read(path, as_version=4)
    manager = AsyncKernelManager(kernel_spec_manager=RunningInterpreter())
    client = NotebookClient(
        notebook, km=manager, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()  # a cell that raises raises here
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    tables = [output for output in outputs if "<table" in output.get("data", {}).get("text/html", "")]
    assert pictures and tables


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell.id for cell in cells if cell.outputs or cell.execution_count]
