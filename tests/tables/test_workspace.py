"""A workspace: slices written, replaced, read at a version and removed; on Delta, and in memory for other tests."""

import pytest
from delta.tables import DeltaTable

from equipoise.errors import TableError
from equipoise.schemas import (
    CURATED,
    DUPLICATES,
    EMBEDDINGS,
    POOL,
    REJECTS,
    SCHEMA_VERSION,
    TABLES,
    Col,
    Slice,
    slice_of,
)  # fmt: skip
from equipoise.tables import Workspace, read_table, register_views
from stages.fakes import MemoryWorkspace


@pytest.fixture(params=["folder", "catalog", "memory"])
def workspace(request, spark, tmp_path):
    if request.param == "memory":
        yield MemoryWorkspace(spark)
        return
    if request.param == "folder":
        yield Workspace(spark, str(tmp_path / "space"))
        return
    spark.sql("create schema if not exists tables_test")
    yield Workspace(spark, "spark_catalog.tables_test")
    spark.sql("drop schema tables_test cascade")


@pytest.fixture
def delta(spark, tmp_path):
    return Workspace(spark, str(tmp_path / "space"))


def part(table=CURATED, **where):
    return Slice(table, where)


def rows_of(spark, *ids, **columns):
    frame = spark.createDataFrame([(one,) for one in ids], "item_id bigint")
    for name, value in columns.items():
        frame = frame.selectExpr("*", f"'{value}' as {name}")
    return frame


def items_of(workspace, part=CURATED, version=None):
    return sorted(row[Col.item_id] for row in workspace.read(part, version).collect())


def table_of(workspace, table):
    make = DeltaTable.forName if workspace.is_catalog else DeltaTable.forPath
    return make(workspace.spark, workspace.place(table))


def operations(workspace, table):
    history = table_of(workspace, table).history()
    return [row["operation"] for row in history.orderBy("version").collect()]


A, B = part(run_id="a", selection="x"), part(run_id="b", selection="x")


def test_slices_are_written_replaced_read_at_a_version_and_removed(spark, workspace):
    assert not workspace.exists(CURATED) and workspace.version(CURATED) is None
    assert items_of(workspace) == [] and workspace.read(CURATED).columns == CURATED.columns
    first = workspace.append(A, rows_of(spark, 1, 2))
    assert (first.version, first.n_rows) == (0, 2)
    assert workspace.exists(CURATED) and workspace.version(CURATED) == 0
    workspace.append(B, rows_of(spark, 3))
    again = workspace.replace(A, rows_of(spark, 4, 5, 6))
    assert (again.version, again.n_rows) == (2, 3)
    assert items_of(workspace) == [3, 4, 5, 6]
    assert items_of(workspace, version=0) == [1, 2]
    assert items_of(workspace, A) == [4, 5, 6] and items_of(workspace, part(run_id=("b", "c"))) == [3]
    workspace.clear(A)
    assert items_of(workspace) == [3]
    workspace.clear(part(REJECTS, run_id="a"))  # a table that is not there has none
    assert not workspace.exists(REJECTS)


def test_a_slice_of_several_values_is_read_replaced_and_removed_as_one(spark, workspace):
    for number, run_id in enumerate("abcd", start=1):
        workspace.append(part(run_id=run_id, selection="x"), rows_of(spark, number))
    both = part(run_id=("b", "c", "none"))
    assert items_of(workspace, both) == [2, 3]
    workspace.replace(both, rows_of(spark, 7, run_id="b", selection="y"))
    assert items_of(workspace) == [1, 4, 7] and items_of(workspace, part(run_id="b", selection="y")) == [7]
    workspace.clear(part(run_id=("a", "b")))
    assert items_of(workspace) == [4]


def test_a_slice_may_be_replaced_by_nothing_and_the_table_born_empty(spark, workspace):
    workspace.replace(A, rows_of(spark, 1).limit(0))
    assert workspace.exists(CURATED) and items_of(workspace) == []
    workspace.append(A, rows_of(spark, 1))
    workspace.append(B, rows_of(spark, 2))
    workspace.replace(A, rows_of(spark, 1).limit(0))
    assert items_of(workspace) == [2]


