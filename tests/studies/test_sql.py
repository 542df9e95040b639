"""``equipoise sql``: what DuckDB answers is what Spark answers, and what it might answer otherwise is left to Spark."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.errors import InputError
from equipoise.schemas import TABLES, Col, Slice
from equipoise.studies.sql.duck import answered
from equipoise.studies.sql.kinds import TranslationError
from equipoise.studies.sql.spark import collected
from equipoise.tables import Workspace, register_views
from equipoise.tables.definitions import without_tables
from equipoise.tables.local import local_folder

ROOT = Path(__file__).parents[2]
MANY = 1000

ROWS = {
    "pool": """
        values (1, 'web', 'a', 'file:/a', 'h1', timestamp '2026-01-01 10:00:00.123456', X'00ff41', 'cat', 8, 9, 126L,
                map('licence', 'CC0', 'by', null)),
               (2, 'web', 'b', null, null, timestamp '1969-12-31 23:59:59.5', null, 'Dog', 8, null, 0L, map()),
               (-9158438869901240330, 'seeds', 'c, "d"', 'file:/ü', '', null, X'', null, null, 7, null, null),
               (9223372036854775807, 'seeds', 'é''s', '', 'h4', timestamp '2026-07-01 00:00:00', null, 'ant', 3, 7, 5L,
                map('licence', 'MIT'))
        as (item_id, source, key, uri, content_hash, modified_at, content, label, width, height, bytes, attributes)""",
    "rejects": """
        values ('r', 7, 'ingest', 'k', 'file:/k', 'broken', 'truncated'), ('r', 8, 'embed', 'l', null, 'broken', null)
        as (run_id, item_id, stage, key, uri, reason, detail)""",
    "embeddings": """
        values ('pixels-1', 1, array(0.1f, -0.0f, null)), ('pixels-1', 2, array(float('nan'), float('inf'), 3e38f)),
               (null, 3, array()), ('pixels=2 %41/b', 4, null)
        as (encoder_id, item_id, embedding)""",
    "centroids": """
        values ('r', 1, 0L, 1L, array(0.5f), 2L, 2L, 0.1D), ('r', 1, 1L, 1L, array(1.5f), 1L, 1L, null),
               ('r', 1, 2L, 0L, array(2.5f), 1L, 1L, double('nan')),
               ('r', 2, 0L, null, array(3.5f), 1L, 1L, 0.30000000000000004D),
               ('r', 2, 1L, null, array(4.5f), 2L, 3L, 1e-7D), ('it''s 50% x/y=z', 1, 0L, null, null, 0L, null, 1e22D)
        as (run_id, level, cluster_id, parent_id, centroid, n_children, n_items, mean_distance_sq)""",
    "assignments": """
        values ('r', 1, 0L, 0.1f), ('r', 2, 0L, null), ('r', -9158438869901240330, 1L, 16777216f),
               ('r', 9223372036854775807, 2L, float('nan')), ('it''s 50% x/y=z', 1, 0L, 0.3f),
               ('it''s 50% x/y=z', 2, 9L, 0f)
        as (run_id, item_id, cluster_id, distance_sq)""",
    "curated": """
        values ('r', 'balanced', 1, 1, 0L, 'cluster'), ('r', 'balanced', 9223372036854775807, 3, 2L, 'cluster'),
               ('r', 'other', 1, 2, 0L, 'seed'), ('it''s 50% x/y=z', 'balanced', 2, 2147483647, 9L, null)
        as (run_id, selection, item_id, copies, cluster_id, origin)""",
    "iterations": """
        values ('r', 1, 0, 1, 10.5D, 0L, 0.25D), ('r', 1, 0, 2, 9.25D, 1L, 0.5D), ('r', 2, 1, 1, null, 0L, 1D)
        as (run_id, level, resampling, iteration, objective, n_empty, seconds)""",
    "metrics": """
        values ('r', 'pool', 'normalised_entropy', 'level_1', 0.25D),
               ('r', 'balanced', 'normalised_entropy', null, 0.5D),
               ('r', 'balanced', 'cluster_share_ratio', 'level_3=4', -0.0D),
               ('r', 'pool', 'gini', 'level_3=5', double('inf')),
               ('r', 'balanced', 'cluster_share_ratio', 'level_2=4', 0.125D)
        as (run_id, selection, name, group, value)""",
    "duplicate_edges": """
        values ('r', 'deduplicate', 'pixels', 'pool', 1L, 2L, float(0.75)),
               ('r', 'deduplicate', null, 'test', -3L, 9223372036854775807L, float('nan'))
        as (run_id, stage, encoder_id, kind, src, dst, similarity)""",
    "duplicates": """
        values ('r', 'deduplicate', 1L, 1L, true, 1L, float(null), 'copies'),
               ('r', 'deduplicate', 2L, 1L, false, 1L, float(0.75), 'copies'),
               ('old', 'deduplicate', 2L, 2L, null, null, null, null)
        as (run_id, stage, item_id, component_id, is_kept, kept_id, similarity, method)""",
    "failures": """
        values ('r', 'model', 'g', 1, 'q', 'p', 'c', 0.5D, 0.75D, 'file:/q', null, '')
        as (run_id, selection, group, rank, query_id, predicted_id, correct_id, predicted_distance, correct_distance,
            query_shown, predicted_shown, correct_shown)""",
    "checkpoints": """
        values ('r', 'cluster', 'level 1', X'8002ff'), ('r', 'cluster', 'level 2', null)
        as (run_id, stage, key, state)""",
    "runs": """
        values ('old', 'ingest', 'done', '{}', 'f', 0L, map('pool', 1L), '0.1.0', 'app', timestamp '2026-01-01',
                9L, 8L, 1L, 0L, null, map('duplicate', 3L)),
               ('r', 'ingest', 'done', null, null, -1L, null, null, null, timestamp '2026-03-01 00:00:00.000001',
                null, null, null, null, 8L, map())
        as (run_id, stage, status, config, fingerprint, seed, input_versions, code_version, application_id, at,
            n_in, n_out, n_rejected, n_dropped, n_partitions, drops)""",
}
"""Values of every type, nulls, keys that do not look well in a path, and one cluster without a parent."""


@pytest.fixture(scope="module")
def folder(spark, tmp_path_factory) -> Path:
    """A workspace with every table, in several commits."""
    place = tmp_path_factory.mktemp("sql") / "a workspace"
    workspace = Workspace(spark, str(place))
    for name, rows in ROWS.items():
        workspace.append(Slice(TABLES[name]), spark.sql(f"select * from {rows}"))
    gone = TABLES["rejects"]
    workspace.append(Slice(gone), spark.sql("select 'gone' as run_id, 1 as item_id"))
    workspace.clear(Slice(gone, {Col.run_id: "gone"}))
    return place


@pytest.fixture(scope="module")
def by_spark(spark, folder):
    """Spark's answer, in a session that keeps its views."""
    session = spark.newSession()
    views = register_views(session, str(folder))
    return lambda sql: collected(session, sql, views=views, limit=MANY)


