"""A tree that is split from the top, in the tables of a run that is killed after every write."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from equipoise.runs.account import SILENT
from equipoise.runs.run import Run
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, RUNS, Col
from equipoise.stages.configuration import config_from, graph_of
from equipoise.tables import Workspace

pytestmark = pytest.mark.slow


class Killed(BaseException):
    """As by SIGKILL: nobody handles it."""


def rows_of(spark, workspace: str) -> dict[str, list[str]]:
    tables = Workspace(spark, workspace)
    found = {}
    for table in (CENTROIDS, ASSIGNMENTS, ITERATIONS, CHECKPOINTS):
        rows = tables.read(table)
        kept = [name for name in rows.columns if name != Col.seconds]
        found[table.name] = sorted(str(row) for row in rows.select(*kept).collect())
    return found


def bring(spark, folder, name: str) -> dict[str, list[str]]:
    cluster = {
        "tree": "top_down", "iterations": 3, "checkpoint_every": 1, "driver_limit": {"bytes": 0},
        "levels": [{"k": 12}, {"k": 6}, {"k": 2}],
    }  # fmt: skip
    values = {"name": "t", "workspace": str(folder / name), "cluster": cluster}
    graph = graph_of(config_from({**values, "source": {"kind": "embeddings", "path": str(folder / "v.npy")}}))
    run = Run(graph, spark=spark, workspace=Workspace(spark, values["workspace"]), run_id="r", progress=SILENT)
    list(run.bring([node.name for node in graph.order], ()))
    return rows_of(spark, values["workspace"])


def test_killed_after_every_write_and_resumed_it_ends_the_same(spark, tmp_path, monkeypatch):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32))
    expected = bring(spark, tmp_path, "whole")
    assert len(expected["assignments"]) == 60 and not expected["checkpoints"]
    assert 15 < len(expected["centroids"]) <= 20  # a node of a single item has one child
    written, deaths = Workspace._written, []

    def dying(self, part, rows, options):
        commit = written(self, part, rows, options)
        place = (part.table.name, str(part.where.get(Col.level)))
        if part.table is not RUNS and place not in deaths:
            deaths.append(place)
            raise Killed
        return commit

    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "_written", dying)
        for _ in range(20):
            try:
                found = bring(spark, tmp_path, "killed")
                break
            except Killed:
                continue
    assert {"assignments", "centroids", "checkpoints", "iterations"} <= {name for name, _ in deaths}
    assert found == expected
    runs = Workspace(spark, str(tmp_path / "killed")).read(RUNS).where(F.col(Col.stage) == "cluster")
    assert runs.where(F.col(Col.status) == "done").count() == 1
