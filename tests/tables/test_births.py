"""Tables are born by their first write, whoever else bears them in the same moment; conflicts are told by class."""

import threading
from pathlib import Path

import pytest
from delta.exceptions import ConcurrentAppendException
from delta.tables import DeltaTable
from pyspark.errors import AnalysisException

from equipoise.errors import TableError
from equipoise.schemas import CURATED, SCHEMA_VERSION, Col, Slice
from equipoise.tables import Workspace, commits
from equipoise.tables.commits import ATTEMPTS, is_in_the_way, lost_a_race, retried

A, B = (Slice(CURATED, {Col.run_id: run_id, Col.selection: "x"}) for run_id in "ab")


@pytest.fixture(params=["folder", "catalog"])
def space(request, spark, tmp_path):
    if request.param == "folder":
        yield Workspace(spark, str(tmp_path / "space"))
        return
    spark.sql(f"create schema births_test location '{tmp_path}/births_test'")
    yield Workspace(spark, "spark_catalog.births_test")
    spark.sql("drop schema births_test cascade")


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """How long it was waited, none of it in earnest."""
    waited: list[float] = []
    monkeypatch.setattr(commits, "sleep", waited.append)
    return waited


def rows_of(spark, *ids):
    return spark.createDataFrame([(one,) for one in ids], "item_id bigint")


def items_of(space):
    return sorted(row[Col.item_id] for row in Workspace(space.spark, space.given).read(CURATED).collect())


def delta_of(space):
    make = DeltaTable.forName if space.is_catalog else DeltaTable.forPath
    return make(space.spark, space.place(CURATED))


def folder_of(space, tmp_path) -> Path:
    return tmp_path / ("births_test/curated" if space.is_catalog else "space/curated")


def leave_half_a_birth(folder: Path) -> None:
    """Files of a table that has no log yet."""
    (folder / "run_id=a").mkdir(parents=True)
    (folder / "run_id=a/part-0.parquet").write_bytes(b"cut off")


def test_a_table_is_born_with_its_first_rows(spark, space):
    space.append(A, rows_of(spark, 1))
    assert [row["operation"] for row in delta_of(space).history().collect()] == ["CREATE TABLE AS SELECT"]
    detail = delta_of(space).detail().collect()[0]
    assert detail["partitionColumns"] == [Col.run_id, Col.selection]
    assert detail["description"] == CURATED.meaning
    assert detail["properties"] == {
        "equipoise.schemaVersion": str(SCHEMA_VERSION),
        "delta.logRetentionDuration": "interval 30 days",
        "delta.deletedFileRetentionDuration": "interval 30 days",
    }
    assert space.read(CURATED).schema == CURATED.schema


def test_files_of_a_birth_in_another_process_are_waited_for(spark, space, tmp_path, monkeypatch):
    """Its folder is there, its log is not: in the first pause it comes."""
    folder = folder_of(space, tmp_path)
    leave_half_a_birth(folder)
    waited = []

    def born_meanwhile(seconds):
        waited.append(seconds)
        for file in folder.glob("*/*"):
            file.unlink()
        (folder / "run_id=a").rmdir()
        folder.rmdir()
        Workspace(spark, space.given).append(A, rows_of(spark, 1))

    monkeypatch.setattr(commits, "sleep", born_meanwhile)
    space.append(B, rows_of(spark, 2))
    assert waited == [1] and items_of(space) == [1, 2]


def test_a_birth_that_was_broken_off_is_begun_again(spark, tmp_path, waits):
    """A kill leaves files where no table is, and Spark takes any for one."""
    space = Workspace(spark, str(tmp_path / "space"))
    folder = tmp_path / "space/curated"
    (folder / "_delta_log/_staged_commits").mkdir(parents=True)
    leave_half_a_birth(folder)
    assert space.append(A, rows_of(spark, 1)).version == 0
    space.append(B, rows_of(spark, 2))
    assert items_of(space) == [1, 2] and len(waits) == ATTEMPTS - 1
    detail = delta_of(space).detail().collect()[0]
    assert detail["partitionColumns"] == [Col.run_id, Col.selection]
    assert detail["properties"]["equipoise.schemaVersion"] == str(SCHEMA_VERSION)


