"""What is seen of a run after others came: its own pool, and the views of a catalog."""

from pathlib import Path

import numpy as np
import pytest

from equipoise.errors import TableError
from equipoise.runs.account import SILENT
from equipoise.runs.tables import opened
from equipoise.schemas import POOL, Col
from equipoise.stages.configuration import config_from
from equipoise.stages.running import perform, planned
from equipoise.studies.report import report_of
from equipoise.tables import Workspace, views
from stages.fakes import Progress

pytestmark = pytest.mark.slow


def brought(spark, folder, workspace, *, n, run_id, progress=SILENT):
    np.save(folder / "v.npy", np.random.default_rng(0).normal(size=(60, 3))[:n])
    sections = {
        "name": "t",
        "workspace": workspace,
        "source": {"kind": "embeddings", "path": str(folder / "v.npy"), "name": "v"},
        "cluster": {"levels": [{"k": 6}, {"k": 2}]},
        "select": [{"name": "s", "target": 10}],
    }
    plan = planned(config_from(sections))
    return perform(plan, spark=spark, progress=progress, run_id=run_id)


def page_of(spark, workspace, folder):
    with opened(spark, workspace, "first") as run:
        return Path(report_of(run, out=str(folder)).removeprefix("file:")).read_text()


def test_a_run_is_seen_with_the_pool_that_it_had(spark, tmp_path):
    workspace = str(tmp_path / "workspace")
    brought(spark, tmp_path, workspace, n=40, run_id="first")
    before = page_of(spark, workspace, tmp_path / "before")
    brought(spark, tmp_path, workspace, n=60, run_id="second")
    assert Workspace(spark, workspace).read(POOL).count() == 60
    with opened(spark, workspace, "first") as run:
        assert sorted(int(row[Col.key]) for row in run.items().select(Col.key).collect()) == list(range(40))
    assert page_of(spark, workspace, tmp_path / "after") == before


def test_the_views_of_a_catalog_are_made_at_the_end_of_a_job_or_it_is_told_why_not(spark, tmp_path, monkeypatch):
    def refused(space):
        raise TableError("view x cannot be made")

    spark.sql("create schema if not exists back_test")
    try:
        brought(spark, tmp_path, "spark_catalog.back_test", n=40, run_id="first")
        paths = spark.newSession().table("spark_catalog.back_test.item_paths")
        assert paths.columns == [Col.run_id, Col.item_id, "level_1", "level_2"] and paths.count() == 40
        monkeypatch.setattr(views, "keep_views", refused)
        progress = Progress()
        outcomes = brought(spark, tmp_path, "spark_catalog.back_test", n=40, run_id="first", progress=progress)
        assert all(outcome.was_skipped for outcome in outcomes) and progress.messages[-1] == "view x cannot be made"
    finally:
        spark.sql("drop schema back_test cascade")
