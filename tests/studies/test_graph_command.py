"""``equipoise graph``: what it shows of a config, alone and with a run; it writes nothing."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from equipoise.cli import main

DEMO = str(Path(__file__).parents[2] / "conf/demo.yaml")


@pytest.fixture
def no_spark(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("Spark was started")

    monkeypatch.setattr("equipoise.session.get_session", refuse)


@pytest.mark.usefixtures("no_spark")
def test_the_steps_of_a_config_are_a_tree(capsys):
    assert main(["graph", "--config", DEMO]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "config demo, a new run"
    names = ["ingest", "embed", "cluster", "select:balanced"]
    assert [line.split("── ")[1].split("  ")[:2] for line in lines[1:5]] == [[name, "to do"] for name in names]
    depths = [line.index("──") for line in lines[1:5]]
    assert depths == sorted(set(depths))
    assert lines[-1] == f"would run: {', '.join(names)}"


@pytest.mark.usefixtures("no_spark")
def test_mermaid_has_an_arrow_for_what_each_needs(capsys):
    assert main(["graph", "--config", DEMO, "--format", "mermaid"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "flowchart LR"
    assert '    n3["select:balanced<br/>to do"]' in lines
    assert [line.strip() for line in lines if "-->" in line] == ["n0 --> n1", "n1 --> n2", "n2 --> n3"]


@pytest.mark.usefixtures("no_spark")
@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--force", "clusters"], "--force clusters: not a stage of this config; did you mean 'cluster'?"),
        (["cluster=null"], "select needs centroids"),
    ],
)
def test_what_cannot_be_is_said(capsys, arguments, said):
    assert main(["graph", "--config", DEMO, *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def clustered(spark, tmp_path_factory) -> str:
    """A config of vectors whose run ``r`` has done all but a selection."""
    folder = tmp_path_factory.mktemp("graph")
    np.save(folder / "v.npy", np.random.default_rng(0).normal(size=(30, 3)))
    path = folder / "c.yaml"
    sections = {
        "workspace": str(folder / "w"),
        "source": {"kind": "embeddings", "path": str(folder / "v.npy")},
        "cluster": {"levels": [{"k": 5}]},
        "select": [{"name": "a", "target": 5}],
    }
    path.write_text(yaml.safe_dump(sections))
    for job in ("ingest", "cluster"):
        assert main([job, "--config", str(path), "--run-id", "r", "--quiet"]) == 0
    return str(path)


def shown(capsys, *arguments: str) -> dict[str, str]:
    assert main(["graph", *arguments]) == 0
    lines = [line.split("── ")[1] for line in capsys.readouterr().out.splitlines() if "── " in line]
    return {line.split("  ")[0]: line.split("  ")[1] for line in lines}


@pytest.mark.usefixtures("no_spark")
def test_with_a_run_it_shows_states_and_reasons_and_writes_nothing(clustered, capsys):
    folder = Path(clustered).parent
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    plain = ["--config", clustered, "--run-id", "r"]
    assert shown(capsys, *plain) == {"ingest": "done", "cluster": "done", "select:a": "to do"}
    changed = shown(capsys, *plain, "cluster.levels.0.k=4")
    assert changed["cluster"] == "refused (levels.0.k was 5, is 4)" and changed["select:a"] == "to do"
    forced = shown(capsys, *plain, "--force", "cluster")
    assert forced == {"ingest": "done", "cluster": "to do again (--force)", "select:a": "to do"}
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.usefixtures("no_spark")
def test_what_would_run_is_what_curate_does(clustered, tmp_path, capsys):
    plain = ["graph", "--config", clustered, "--run-id", "r"]
    assert main(plain) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "would run: select:a"
    assert main([*plain, "cluster.levels.0.k=4"]) == 0
    told = "refused: cluster: take another --run-id, or --force the stage; nothing would run"
    assert capsys.readouterr().out.splitlines()[-1] == told
    features = [{"name": "birds", "models": {"raw": "raw.parquet"}}]
    path = tmp_path / "benchmarked.yaml"
    path.write_text(Path(clustered).read_text() + yaml.safe_dump({"benchmark": {"features": features}}))
    assert main(["graph", "--config", str(path)]) == 0
    told = ["would run: ingest, cluster, select:a", "by a job of its own: benchmark"]
    assert capsys.readouterr().out.splitlines()[-2:] == told


def test_where_data_outside_tells_or_the_folder_is_another_systems_spark_is_asked(clustered, capsys, monkeypatch):
    plain = ["--config", clustered, "--run-id", "r"]
    expected = shown(capsys, *plain)
    monkeypatch.setattr("equipoise.studies.graph.early_record", lambda workspace, run_id: None)
    assert shown(capsys, *plain) == expected


@pytest.mark.usefixtures("no_spark")
def test_a_command_with_the_id_of_a_run_is_refused_before_spark_starts(clustered, capsys):
    """Not only that of a run that is new: its events are read without Spark."""
    command = ["curate", "--config", clustered, "--run-id", "r", "--quiet"]
    assert main([*command, "cluster.levels.0.k=4"]) == 2
    said = capsys.readouterr().err
    assert "stage cluster of run 'r' is finished with other settings (levels.0.k was 5, is 4)" in said
    assert main([*command, "--force", "ingest", "source.path=gone.npy"]) == 2
    assert "source.path gone.npy does not exist" in capsys.readouterr().err


def test_what_a_finished_stage_has_read_may_be_gone(clustered, tmp_path):
    """Its own ``ingest`` is done; the job goes on, up to Spark."""
    (gone := Path(clustered).parent / "v.npy").rename(away := tmp_path / "v.npy")
    try:
        assert main(["curate", "--config", clustered, "--run-id", "r", "--quiet"]) == 0
    finally:
        away.rename(gone)


@pytest.mark.usefixtures("no_spark")
def test_of_a_run_that_is_not_there_all_is_to_do(clustered, capsys):
    assert set(shown(capsys, "--config", clustered, "--run-id", "other").values()) == {"to do"}