@pytest.fixture(scope="module")
def by_duckdb(folder):
    """DuckDB's answer, or TranslationError."""
    return lambda sql: answered(sql, folder=folder, limit=MANY)


@pytest.fixture(scope="module")
def both(by_duckdb, by_spark):
    """Asks both; DuckDB has to answer itself."""
    return lambda sql: (by_duckdb(sql), by_spark(sql))


def written(rows) -> list[str]:
    """Rows as they are printed, whole: 1 and 1.0 differ, the order of a map's keys counts."""
    return [str([str(value) for value in row]) for row in rows]


def check_alike(found, expected, sql):
    assert list(found.columns) == list(expected.columns)
    rows, wanted = written(found.rows), written(expected.rows)
    has_order = "order by" in sql and "over (" not in sql
    assert (rows if has_order else sorted(rows)) == (wanted if has_order else sorted(wanted))


@pytest.mark.parametrize("view", [*ROWS, "item_paths", "latest_run"])
def test_every_view_has_the_same_rows_in_columns_of_the_same_names(both, view):
    found, expected = both(f"select * from {view}")
    check_alike(found, expected, "")
    assert expected.rows
    assert view not in TABLES or list(found.columns) == TABLES[view].columns


def test_item_paths_and_latest_run(by_duckdb):
    found = by_duckdb("select * from item_paths order by run_id, item_id")
    assert list(found.columns) == ["run_id", "item_id", "level_1", "level_2"]
    assert found.rows == [
        ("it's 50% x/y=z", 1, 0, None),
        ("it's 50% x/y=z", 2, 9, None),
        ("r", -9158438869901240330, 1, 1),
        ("r", 1, 0, 1),
        ("r", 2, 0, 1),
        ("r", 9223372036854775807, 2, 0),
    ]
    assert by_duckdb("select * from latest_run").rows == [("r",)]


