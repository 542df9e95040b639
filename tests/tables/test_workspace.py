import pytest

from equipoise.errors import TableError
from equipoise.schemas import CURATED, POOL, REJECTS, SCHEMA_VERSION, Col
from equipoise.tables import Workspace, read_table, register_views


@pytest.fixture(params=["folder", "catalog"])
def workspace(request, spark, tmp_path):
    if request.param == "folder":
        yield Workspace(spark, str(tmp_path / "space"))
        return
    spark.sql("create schema if not exists tables_test")
    yield Workspace(spark, "spark_catalog.tables_test")
    spark.sql("drop schema tables_test cascade")


def selected(spark, *rows):
    return spark.createDataFrame(
        list(rows), "run_id string, selection string, item_id bigint, copies int, cluster_id bigint, origin string"
    )


def items_of(workspace, table=CURATED, version=None):
    return sorted(row[Col.item_id] for row in workspace.read(table, version).collect())


def test_rows_are_written_replaced_read_at_a_version_and_deleted(spark, workspace):
    first = selected(spark, ("a", "x", 1, 1, 0, "cluster"), ("a", "x", 2, 1, 0, "cluster"))
    workspace.replace(CURATED, first, where={Col.run_id: "a", Col.selection: "x"})
    before = workspace.version(CURATED)
    other = selected(spark, ("b", "x", 3, 1, 0, "cluster"))
    workspace.replace(CURATED, other, where={Col.run_id: "b", Col.selection: "x"})
    again = selected(spark, ("a", "x", 4, 1, 0, "cluster"))
    workspace.replace(CURATED, again, where={Col.run_id: "a", Col.selection: "x"})
    assert items_of(workspace) == [3, 4]
    assert items_of(workspace, version=before) == [1, 2]
    workspace.delete(CURATED, where={Col.run_id: ["b", "c"]})
    assert items_of(workspace) == [4]


def test_only_new_keys_are_inserted_and_missing_columns_are_null(spark, workspace):
    workspace.insert_new(POOL, spark.createDataFrame([(1, "s"), (2, "s")], "item_id bigint, source string"))
    more = spark.createDataFrame([(2, "t"), (3, "t")], "item_id bigint, source string")
    workspace.insert_new(POOL, more)
    rows = {row[Col.item_id]: row for row in workspace.read(POOL).collect()}
    assert {key: row[Col.source] for key, row in rows.items()} == {1: "s", 2: "s", 3: "t"}
    assert rows[3][Col.uri] is None
    workspace.delete_matching(POOL, more.select("item_id"))
    assert items_of(workspace, POOL) == [1]


def test_a_quote_in_a_value_stays_a_value(spark, workspace):
    columns = "run_id string, item_id bigint, stage string"
    workspace.replace(REJECTS, spark.createDataFrame([("it's", 1, "embed")], columns), where={Col.run_id: "it's"})
    workspace.delete(REJECTS, where={Col.run_id: "it' or 'a' = 'a"})
    assert items_of(workspace, REJECTS) == [1]


def test_a_workspace_without_tables_and_a_table_that_is_not_there_are_named(spark, workspace):
    with pytest.raises(TableError, match="holds no Equipoise table"):
        register_views(spark, workspace.location)
    with pytest.raises(TableError, match="did you mean 'curated'"):
        read_table(spark, workspace.location, "curate")


def test_a_table_of_another_schema_version_is_refused_by_name(spark, tmp_path):
    place = tmp_path / "curated"
    spark.sql(f"create table delta.`{place}` (a int) using delta tblproperties ('equipoise.schemaVersion' = '99')")
    with pytest.raises(TableError, match=f"curated has schema version 99, this code writes {SCHEMA_VERSION}:"):
        Workspace(spark, str(tmp_path)).read(CURATED)