def test_a_table_that_another_process_made_in_the_same_moment_is_added_to(spark, space, waits, monkeypatch):
    Workspace(spark, space.given).append(A, rows_of(spark, 1))
    exists, seen = Workspace.exists, []
    # the first look comes before the other process, all others after
    monkeypatch.setattr(Workspace, "exists", lambda self, table: (bool(seen) and exists(self, table)) or seen.append(1))
    space.append(B, rows_of(spark, 2))
    assert items_of(space) == [1, 2] and not waits


def test_a_table_that_came_while_a_broken_birth_was_replaced_is_kept(spark, space, waits, monkeypatch):
    Workspace(spark, space.given).append(A, rows_of(spark, 1))
    answers = iter([False] * (1 + ATTEMPTS))  # not when it is asked for, nor after any birth is refused
    monkeypatch.setattr(Workspace, "exists", lambda self, table: next(answers, True))
    space.append(B, rows_of(spark, 2))
    assert items_of(space) == [1, 2] and len(waits) == ATTEMPTS - 1


def test_of_many_births_in_one_moment_all_rows_are_kept(spark, tmp_path):
    """Threads with a look of their own each: whoever is first, the others add to its table."""
    failed = []
    start = threading.Barrier(4)

    def bear(number):
        space = Workspace(spark.newSession(), str(tmp_path / "space"))
        start.wait()
        try:
            space.append(Slice(CURATED, {Col.run_id: f"r{number}", Col.selection: "x"}), rows_of(space.spark, number))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=bear, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert items_of(Workspace(spark, str(tmp_path / "space"))) == [0, 1, 2, 3]


def test_a_conflict_is_told_by_its_class_and_not_by_its_words(waits):
    calls = []

    def commit(*errors):
        def act():
            calls.append(1)
            if len(calls) <= len(errors):
                raise errors[len(calls) - 1]
            return "done"

        calls.clear()
        return act

    conflict = ConcurrentAppendException("another writer was faster")
    assert retried(commit(conflict, conflict), "x") == "done" and waits == [1, 2]
    words = AnalysisException("column `ConcurrentAppendException` of DELTA_CONCURRENT_APPEND cannot be found")
    with pytest.raises(TableError, match=r"^x: column"):
        retried(commit(words), "x")
    assert len(calls) == 1
    with pytest.raises(TableError, match=r"^y: another writer was faster$"):
        retried(commit(*[conflict] * ATTEMPTS), "y")


def test_the_classes_of_java_tell_too(spark):
    """What Spark hands over as it is, or as the cause of something else."""
    from py4j.protocol import Py4JJavaError

    java = spark.sparkContext._jvm.java

    def thrown(exception):
        return Py4JJavaError("An error occurred", exception)

    conflict = java.util.ConcurrentModificationException("c")
    assert lost_a_race(thrown(conflict))
    assert lost_a_race(thrown(java.lang.RuntimeException("outer", conflict)))
    assert not lost_a_race(thrown(java.lang.RuntimeException("ConcurrentAppendException")))


def test_what_is_in_the_way_of_a_birth_is_told_by_sparks_name_for_it(spark, tmp_path):
    leave_half_a_birth(tmp_path / "t")
    with pytest.raises(AnalysisException) as found:
        spark.sql(f"create table delta.`{tmp_path}/t` using delta as select 1 as a")
    assert is_in_the_way(found.value)
    with pytest.raises(AnalysisException) as other:
        spark.sql("select TABLE_OR_VIEW_ALREADY_EXISTS")
    assert not is_in_the_way(other.value) and not is_in_the_way(None) and not is_in_the_way(OSError("x"))
