"""The notebooks run top to bottom in a kernel and a Spark session of their own, and find what the papers found."""

import json
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from equipoise.cli import main
from equipoise.evaluation.balance import normalised_entropy
from equipoise.papers.duplication import SPREADS
from equipoise.papers.simulation import kl_to_uniform
from equipoise.papers.simulation_methods import PUBLISHED_KL, REFERENCE_KL, simulated_centroids
from equipoise.studies.demo_data import write_demo_data

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
PER_CLASS = 12
SECONDS_A_CELL = 300
PUBLISHED_TOLERANCES = {"data": 0.015, "DBSCAN": 0.12, "agglomerative": 0.03, "uniform": 0.01}
"""Of a mean over four seeds from a number of one. Wider where the paper does not give the settings: DBSCAN,
agglomerative."""
REFERENCE_TOLERANCES = {"1 level": 0.02, "2 levels": 0.012, "3 levels": 0.012, "3 levels, resampled": 0.012}
"""Of the difference of two means over four seeds: one seed deviates by 0.018, 0.007, 0.009 and 0.009."""
WITH_RESULTS = {"simulated_data", "imbalance", "specialisation"}
"""Have tests of their own, of what they find."""


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


def executed(name: str, *, last: str = "") -> list[NotebookNode]:
    """The outputs of all cells, and of one more, ``last``; a cell that raises raises here."""
    path = FOLDER / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    manager = AsyncKernelManager(kernel_spec_manager=RunningInterpreter())
    client = NotebookClient(notebook, km=manager, timeout=SECONDS_A_CELL, resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    tables = [output for output in outputs if "<table" in output.get("data", {}).get("text/html", "")]
    assert pictures and tables
    return outputs


def results(name: str, *frames: str) -> list[pd.DataFrame]:
    """Frames that a notebook holds at its end, each said by an expression; their indices become columns."""
    last = "\n".join(f"print(({frame}).reset_index().to_json(orient='records'))" for frame in frames)
    [*_, printed] = executed(name, last=last)
    return [pd.DataFrame(json.loads(line)) for line in printed.text.splitlines()]


@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS if path.stem not in WITH_RESULTS])
def test_it_runs_top_to_bottom(name, workspace, monkeypatch):
    monkeypatch.setenv("EQUIPOISE_WORKSPACE", workspace)
    assert executed(name)


@pytest.mark.slow
def test_the_simulations_of_the_paper_come_out_of_the_notebook(monkeypatch, tmp_path):
    monkeypatch.setenv("EQUIPOISE_SEEDS", "4")
    monkeypatch.setenv("EQUIPOISE_PICTURES", str(tmp_path))
    kl, toy = (frame.set_index("index") for frame in results("simulated_data", "table", "toy"))
    assert set(kl.index) == set(PUBLISHED_TOLERANCES) | set(REFERENCE_TOLERANCES)
    for name, tolerance in PUBLISHED_TOLERANCES.items():
        assert kl["mean"][name] == pytest.approx(PUBLISHED_KL[name], abs=tolerance), name
    for name, tolerance in REFERENCE_TOLERANCES.items():
        assert kl["mean"][name] == pytest.approx(REFERENCE_KL[name], abs=tolerance), name
    assert toy["distortion"]["1, 2 and 3"] == pytest.approx(16.67, abs=0.01)
    assert toy["distortion"].min() == pytest.approx(5.168, abs=0.001)
    assert (tmp_path / "simulation.png").stat().st_size < 250_000


@pytest.mark.slow
def test_the_simulations_come_out_on_spark_as_on_arrays(monkeypatch):
    monkeypatch.setenv("EQUIPOISE_ON", "spark")
    kl, toy = (frame.set_index("index") for frame in results("simulated_data", "table", "toy"))
    on_arrays = {name: kl_to_uniform(found) for name, found in simulated_centroids(seed=0).items()}
    assert kl["mean"].to_dict() == pytest.approx(on_arrays, abs=1e-4)
    assert toy["distortion"].min() == pytest.approx(5.168, abs=0.001)


