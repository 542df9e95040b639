"""The stage ``deduplicate`` over more than can be compared with all, held, or kept from round to round."""

import numpy as np
import pytest

from equipoise.kernels.placement import DriverLimit
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.hierarchy import fit_hierarchy
from equipoise.schemas import METRICS, Col
from equipoise.stages.configuration import config_from, graph_of
from equipoise.stages.deduplicate import semdedup
from stages.fakes import Lab

NODE = "deduplicate:pairs"


@pytest.fixture
def folder(tmp_path):
    for name, n in (("pool", 30), ("test", 8)):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32))
    return tmp_path


def sections(folder, **rules):
    names = ("pool", "test")
    given = {"kind": "embeddings", "encoder": "e", "id_space": "own"}
    sources = {name: {**given, "path": str(folder / f"{name}.npy")} for name in names}
    against = {"sources": ["test"], "threshold": 0.9}
    return {"sources": sources, "pool": ["pool"], "deduplicate": {"threshold": 0.8, "against": against, **rules}}


def graph(folder, **rules):
    return graph_of(config_from({"name": "t", "workspace": "w", **sections(folder, **rules)}))


def test_where_not_all_pairs_are_looked_at_the_recall_of_each_kind_is_told(spark, folder):
    run = Lab(spark, folder).run("r", **sections(folder, exact_limit=20, probes=1))  # above 400 pairs of items
    run.bring(NODE)
    found = {row[Col.group]: row[Col.value] for row in run.rows(METRICS) if row[Col.name] == "pair_recall"}
    assert found == {"pool": 1.0}  # there is one cluster; with the set there are 240 pairs, and all are looked at
    assert f"{NODE}: 100.00% of the pairs of 30 items found" in run.progress.messages
    every = Lab(spark, folder).run("r", **sections(folder, exact_limit=0))
    every.bring(NODE)
    found = {row[Col.group]: row[Col.value] for row in every.rows(METRICS) if row[Col.name] == "pair_recall"}
    assert found == {"pool": 1.0, "against:test": 1.0}
    assert f"{NODE}: 100.00% of the pairs of 30 items with 'test' found" in every.progress.messages


def test_a_task_may_have_more_memory_and_it_is_the_same_step(folder):
    plain, larger = graph(folder)[NODE], graph(folder, task_bytes=1.5e9)[NODE]
    assert (plain.settings.task_bytes, larger.settings.task_bytes) == (2**28, 1_500_000_000)
    assert plain.fingerprint([], {}) == larger.fingerprint([], {})


def test_the_clusters_of_a_round_are_not_held_after_it(spark, monkeypatch):
    fitted = []

    def on_spark(*vectors, **options):
        fitted.append(fit_hierarchy(*vectors, **options, driver_limit=DriverLimit(0, 0)))
        return fitted[-1]

    monkeypatch.setattr(semdedup, "fit_hierarchy", on_spark)
    vectors = vectors_frame(spark, np.arange(40), np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32))
    found = semdedup._clustered(vectors, 4, seed=0, iterations=3)
    assert not fitted[0].assignments.is_cached and found.count() == 40