def test_a_slice_gives_its_values_and_missing_columns_are_null(spark, workspace):
    workspace.append(A, rows_of(spark, 1, selection="another", origin="cluster"))
    (row,) = workspace.read(CURATED).collect()
    assert (row[Col.run_id], row[Col.selection], row[Col.origin], row[Col.copies]) == ("a", "x", "cluster", None)


def test_only_keys_that_others_did_not_add_meanwhile_are_inserted(spark, workspace):
    mine = part(POOL, source="s")
    workspace.insert_new(mine, rows_of(spark, 1, 2), since=None)
    assert workspace.insert_new(mine, rows_of(spark, 3), since=0) == 1
    assert workspace.insert_new(mine, rows_of(spark, 3, 4), since=0) == 2  # version 1 came after
    assert items_of(workspace, POOL) == [1, 2, 3, 4]


def test_items_of_a_slice_are_deleted_by_their_ids(spark, workspace):
    workspace.delete_items(A, rows_of(spark, 1))  # a table that is not there has none
    workspace.append(A, rows_of(spark, 1, 2, 3))
    workspace.append(B, rows_of(spark, 1, 2))
    workspace.delete_items(A, rows_of(spark, 1, 3, 9))
    assert items_of(workspace, A) == [2] and items_of(workspace, B) == [1, 2]


def test_what_is_kept_and_what_is_not_are_slices_of_their_own(spark, workspace):
    kept, dropped = (part(DUPLICATES, run_id="a", is_kept=value) for value in (True, False))
    workspace.append(kept, rows_of(spark, 1))
    workspace.append(dropped, rows_of(spark, 2))
    workspace.replace(dropped, rows_of(spark, 3, 4))
    assert (items_of(workspace, kept), items_of(workspace, dropped)) == ([1], [3, 4])
    assert not kept.overlaps(dropped)
    recorded = slice_of(dropped.path)  # as a run's record has it, in which all values are text
    assert items_of(workspace, recorded) == [3, 4]
    workspace.clear(recorded)
    assert items_of(workspace, DUPLICATES) == [1]


def test_a_quote_in_a_value_stays_a_value(spark, workspace):
    workspace.append(part(REJECTS, run_id="it's", stage="embed"), rows_of(spark, 1))
    workspace.clear(part(REJECTS, run_id="it' or 'a' = 'a"))
    assert items_of(workspace, REJECTS) == [1] == items_of(workspace, part(REJECTS, run_id="it's"))


def test_a_catalog_or_schema_that_is_not_there_is_named_with_the_way_out(spark):
    with pytest.raises(TableError, match=r"workspace 'cat.sch' is a schema of a catalog, .* write \./cat.sch"):
        Workspace(spark, "cat.sch").append(A, rows_of(spark, 1))


def test_another_slice_keeps_its_files(spark, delta):
    """Replacing and clearing are about whole partitions: no file of others is written again."""

    def files(run_id):
        return sorted(row[0] for row in delta.read(part(run_id=run_id)).selectExpr("_metadata.file_path").collect())

    delta.append(A, rows_of(spark, 1))
    delta.append(B, rows_of(spark, 2))
    before = files("b")
    delta.replace(A, rows_of(spark, 3, 4))
    delta.clear(A)
    assert files("b") == before and len(before) == 1
    newest = table_of(delta, CURATED).history(1).collect()[0]
    assert newest["operation"] == "DELETE" and newest["operationMetrics"]["numAddedFiles"] == "0"


def test_every_table_can_be_born(spark, delta):
    for table in TABLES.values():
        empty = spark.createDataFrame([], table.schema)
        delta.append(Slice(table), empty)
        assert delta.read(table).schema == table.schema


def test_rows_are_appended_where_nobody_wrote_meanwhile_and_merged_where_somebody_did(spark, delta):
    mine = part(POOL, source="s")
    delta.insert_new(mine, rows_of(spark, 1), since=None)
    delta.insert_new(mine, rows_of(spark, 2), since=0)
    delta.insert_new(mine, rows_of(spark, 2, 3), since=0)
    assert operations(delta, POOL) == ["CREATE TABLE AS SELECT", "WRITE", "MERGE"]
    assert items_of(delta, POOL) == [1, 2, 3]


