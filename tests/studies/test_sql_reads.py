"""``equipoise sql`` only reads: Spark's own plan says what a statement does. And how it ends where nobody listens."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pyspark.errors import PySparkException

from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.schemas import TABLES, Slice
from equipoise.studies.sql.refusals import check_reads
from equipoise.studies.sql.spark import collected
from equipoise.tables import Workspace, register_views

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(spark, tmp_path_factory) -> Path:
    """A workspace with two tables of a row."""
    place = tmp_path_factory.mktemp("sql") / "a workspace"
    workspace = Workspace(spark, place)
    workspace.append(Slice(TABLES["pool"]), spark.sql("select 1L as item_id, 'web' as source, 'cat' as label"))
    workspace.append(Slice(TABLES["runs"]), spark.sql("select 'r' as run_id, 'ingest' as stage, now() as at"))
    return place


@pytest.fixture(scope="module")
def by_spark(spark, folder):
    """Spark's answer, in a session that keeps its views."""
    session = spark.newSession()
    views = register_views(session, str(folder))
    return lambda sql: collected(session, sql, views=views, limit=10)


def run(*arguments, capsys):
    code = main(["sql", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize(
    "sql",
    [
        "delete from pool",
        "insert into pool select * from pool",
        "with q as (select * from pool) insert into pool select * from q",
        "from pool insert into pool select *",
        "from pool insert into pool select * insert into pool select *",
        "update pool set label = 'x'",
        "restore table pool to version as of 0",
        "convert to delta parquet.`/x`",
        "reset",
        "refresh table pool",
        "list jars",
        "begin select 1; end",
        "execute immediate 'delete from pool'",
    ],
)
def test_sparks_own_plan_says_what_writes(by_spark, folder, sql):
    before = by_spark("select count(*) from pool").rows
    log = sorted((folder / "pool" / "_delta_log").iterdir())
    with pytest.raises(InputError, match="is none that only reads"):
        by_spark(sql)
    assert by_spark("select count(*) from pool").rows == before
    assert sorted((folder / "pool" / "_delta_log").iterdir()) == log


@pytest.mark.parametrize(
    "sql", ["show tables", "describe pool", "explain select * from pool", "values (1), (2)", "table runs", "from runs"]
)
def test_what_reads_is_answered(by_spark, sql):
    check_reads(sql)
    assert by_spark(sql).rows


@pytest.mark.parametrize(
    "sql",
    [
        "delete from pool",
        "insert into pool select * from pool",
        "update pool set label = 'x'",
        "merge into pool using (select 1 as a) on item_id = a when matched then delete",
    ],
)
def test_registered_views_cannot_be_written_to(spark, folder, sql):
    session = spark.newSession()
    register_views(session, str(folder))
    log = sorted((folder / "pool" / "_delta_log").iterdir())
    with pytest.raises(PySparkException):
        session.sql(sql)
    assert sorted((folder / "pool" / "_delta_log").iterdir()) == log


@pytest.mark.parametrize("sql", ["selec 1", "select * from pool where (", "select (1", "select 1; delete from pool"])
def test_what_cannot_be_parsed_keeps_the_parsers_reason(by_spark, sql):
    with pytest.raises(InputError, match=re.escape(f"query {sql!r} cannot be run: [PARSE_SYNTAX_ERROR] Syntax error")):
        by_spark(sql)


@pytest.mark.parametrize("limit", ["0", "-1", "many", "99999999999"])
def test_a_limit_that_is_none_is_refused(folder, capsys, limit):
    with pytest.raises(SystemExit) as ended:
        main(["sql", "select 1", "--workspace", str(folder), f"--limit={limit}"])
    assert ended.value.code == 2 and "is no whole number" in capsys.readouterr().err


@pytest.mark.parametrize("place, said", [("", "names nothing"), ("/", "is the root"), ("a:b", "reads as a place of")])
@pytest.mark.parametrize("engine", ["auto", "duckdb", "spark"])
def test_a_workspace_that_is_no_place_is_refused_without_a_jvm(capsys, monkeypatch, place, said, engine):
    monkeypatch.setattr("equipoise.session.get_session", lambda *arguments: pytest.fail("Spark was started"))
    code, out, err = run("select 1", "--workspace", place, "--engine", engine, capsys=capsys)
    assert (code, out) == (2, "") and err.startswith(f"equipoise: workspace {place!r} {said}")


def test_a_reader_that_has_gone_ends_it_quietly(folder):
    arguments = ["sql", "select * from pool", "--workspace", str(folder)]
    program = f"from equipoise.cli import main; raise SystemExit(main({arguments!r}))"
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=closed, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (141, b"")