def queries_of_the_readme() -> list[str]:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```sql\n(.+?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("select")]
    return [*lines, *re.findall(r'equipoise sql "(select label.+?)" --', text)]


README = queries_of_the_readme()


@pytest.mark.parametrize("sql", [query for query in README if "delta." not in query])
def test_the_queries_of_the_readme_have_the_same_rows(both, sql):
    sql = sql.replace("level_3", "level_2")
    found, expected = both(sql)
    check_alike(found, expected, sql)
    assert expected.rows


def test_queries_of_the_readme_were_found():
    assert len(README) >= 9


@pytest.mark.parametrize(
    "sql",
    [
        "select label, width from pool order by label",
        "select label, width from pool order by label desc",
        "select width, height from pool order by width desc, height nulls last",
        "select mean_distance_sq from centroids order by 1",
        "select encoder_id, item_id from embeddings order by encoder_id desc, 2",
        "select source, count(*) as n from pool group by 1 having n > 1 order by 2 desc, 1",
        "select level, max(n_items) as n_items from centroids group by level order by n_items desc",
        "select level, max(n_items) as m from centroids group by level order by -m",
        "select key from pool order by key",
        "select at from runs order by at desc limit 1",
        "select item_id from pool order by item_id limit 2 offset 1",
        "with q as (select source, count(*) as N from pool group by source) select q.*, n + 1 from q order by source",
    ],
)
def test_order(both, sql):
    found, expected = both(sql)
    check_alike(found, expected, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*), count(label), count(distinct source), sum(width), avg(width), min(label) from pool",
        "select COUNT(1), max(P.Label), sum(width) / count(*), -sum(width), 1L, 'a', 3000000000 from pool p",
        "select avg(item_id) from pool where item_id < 100",
        "select sum(copies) filter (where selection = 'balanced') from curated",
        "select count(distinct item_id) as n, sum(distinct width) as s, count_if(width > 3) as c from pool",
        "select width / 3, width / height, width % 3, item_id / 3, -7 % 3 from pool where height is not null",
        "select distance_sq = 0.1 as a, distance_sq * 2.5 as b, distance_sq / 3 as c, distance_sq + distance_sq as d "
        "from assignments",
        "select distance_sq from assignments where distance_sq in (0.1, 0.3) or distance_sq between 0.05 and 0.1",
        "select sum(distance_sq), avg(distance_sq), max(distance_sq) from assignments where run_id <> 'r'",
        "select mean_distance_sq * level as a, mean_distance_sq / 3 as b, mean_distance_sq > 0.1 as c from centroids",
        "select max(mean_distance_sq), min(mean_distance_sq) from centroids",
        "select median(n_items), median(level) from centroids",
        "select value - 0.5 as a, coalesce(value, 0.0) as b, coalesce(value, 0) as c from metrics",
        "select attributes['licence'], attributes['nope'] as n from pool",
        "select input_versions['pool'], drops['duplicate'] + 1 as d from runs",
        "select label from pool where modified_at > '2026-01-01'",
        "select label from pool where modified_at >= '2026-01-01 10:00:00.123456'",
        "select `group` from metrics where group like 'level_3=%' or group not like 'level%'",
        "select label from pool where width not in (8, null)",
        "select label from pool where item_id not in (select item_id from curated)",
        "select label from pool p where exists (select 1 from curated c where c.item_id = p.item_id)",
        "select label, (select count(*) from curated c where c.item_id = p.item_id) as n from pool p",
        "select label from pool where label between 'A' and 'd' or label <=> null",
        "select case when width > 3 then 'big' end as a, case label when 'cat' then 1 else 0 end as b, "
        "if(width = 8, 'x', 'y') as c from pool",
        "select cast(width as double), cast(item_id as string) from pool",
        "select row_number() over (partition by source order by label) as a, rank() over (order by width desc) as b, "
        "sum(width) over (partition by source) as c, label from pool",
        "select distinct source, width from pool",
        "select source as s, width, count(*) as n from pool group by all",
        "select `count(1)` from (select count(*) from pool)",
        "select width + 1 as a, a * 2 as b from pool",
        "select true and null as a, false and null as b, null = 1 as c, 1 <=> 1 as d",
        "select 1.5 as x, 1.50 as y, 1e-7 as z, null as n, true as t",
        'select count(*) from assignments where run_id = "it\'s 50% x/y=z"',
        "select * from embeddings where encoder_id = 'pixels=2 %41/b' or encoder_id is null",
        "select * from curated join item_paths using (run_id, item_id) join latest_run using (run_id)",
        "select * from pool full join curated using (item_id)",
        "select * from pool right join curated using (item_id)",
        "select * from pool left anti join curated using (item_id)",
        "select * from pool p left semi join curated c on p.item_id = c.item_id",
        "select c.*, p.* from curated c join pool p on c.item_id = p.item_id",
        "select p.item_id, q.item_id from pool p cross join pool q where p.item_id < q.item_id",
        "select sum(n) total from (select level_2, count(*) as n from item_paths group by all)",
        "select selection, count(*) as n_items, count(distinct cluster_id) as n_clusters from curated "
        "where run_id = 'r' group by selection",
        "select 1 where false",
    ],
)
def test_what_duckdb_answers_is_what_spark_answers(both, sql):
    found, expected = both(sql)
    check_alike(found, expected, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select xxhash64(1, item_id) as x from pool",
        "select round(value, 2) as x from metrics",
        "select lower(label) as x from pool",
        "select percentile(n_items, 0.5) as x from centroids",
        "select median(mean_distance_sq) as x from centroids",
        "select max_by(label, width) as x from pool",
        "select count(distinct source, label) as x from pool",
        "select embedding[0] as x from embeddings where item_id = 1",
        "select width * 1.5 as x from pool",
        "select width = 8.0 as x from pool",
        "select width = '8' as x from pool",
        "select distance_sq + 1 as x from assignments",
        "select value = 0.1234567890123456789 as x from metrics",
        "select 9223372036854775808 as x",
        "select cast(value as string) as x from metrics",
        "select name from metrics where group like 'level\\_3=%'",
        "select 'it''s' as x",
        "select '${spark.app.name}' as x",
        "select label from pool where modified_at > '2026'",
        "select label, row_number() over (order by label) from pool",
        "select width in (3, 8) from pool",
        "select c.*, p.label from curated c join pool p using (item_id)",
        "select * except (content) from pool",
        "select value, count(*) from metrics group by value",
        "select value, count(*) from metrics group by all",
        "select distinct value from metrics",
        "select level, count(*) as n_items from centroids group by level having n_items > 1",
        "select level, max(n_items) as n_items from centroids group by level order by -n_items",
        "select -level as level, count(*) from centroids group by level",
        "select item_id from pool union all select item_id from curated",
        "select /*+ broadcast(runs) */ run_id from runs",
        "select item_id from pool tablesample (1 rows)",
        "select source, count(*) from pool group by source with rollup",
        "select * from range(3)",
        "select a from (select 1) as t(a)",
        "describe pool",
        "show views",
        "table pool",
    ],
)
def test_what_duckdb_might_answer_otherwise_is_left_to_spark(by_duckdb, by_spark, sql):
    with pytest.raises(TranslationError):
        by_duckdb(sql)
    assert by_spark(sql).rows


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select width / (width - 8) as x from pool", "DIVIDE_BY_ZERO"),
        ("select width % 0 as x from pool", "BY_ZERO"),
        ("select sum(p.item_id) as x from pool p cross join curated where p.item_id > 2", "OVERFLOW"),
        ("select item_id + 1 as x from pool", "OVERFLOW"),
        ("select width from pool where width", "DATATYPE_MISMATCH"),
        ("select width from pool where null", "DATATYPE_MISMATCH"),
        ("select label as a from pool where a = 'cat'", "UNRESOLVED_COLUMN"),
        ("select distinct label from pool order by item_id", "UNRESOLVED_COLUMN"),
        ("select key from pool join rejects on true", "AMBIGUOUS_REFERENCE"),
        ("select if(true, 1)", "WRONG_NUM_ARGS"),
    ],
)
def test_what_spark_refuses_duckdb_does_not_answer(by_duckdb, by_spark, sql, reason):
    with pytest.raises(TranslationError):
        by_duckdb(sql)
    with pytest.raises(InputError, match=reason):
        by_spark(sql)


def run(*arguments, capsys) -> tuple[int, str, str]:
    code = main(["sql", *map(str, arguments)])
    return (code, *capsys.readouterr())


@pytest.fixture(params=["UTC", "Asia/Kolkata"])
def zone(request, monkeypatch):
    """The zone of the machine, in which PySpark hands out times."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_the_engines_print_alike(spark, folder, capsys, zone):
    for sql in ("select * from runs order by at", "select state from checkpoints order by key", "select 1 as `[red]`"):
        auto, other = (run(sql, "--workspace", folder, "--engine", one, capsys=capsys) for one in ("auto", "spark"))
        assert auto == other
    sql = "select modified_at, content, attributes, label, height from pool where item_id = 1"
    code, out, _ = run(sql, "--workspace", folder, "--engine", "duckdb", capsys=capsys)
    hour = {"UTC": "10:00", "Asia/Kolkata": "15:30"}[zone]
    assert code == 0
    values = [value.strip() for value in out.splitlines()[3].strip("│ ").split("│")]
    assert values == [f"2026-01-01 {hour}:00.123456", r"b'\x00\xffA'", "{'licence': 'CC0', 'by': None}", "cat", "9"]


def test_no_more_than_the_limit_is_shown(folder, capsys):
    code, out, _ = run("select key from pool order by key", "--workspace", folder, "--limit", 2, capsys=capsys)
    assert code == 0
    assert [line.strip("│ ") for line in out.splitlines()[3:5]] == ["a", "b"]
    assert out.splitlines()[-1] == "first 2 rows; --limit N shows more"


def test_auto_leaves_to_spark_what_duckdb_cannot_and_the_user_may_insist(spark, folder, capsys):
    sql = "select xxhash64(1, item_id) as draw from pool order by draw limit 1"
    code, out, err = run(sql, "--workspace", folder, capsys=capsys)
    assert (code, err) == (0, "")
    assert out == run(sql, "--workspace", folder, "--engine", "spark", capsys=capsys)[1]
    assert re.search(r"│ -?\d{15,} +│", out)
    code, out, err = run(sql, "--workspace", folder, "--engine", "duckdb", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith(f"equipoise: query {sql!r} is left to Spark: ANONYMOUS. Drop --engine duckdb")


def test_older_versions_and_histories_are_left_to_spark(spark, folder, capsys):
    queries = [query for query in README if "delta." in query]
    assert queries
    for query in [*queries, "describe history delta.`/full/path/to/warehouse/demo/curated`"]:
        sql = query.replace("/full/path/to/warehouse/demo", str(folder))
        code, out, _ = run(sql, "--workspace", folder, capsys=capsys)
        assert (code, len(out.splitlines()) > 4) == (0, True)


FEATURES = {
    "deletion vectors": "set tblproperties ('delta.enableDeletionVectors' = 'true')",
    "renamed columns": "set tblproperties ('delta.columnMapping.mode' = 'name', 'delta.minReaderVersion' = '2', "
    "'delta.minWriterVersion' = '5')",
    "another version": "set tblproperties ('equipoise.schemaVersion' = '1')",
}


@pytest.mark.parametrize("feature", FEATURES)
def test_tables_that_only_spark_can_read_are_left_to_it(spark, tmp_path, capsys, feature):
    workspace = Workspace(spark, str(tmp_path))
    rows = "values ('r', 'balanced', 1, 1, 0L, 'cluster'), ('r', 'balanced', 2, 1, 0L, 'cluster')"
    workspace.append(
        Slice(TABLES["curated"]), spark.sql(f"select * from {rows} as ({', '.join(TABLES['curated'].columns)})")
    )
    sql = "select item_id from curated"
    assert sorted(answered(sql, folder=tmp_path, limit=MANY).rows) == [(1,), (2,)]
    spark.sql(f"alter table delta.`{tmp_path}/curated` {FEATURES[feature]}")
    spark.sql(f"delete from delta.`{tmp_path}/curated` where item_id = 1")
    with pytest.raises(TranslationError):
        answered(sql, folder=tmp_path, limit=MANY)
    code, out, err = run(sql, "--workspace", tmp_path, capsys=capsys)
    if feature == "another version":
        assert code == 2 and "schema version 1" in err
    else:
        assert code == 0 and [line.strip("│ ") for line in out.splitlines()[3:-1]] == ["2"]


def test_an_unknown_view_is_refused_in_the_same_words(spark, folder, by_duckdb, capsys, monkeypatch):
    sql = "select * from Nope join pool using (item_id)"
    asked = [run(sql, "--workspace", folder, "--engine", engine, capsys=capsys) for engine in ("duckdb", "spark")]
    assert asked[0] == asked[1]
    code, out, err = asked[0]
    assert (code, out) == (2, "")
    assert "`Nope` cannot be found" in err and "item_paths, latest_run" in err
    monkeypatch.setenv("SPARK_HOME", "/opt/spark")  # which may know of a catalog
    with pytest.raises(TranslationError):
        by_duckdb(sql)


@pytest.mark.parametrize("engine", ["auto", "duckdb", "spark"])
@pytest.mark.parametrize("name", ["nowhere", "."])
def test_a_folder_without_tables_is_refused_without_a_jvm(tmp_path, capsys, engine, name, monkeypatch):
    monkeypatch.setattr("equipoise.session.get_session", None)
    monkeypatch.delenv("SPARK_HOME", raising=False)
    monkeypatch.delenv("HADOOP_CONF_DIR", raising=False)
    place = tmp_path / name
    code, out, err = run("select 1", "--workspace", place, "--engine", engine, capsys=capsys)
    assert (code, out) == (2, "")
    assert err == f"equipoise: {without_tables(str(place))}\n"


def test_where_spark_may_see_other_files_it_is_asked(spark, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    code, _, err = run("select 1", "--workspace", tmp_path, capsys=capsys)
    assert (code, err) == (2, f"equipoise: {without_tables(str(tmp_path))}\n")


@pytest.mark.parametrize(
    ("workspace", "folder"),
    [
        ("warehouse/demo", "warehouse/demo"),
        ("/a b/c", "/a b/c"),
        ("file:/a/b", "/a/b"),
        ("file:///a/b", "/a/b"),
        ("catalog.schema", None),
        ("s3://bucket/demo", None),
        ("dbfs:/demo", None),
        ("/a%20b", None),
    ],
)
def test_local_folders(workspace, folder):
    assert local_folder(workspace) == (None if folder is None else Path(folder))


def test_a_catalog_is_read_by_spark_alone(spark, capsys):
    spark.sql("create schema if not exists sql_test")
    try:
        space = "spark_catalog.sql_test"
        rows = spark.sql("select 'r' as run_id, 'balanced' as selection, 7L as item_id")
        Workspace(spark, space).append(Slice(TABLES["curated"]), rows)
        code, out, _ = run("select item_id from curated", "--workspace", space, capsys=capsys)
        assert code == 0 and "│ 7 " in out
        code, _, err = run("select item_id from curated", "--workspace", space, "--engine", "duckdb", capsys=capsys)
        assert code == 2 and "the workspace is no local folder" in err
    finally:
        spark.sql("drop schema sql_test cascade")


@pytest.mark.parametrize(
    "sql",
    [
        "delete from delta.`{}`",
        "-- only a look\ninsert into delta.`{0}` select * from delta.`{0}`",
        "with q as (select * from delta.`{0}`) insert into delta.`{0}` select * from q",
        "from delta.`{0}` insert into delta.`{0}` select *",
        "update delta.`{}` set copies = 2",
        "drop table delta.`{}`",
        "vacuum delta.`{}`",
        "create table t as select 1",
        "create or replace temporary view pool as select 1",
        "set spark.sql.ansi.enabled = false",
        "cache table pool",
        "insert into pool select * from pool",
        "delete from pool",
    ],
)
def test_what_writes_is_refused_and_changes_nothing(folder, capsys, sql):
    log = folder / "curated" / "_delta_log"
    before = sorted(log.iterdir())
    for engine in ("auto", "duckdb", "spark"):
        query = sql.format(folder / "curated")
        code, out, err = run(query, "--workspace", folder, "--engine", engine, capsys=capsys)
        assert (code, out) == (2, "")
        assert "is none that only reads" in err
    assert sorted(log.iterdir()) == before


def test_duckdb_reads_nothing_but_the_views(by_duckdb, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for source in (f"read_csv('{tmp_path}/secret.csv')", f"`{tmp_path}/secret.csv`", "duckdb_settings()"):
        with pytest.raises((TranslationError, InputError)):
            by_duckdb(f"select * from {source}")


def test_neither_spark_nor_a_jvm_is_started_where_duckdb_answers(folder):
    """Of Spark's modules, those alone are there that the schemas need for themselves."""
    program = (
        "import sys, equipoise.schemas\n"
        "before = set(sys.modules)\n"
        "from equipoise.cli import main\n"
        f"code = main(['sql', 'select count(*) as n from pool', '--workspace', {str(folder)!r}])\n"
        "later = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(code, later & {'pyspark', 'py4j', 'delta'})"
    )
    environment = {**os.environ, "JAVA_HOME": "/nowhere", "PYTHONPATH": str(ROOT / "lib")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"
    assert "│ 4 │" in done.stdout


def test_a_table_that_nothing_was_written_to_has_no_rows_in_either_engine(spark, tmp_path, capsys):
    """A run without rejects has no such table, and a query over them still an answer."""
    Workspace(spark, str(tmp_path)).append(Slice(TABLES["runs"]), spark.sql(f"select * from {ROWS['runs']}"))
    for name in TABLES.keys() - {"runs"}:
        by_duckdb = answered(f"select * from {name}", folder=tmp_path, limit=MANY)
        assert (by_duckdb.rows, by_duckdb.columns) == ([], TABLES[name].columns)
    views = register_views(spark, str(tmp_path))
    assert {"rejects", "item_paths", "latest_run"} <= set(views)
    sql = "select run_id, stage, reason, count(*) as n from rejects group by run_id, stage, reason"
    assert spark.sql(sql).collect() == answered(sql, folder=tmp_path, limit=MANY).rows == []
    assert spark.sql("select * from item_paths").collect() == []
