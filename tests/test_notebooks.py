"""The notebooks run top to bottom on the tables of a small run, in a kernel and a Spark session of their own."""

import json
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from equipoise.cli import main
from equipoise.evaluation.simulation_methods import HIERARCHIES, PUBLISHED_KL
from equipoise.stages.demo_data import write_demo_data

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
PER_CLASS = 12
SECONDS_A_CELL = 300
KL_TOLERANCES = {
    "data": 0.015,
    "DBSCAN": 0.12,
    "agglomerative": 0.03,
    "1 level": 0.06,
    "2 levels": 0.025,
    "3 levels": 0.035,
    "3 levels, resampled": 0.03,
    "uniform": 0.02,
}
"""About three standard deviations of one seed (over four: 0.004, 0.018, 0.004, 0.018, 0.007, 0.009, 0.009 and 0.006): a
published number is that of one seed, too. Wider where the paper does not give the settings: DBSCAN, agglomerative."""


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


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    """One seed, and the JVM's quick compiler: a short run spends its time compiling, see conftest.py."""
    monkeypatch.setenv("EQUIPOISE_SEEDS", "1")
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")


def executed(path: Path, *, last: str = "") -> list[NotebookNode]:
    """The outputs of all cells, and of one more, ``last``; a cell that raises raises here."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    manager = AsyncKernelManager(kernel_spec_manager=RunningInterpreter())
    client = NotebookClient(
        notebook, km=manager, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[] if path.stem == "tour" else [pytest.mark.slow]) for path in NOTEBOOKS],
    ids=lambda path: path.name,
)
def test_it_runs_top_to_bottom(path, workspace, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_WORKSPACE", workspace)
    outputs = executed(path)
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    tables = [output for output in outputs if "<table" in output.get("data", {}).get("text/html", "")]
    assert pictures and tables


@pytest.mark.slow
@pytest.mark.parametrize(("on", "seeds"), [("arrays", 4), ("spark", 1)])
def test_the_simulation_of_the_paper_comes_out_of_the_notebook(on, seeds, monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_ON", on)
    monkeypatch.setenv("EQUIPOISE_SEEDS", str(seeds))
    monkeypatch.setenv("EQUIPOISE_PICTURES", str(tmp_path))
    [*_, printed] = executed(NOTEBOOKS[0].with_name("simulated_data.ipynb"), last="print(table.to_json())")
    found = json.loads(printed.text)["mean"]
    assert set(found) == set(KL_TOLERANCES)
    for name, tolerance in KL_TOLERANCES.items():
        assert found[name] == pytest.approx(PUBLISHED_KL[name], abs=tolerance), name
    of_hierarchies = [found[name] for name in HIERARCHIES]
    assert of_hierarchies == sorted(of_hierarchies, reverse=True)
    assert (tmp_path / "simulation.png").stat().st_size < 250_000


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell.id for cell in cells if cell.outputs or cell.execution_count]
