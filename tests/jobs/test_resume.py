"""A clustering that is killed, and killed again, ends with the bits of an unbroken one."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from equipoise.config import Config
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, Col
from equipoise.stages.curate import perform
from equipoise.tables import Workspace

ROUNDS = [(1, 0), (2, 0), (2, 1), (2, 2)]


class Killer:
    """Notes every iteration (level, resampling, iteration); at ``last`` the process "dies"."""

    def __init__(self, last: tuple[int, int, int] | None = None) -> None:
        self.last, self.seen = last, []

    def message(self, text: str) -> None: ...

    def count(self, stage: str, done: int, total: int) -> None: ...

    def iteration(self, number, n_levels, state) -> None:
        self.seen.append((number, state.resampling, state.step.iteration))
        if self.seen[-1] == self.last:
            raise KeyboardInterrupt


@pytest.fixture
def config(tmp_path):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(200, 3)))
    levels = [{"k": 40}, {"k": 6, "resampling": {"rounds": 2, "points": 3}}]

    def config(checkpoint_every: int) -> Config:
        cluster = {
            "levels": levels,
            "iterations": 4,
            "tolerance": 0,
            "partitions": 3,
            "driver_limit": {"bytes": 0},  # every level on Spark
            "checkpoint_every": checkpoint_every,
        }
        source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
        sections = {"name": "t", "workspace": str(tmp_path / "workspace"), "source": source, "cluster": cluster}
        return Config.model_validate(sections)

    return config


@pytest.mark.slow
def test_a_clustering_that_is_killed_twice_ends_like_an_unbroken_one(spark, config):
    def work(run_id: str, checkpoint_every: int, last=None) -> list[tuple[int, int, int]]:
        progress = Killer(last)
        arguments = {"spark": spark, "progress": progress, "run_id": run_id}
        if last:
            with pytest.raises(KeyboardInterrupt):
                perform(config(checkpoint_every), **arguments)
        else:
            perform(config(checkpoint_every), **arguments)
        return progress.seen

    unbroken = work("unbroken", 50)
    assert list(dict.fromkeys(step[:2] for step in unbroken)) == ROUNDS
    steps = {one: sum(step[:2] == one for step in unbroken) for one in ROUNDS}

    # Saved every second iteration: killed in the third of level 1, it goes on from the second.
    assert work("broken", 2, (1, 0, 3)) == [(1, 0, 1), (1, 0, 2), (1, 0, 3)]
    # Saved at every iteration (how often is no reason to begin anew): killed in the first round of level 2.
    second = work("broken", 1, (2, 1, 2))
    assert second[0] == (1, 0, 3)
    assert second[-2:] == [(2, 1, 1), (2, 1, 2)]
    third = work("broken", 1)
    assert third[0] == (2, 1, 2)  # neither level 1 nor the rounds before again
    assert len(third) == steps[2, 1] - 1 + steps[2, 2]

    workspace = Workspace(spark, config(1).workspace)

    def rows(table, run_id: str) -> list[tuple]:
        of_run = workspace.read(table).filter(F.col(Col.run_id) == run_id).drop(Col.run_id, Col.seconds)
        return sorted((tuple(row) for row in of_run.collect()), key=repr)

    for table in (CENTROIDS, ASSIGNMENTS, ITERATIONS):
        assert rows(table, "broken") == rows(table, "unbroken") != []
    assert len(rows(ITERATIONS, "broken")) == len(unbroken)  # what was done twice is there once
    assert rows(CHECKPOINTS, "broken") == []