def test_of_rows_that_two_runs_added_in_one_moment_one_stays(spark, delta, monkeypatch):
    mine = part(EMBEDDINGS, encoder_id="e", source="s")
    delta.insert_new(mine, rows_of(spark, 1), since=None)
    other = Workspace(spark, delta.location)
    monkeypatch.setattr(Workspace, "version", lambda self, table: 0)  # both look, then both write
    other.append(mine, rows_of(spark, 2))
    assert delta.insert_new(mine, rows_of(spark, 2, 3), since=0) == 3  # born, the other's, its own, less copies
    assert items_of(delta, EMBEDDINGS) == [1, 2, 3]
    assert delta.drop_copies(mine) is None


def test_of_rows_that_another_run_adds_while_copies_are_dropped_none_is_lost(spark, delta, monkeypatch):
    mine = part(EMBEDDINGS, encoder_id="e", source="s")
    delta.insert_new(mine, rows_of(spark, 1), since=None)
    Workspace(spark, delta.location).append(mine, rows_of(spark, 1))
    saved = Workspace._saved

    def after_another(self, part, rows, options):
        monkeypatch.setattr(Workspace, "_saved", saved)
        Workspace(spark, delta.location).append(mine, rows_of(spark, 2))
        return saved(self, part, rows, options)

    monkeypatch.setattr(Workspace, "_saved", after_another)
    delta.drop_copies(mine)
    assert items_of(delta, EMBEDDINGS) == [1, 2]


def test_a_commit_is_told_from_those_that_came_after_it(spark, delta):
    mine = part(POOL, source="s")
    born = delta.append(mine, rows_of(spark, 1, 2))
    merged = delta.insert_new(mine, rows_of(spark, 2, 3), since=-1)
    delta.append(mine, rows_of(spark, 4))
    assert (born.version, born.n_rows, merged) == (0, 2, 1)


def test_what_is_not_there_is_read_without_a_job(spark, delta):
    spark.sparkContext.setJobGroup("absent", "absent")
    try:
        assert delta.read(A).collect() == [] and delta.read(POOL).first() is None
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    assert not spark.sparkContext.statusTracker().getJobIdsForGroup("absent")


def test_a_workspace_without_tables_and_a_table_that_is_not_there_are_named(spark, delta):
    with pytest.raises(TableError, match="holds no Equipoise table"):
        register_views(spark, delta.location)
    with pytest.raises(TableError, match="did you mean 'curated'"):
        read_table(spark, delta.location, "curate")
    with pytest.raises(TableError, match="has no table 'curated' yet"):
        read_table(spark, delta.location, "curated")


def test_a_table_of_another_schema_version_is_refused_by_name(spark, tmp_path):
    place = tmp_path / "curated"
    spark.sql(f"create table delta.`{place}` (a int) using delta tblproperties ('equipoise.schemaVersion' = '99')")
    space = Workspace(spark, str(tmp_path))
    refused = rf"curated has schema version 99, this code writes {SCHEMA_VERSION}: use another workspace"
    with pytest.raises(TableError, match=refused):
        space.read(CURATED)
    with pytest.raises(TableError, match=refused):  # nor is it written to
        space.append(A, rows_of(spark, 1))
    assert spark.read.format("delta").load(str(place)).columns == ["a"]


def test_a_table_that_is_none_of_ours_is_refused_by_name(spark, tmp_path):
    spark.range(1).write.format("delta").save(str(tmp_path / "pool"))
    with pytest.raises(TableError, match="pool has schema version None"):
        Workspace(spark, str(tmp_path)).version(POOL)


def test_a_version_that_is_gone_is_an_error_with_the_way_out(spark, delta):
    delta.append(A, rows_of(spark, 1))
    with pytest.raises(TableError, match=r"curated cannot be read at version 7: .* kept for 30 days: start a new run"):
        delta.read(CURATED, 7).collect()


def test_the_schema_version_is_looked_at_once_a_workspace(spark, delta, monkeypatch):
    delta.append(A, rows_of(spark, 1))
    delta.append(part(POOL, source="s"), rows_of(spark, 1))
    looks = []
    monkeypatch.setattr(Workspace, "_check_version", lambda self, table: looks.append(table.name))
    other = Workspace(spark, delta.location)
    assert other.exists(CURATED) and other.exists(POOL) and other.exists(CURATED)
    assert looks == ["curated"]
