"""Views that any SQL sees, in a schema of a catalog."""

import pytest

from equipoise.errors import TableError
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, RUNS, Col, Slice
from equipoise.tables import Workspace, register_views
from equipoise.tables.views import keep_views

SCHEMA = "spark_catalog.views_test"


@pytest.fixture
def space(spark):
    spark.sql("create schema if not exists views_test")
    yield Workspace(spark, SCHEMA)
    spark.sql("drop schema views_test cascade")


def write_tree(spark, space, run_id, parents):
    """A run of three items in the clusters 0, 0 and 1; ``parents``: of those of each level, from the finest up."""
    items = [(run_id, 10, 0), (run_id, 11, 0), (run_id, 12, 1)]
    space.append(Slice(ASSIGNMENTS), spark.createDataFrame(items, "run_id string, item_id bigint, cluster_id bigint"))
    rows = [
        (run_id, level, cluster, parent)
        for level, of in enumerate(parents, start=1)
        for cluster, parent in enumerate(of)
    ]
    schema = "run_id string, level int, cluster_id bigint, parent_id bigint"
    space.append(Slice(CENTROIDS), spark.createDataFrame(rows, schema))


def paths(session, run_id):
    return [tuple(row) for row in session.sql(f"select * from {SCHEMA}.item_paths order by item_id").collect()]


def test_paths_and_the_latest_run_are_views_of_the_schema_that_another_session_sees(spark, space):
    write_tree(spark, space, "a", [[5, 6], [None] * 7])
    keep_views(space)
    assert not spark.catalog.tableExists(f"{SCHEMA}.latest_run")  # no run was written yet
    events = "select 'old' as run_id, timestamp '2026-01-01' as at union all select 'new', timestamp '2026-01-02'"
    space.append(Slice(RUNS), spark.sql(events))
    keep_views(space)
    another = spark.newSession()
    assert paths(another, "a") == [("a", 10, 0, 5), ("a", 11, 0, 5), ("a", 12, 1, 6)]
    assert [row[Col.run_id] for row in another.table(f"{SCHEMA}.latest_run").collect()] == ["new"]


def test_a_deeper_run_makes_the_view_of_paths_wider(spark, space):
    write_tree(spark, space, "a", [[None, None]])
    keep_views(space)
    assert paths(spark, "a")[0] == ("a", 10, 0)
    write_tree(spark, space, "b", [[0, 0], [None]])
    keep_views(space)
    assert paths(spark, "b")[0] == ("a", 10, 0, None)
    assert "item_paths" in register_views(spark, SCHEMA)  # beside them, for a notebook


def test_what_has_the_name_of_a_view_is_left_and_told(spark, space):
    write_tree(spark, space, "a", [[None, None]])
    spark.sql(f"create table {SCHEMA}.item_paths using delta as select 1 as mine")
    with pytest.raises(
        TableError, match=r"view spark_catalog\.views_test\.item_paths cannot be made: .*register_views"
    ):
        keep_views(space)
    assert spark.table(f"{SCHEMA}.item_paths").columns == ["mine"]


def test_a_folder_has_no_views_to_keep(spark, tmp_path):
    space = Workspace(spark, str(tmp_path / "space"))
    write_tree(spark, space, "a", [[None, None]])
    keep_views(space)
    assert sorted(one.name for one in (tmp_path / "space").iterdir()) == ["assignments", "centroids"]
