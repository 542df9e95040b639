"""What ``--force`` and mended settings remove from real tables, and what they leave alone."""

import numpy as np
import pytest

from equipoise.errors import EquipoiseError
from equipoise.runs.account import SILENT
from equipoise.schemas import ASSIGNMENTS, CURATED, EMBEDDINGS, POOL, Col
from equipoise.stages.configuration import config_from
from equipoise.stages.running import perform, planned
from equipoise.tables import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def make(spark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("force")
    np.save(folder / "v.npy", np.random.default_rng(0).normal(size=(40, 3)))

    def config(k=6, target=10, path="v.npy"):
        return config_from(
            {
                "name": "t",
                "workspace": str(folder / "workspace"),
                "source": {"kind": "embeddings", "path": str(folder / path), "name": "v"},
                "cluster": {"levels": [{"k": k}]},
                "select": [{"name": "s", "target": target}],
            }
        )

    def run(run_id, force=None, **settings):
        plan = planned(config(**settings), force=force)
        return perform(plan, spark=spark, progress=SILENT, run_id=run_id)

    run.workspace = Workspace(spark, config().workspace)
    return run


def count(make, table, run_id=None):
    rows = make.workspace.read(table)
    return rows.count() if run_id is None else rows.filter(rows[Col.run_id] == run_id).count()


def test_force_replaces_the_rows_of_its_run_and_no_other(make):
    make("one")
    make("two")
    with pytest.raises(EquipoiseError, match=r"levels.0.k was 6, is 5.*--force cluster"):
        make("one", k=5)
    outcomes = make("one", k=5, target=12, force="cluster")
    assert [outcome.was_skipped for outcome in outcomes] == [True, False, False]
    assert count(make, CURATED, "one") == 12
    assert count(make, CURATED, "two") == 10
    assert count(make, ASSIGNMENTS, "two") == 40
    assert count(make, POOL) == count(make, EMBEDDINGS) == 40


def test_settings_mended_after_a_failure_leave_what_is_shared_alone(make):
    make("first")
    with pytest.raises(EquipoiseError):
        make("mended", path="absent.npy")
    before = make.workspace.version(EMBEDDINGS), make.workspace.version(POOL)
    make("mended")
    assert (make.workspace.version(EMBEDDINGS), make.workspace.version(POOL)) == before
    assert count(make, CURATED, "mended") == 10


def test_forced_ingest_reads_the_source_anew(make):
    make("again")
    make("again", force="ingest")
    assert count(make, POOL) == count(make, EMBEDDINGS) == 40
    assert count(make, CURATED, "again") == 10
