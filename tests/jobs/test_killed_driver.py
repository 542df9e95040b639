"""The JVM of a clustering is killed, again and again; started again, it ends with the bits of an unbroken run."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from pyspark.sql import functions as F

from conftest import SETTINGS
from equipoise.runs.account import SILENT
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, Col
from equipoise.stages.configuration import load_config
from equipoise.stages.running import perform, planned
from equipoise.tables import Workspace

DYING = Path(__file__).with_name("dying.py")


@pytest.fixture
def path(tmp_path) -> Path:
    """A config of two levels on Spark: one that is split, one that is resampled."""
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(400, 3)))
    levels = [{"k": 60, "splits": 3}, {"k": 6, "resampling": {"rounds": 2, "points": 3}}]
    cluster = {"levels": levels, "iterations": 4, "tolerance": 0, "partitions": 3, "checkpoint_every": 2}
    config = {
        "workspace": str(tmp_path / "workspace"),
        "source": {"kind": "embeddings", "path": str(tmp_path / "v.npy")},
        "cluster": {**cluster, "driver_limit": {"bytes": 0}},  # every level on Spark
        "spark": {**SETTINGS, "spark.driver.memory": "2g"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def killed(path: Path, where: str, *overrides: str) -> tuple[list[list[int]], str]:
    """The iterations of a run that is killed there, and what it said; ``never`` is not killed."""
    notes = path.with_name(f"{where}.jsonl")
    arguments = ["curate", "--config", str(path), "--run-id", "broken", *overrides]
    done = subprocess.run(
        [sys.executable, str(DYING), where, str(notes), *arguments], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == (0 if where == "never" else 1), done.stderr[-4000:]
    return [json.loads(line) for line in notes.read_text().splitlines()], done.stderr


@pytest.mark.slow
def test_a_run_whose_jvm_is_killed_three_times_ends_with_the_bits_of_an_unbroken_one(spark, path):
    # Saved every second iteration: killed in the third of level 1, it goes on from the second.
    first, said = killed(path, "1,0,3")
    assert first == [[1, 0, 1], [1, 0, 2], [1, 0, 3]]
    (line,) = [line for line in said.splitlines() if "broken failed" in line]
    assert line.startswith("equipoise: broken failed; the log is in ")
    assert "Traceback" not in said and "Py4J" not in said and "Connection refused" not in said
    # Saved at every iteration (how often is no reason to begin anew): killed while it splits the clusters of level 1,
    second, _ = killed(path, "split", "cluster.checkpoint_every=1")
    assert second == [[1, 0, 3], [1, 0, 4]]
    # then in the first round of resampling of level 2, with none of the coarse iterations done again,
    third, _ = killed(path, "2,1,2", "cluster.checkpoint_every=1")
    assert third == [*([2, 0, number] for number in range(1, len(third) - 1)), [2, 1, 1], [2, 1, 2]]
    # and at last not at all: neither level 1 nor what was done of level 2 again.
    last, _ = killed(path, "never", "cluster.checkpoint_every=1")
    assert last[0] == [2, 1, 2]
    assert {tuple(step[:2]) for step in last} == {(2, 1), (2, 2)}

    config = load_config(path)
    perform(planned(config), spark=spark, progress=SILENT, run_id="unbroken")
    workspace = Workspace(spark, config.workspace)

    def rows(table, run_id: str) -> list[tuple]:
        of_run = workspace.read(table).filter(F.col(Col.run_id) == run_id).drop(Col.run_id, Col.seconds)
        return sorted((tuple(row) for row in of_run.collect()), key=repr)

    for table in (CENTROIDS, ASSIGNMENTS, ITERATIONS):
        assert rows(table, "broken") == rows(table, "unbroken") != []
    assert rows(CHECKPOINTS, "broken") == []