@pytest.mark.slow
def test_curation_gives_back_to_the_small_classes():
    found, by_class, curve = results(
        "imbalance", "results", "pd.concat(by_class, names=['tree'])", "curve.stack(future_stack=True)"
    )
    for alpha in (1.0, 2.0):
        of_alpha = found[found.alpha == alpha].set_index("selection")
        random, hierarchical = of_alpha.loc["random"], of_alpha.loc["hierarchical"]
        assert hierarchical.n == random.n
        assert hierarchical.class_entropy > random.class_entropy + 0.05
        assert hierarchical.knn_1_accuracy >= random.knn_1_accuracy
    clusters = by_class.pivot_table(index="label", columns="tree", values="n_clusters", fill_value=0)
    assert normalised_entropy(clusters["hierarchical"]) > normalised_entropy(clusters["flat k-means"]) + 0.1
    by_size = curve.pivot_table(index="size", columns="selection", values=["class_entropy", "knn_1_accuracy"])
    assert (by_size["class_entropy"]["hierarchical"] > by_size["class_entropy"]["random"]).all()
    small = by_size["knn_1_accuracy"].loc[:400]
    assert (small["hierarchical"] > small["random"]).all()


@pytest.fixture(scope="module")
def specialisation() -> dict[str, pd.DataFrame]:
    """What the notebook of that name finds, run once."""
    totals = "pd.Series({spread: len(made.images) for spread, made in sets.items()}, name='n')"
    slopes = "pd.Series(slopes, name='slope').rename_axis(['level', 'by'])"
    frames = {"results": "results", "totals": totals, "largest": "largest_clusters", "slopes": slopes}
    return dict(zip(frames, results("specialisation", *frames.values()), strict=True))


@pytest.mark.slow
def test_copies_leave_fewer_different_images(specialisation):
    found, totals = specialisation["results"], specialisation["totals"]
    assert totals.set_index("index")["n"].to_dict() == dict.fromkeys(SPREADS, 6 * 1047)
    of_random = found[found.selection == "random"].set_index("spread")["effective number of images"]
    uniform, exponential, heavy = of_random[list(SPREADS)]
    assert uniform > 1.05 * exponential > 1.05 * 1.05 * heavy


@pytest.mark.slow
def test_what_is_left_of_the_largest_cluster_is_bounded_under_hierarchical_sampling_and_not_under_semdedup(
    specialisation,
):
    largest = specialisation["largest"].set_index(["pool", "by"])
    for pool in ("digits", "long_tail"):
        sampled, deduplicated = largest.loc[(pool, "hierarchical")], largest.loc[(pool, "SemDeDup")]
        assert sampled.n_kept == deduplicated.n_kept and sampled.bound == deduplicated.bound
        assert sampled.most_survivors <= sampled.bound < deduplicated.most_survivors
    # By construction: ten copies of each of 400, half of them and more in the first of 20 clusters.
    sampled, deduplicated = largest.loc[("long_tail", "hierarchical")], largest.loc[("long_tail", "SemDeDup")]
    assert 400 <= deduplicated.n_kept <= 410  # a border of its own clusters may part a few copies
    assert deduplicated.of_the_largest == pytest.approx(deduplicated.largest_cluster / 10, rel=0.05)
    assert deduplicated.of_the_largest > 9 * sampled.bound
    assert deduplicated.slope == pytest.approx(1, abs=0.05) and abs(sampled.slope) < 0.1


@pytest.mark.slow
def test_survivors_follow_the_size_of_their_cluster_less_under_hierarchical_sampling(specialisation):
    slopes = specialisation["slopes"].set_index(["level", "by"])["slope"]
    assert slopes[2, "hierarchical"] < 0.25 < 0.5 < slopes[2, "SemDeDup"]
    assert slopes[2, "random"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_outputs(path):
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not [cell.id for cell in cells if cell.outputs or cell.execution_count]
