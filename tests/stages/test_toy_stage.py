"""A stage that is registered has a command, a section, ``--force``, a graph, and goes on after a kill: no other file
knows it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import equipoise.cli.arguments
import equipoise.stages.configuration
import equipoise.stages.running
import equipoise.studies.graph
from equipoise.cli import main
from equipoise.schemas import METRICS, POOL, Slice
from equipoise.stages import STAGES
from equipoise.tables import Workspace
from stages.toy_stage import TOY, Killed, deaths


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    """The one line that a stage takes in the registry, for all who have read it."""
    before, stages = STAGES, (*STAGES, TOY)
    for module in list(sys.modules.values()):
        if getattr(module, "STAGES", None) is before:
            monkeypatch.setattr(module, "STAGES", stages)
    whole = equipoise.stages.configuration.config_of(stages)
    monkeypatch.setattr(equipoise.stages.configuration, "WholeConfig", whole)


@pytest.fixture
def config(tmp_path) -> str:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32))
    path = tmp_path / "c.yaml"
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    path.write_text(yaml.safe_dump({"workspace": str(tmp_path / "w"), "source": source, "toy": {"times": 2}}))
    return str(path)


def ran(config: str, *arguments: str, job: str = "curate") -> int:
    return main([job, "--config", config, "--run-id", "r", "--quiet", *arguments])


def test_it_is_run_killed_resumed_and_forced_by_its_registration_alone(spark, config, capsys):
    workspace = Workspace(spark, str(Path(config).parent / "w"))

    def counted() -> list[float]:
        return [row["value"] for row in workspace.read(Slice(METRICS)).collect()]

    assert ran(config, "toy.times=none") == 2
    assert "toy.times" in capsys.readouterr().err
    for moment, left in (("before", []), ("after", [24.0])):
        deaths.append(moment)
        with pytest.raises(Killed):
            ran(config)
        assert counted() == left
    assert ran(config) == 0 and counted() == [24.0]
    pool = workspace.version(POOL)
    assert ran(config, "toy.times=3") == 2
    assert "stage toy of run 'r' is finished with other settings (times was 2, is 3)" in capsys.readouterr().err
    assert ran(config, "toy.times=3", "--force", "toy", job="toy") == 0 and counted() == [36.0]
    assert workspace.version(POOL) == pool


def test_it_is_in_the_graph_and_in_the_help(config, capsys):
    assert main(["graph", "--config", config]) == 0
    shown = capsys.readouterr().out
    assert "toy  to do  -> metrics(stage=toy)" in shown and "would run: ingest, toy" in shown
    with pytest.raises(SystemExit):
        main(["--help"])
    assert TOY.meaning in capsys.readouterr().out
    assert main(["toy", "--config", config, "toy=null"]) == 2
    assert "has no section 'toy': add it to run this stage" in capsys.readouterr().err
