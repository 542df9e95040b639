"""Tables as users have them: names, folders and types that others than Spark write."""

from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.schemas import Col
from sources.asked import refusal, rows
from sources.parquet_written import not_utf8, written

LARGE = 1_234_567_890_123_456_789
ONE = UUID("12345678-9abc-def0-1234-56789abcdef0")
NANOSECONDS = pa.array([1, 2], pa.timestamp("ns"))


def test_values_of_folders_are_the_texts_that_they_are(spark, tmp_path):
    for value in ("007", "1d", "2f", "a%3Ab", "2020-01-01", "__HIVE_DEFAULT_PARTITION__"):
        written(tmp_path / f"cls={value}" / "a.parquet", id=[value])
    found = rows(spark, kind="table", path=tmp_path, uri="id", label="cls", attributes=["cls"])
    labels = {row[Col.uri]: row[Col.label] for row in found}
    assert labels == {
        **{value: value for value in ("007", "1d", "2f", "2020-01-01")},
        "a%3Ab": "a:b",
        "__HIVE_DEFAULT_PARTITION__": None,
    }
    assert all(row[Col.attributes] == {"cls": row[Col.label]} for row in found)
    assert spark.conf.get("spark.sql.sources.partitionColumnTypeInference.enabled") == "true"


@pytest.mark.parametrize("extra", [{}, {"at": NANOSECONDS}], ids=["by Spark", "by pyarrow"])
def test_names_of_columns_are_data(spark, tmp_path, extra):
    names = ["a`b", "c.d", "_metadata", "e f", "``"]
    columns = {name: [f"{name} 1", f"{name} 2"] for name in names}
    written(tmp_path / "a.parquet", {**columns, "v": [[1.0, 2.0], [3.0, 4.0]], **extra})
    more = {"label": "_metadata", "attributes": [*names, "c.d"]}
    found = rows(spark, kind="table", path=tmp_path, id="a`b", content="c.d", **more)
    assert [(row[Col.key], row[Col.content], row[Col.label]) for row in found] == [
        (f"a`b {n}", f"c.d {n}".encode(), f"_metadata {n}") for n in (1, 2)
    ]
    assert found[0][Col.attributes] == {name: f"{name} 1" for name in names}
    (first, _) = rows(spark, kind="embeddings", path=tmp_path, id="``", vector="v", uri="c.d", **more)
    assert (first[Col.key], first[Col.uri], first[Col.embedding]) == ("`` 1", "c.d 1", [1.0, 2.0])
    assert "did you mean 'c.d'" in refusal(spark, kind="table", path=tmp_path, content="c.dd")


def test_names_that_differ_in_case_alone_are_two_columns(spark, tmp_path):
    written(tmp_path / "a.parquet", {"id": [1], "Text": ["a"], "text": ["b"], "TEXT": ["c"]})
    (found,) = rows(spark, kind="table", path=tmp_path, id="id", content="text", label="Text", attributes=["TEXT"])
    assert (found[Col.content], found[Col.label], found[Col.attributes]) == (b"b", "a", {"TEXT": "c"})


def test_a_name_that_two_columns_have_is_refused_where_it_is_asked_for(spark, tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array(["x"])] * 3, names=["a", "a", "b"]), tmp_path / "a.parquet")
    assert [row[Col.key] for row in rows(spark, kind="table", path=tmp_path, id="b", uri="b")] == ["x"]
    message = refusal(spark, kind="table", path=tmp_path, id="b", content="a")
    assert message.startswith("source.content: ") and "has 2 columns called 'a'" in message


def test_types_that_spark_cannot_read_do_not_matter_where_nobody_asks_for_them(spark, tmp_path):
    others = {"v": pa.array([[1], [2]], pa.list_(pa.float16())), "at": NANOSECONDS}
    written(tmp_path / "a.parquet", {"id": [1, LARGE], "body": ["a", "b"], **others})
    found = rows(spark, kind="table", path=tmp_path, id="id", content="body")
    assert {row[Col.given_id]: row[Col.content] for row in found} == {1: b"a", LARGE: b"b"}


def test_times_in_nanoseconds_are_labels_and_attributes_with_all_their_digits(spark, tmp_path):
    written(tmp_path / "a.parquet", {"id": [1, 2], "at": NANOSECONDS})
    found = rows(spark, kind="table", path=tmp_path, uri="id", label="at", attributes=["at"])
    times = [f"1970-01-01 00:00:00.00000000{n}" for n in (1, 2)]
    assert [(row[Col.label], row[Col.attributes]["at"]) for row in found] == [(time, time) for time in times]


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_(pa.float16()),
        pa.list_(pa.float32(), 2),
        pa.list_(pa.float64()),
        pa.large_list(pa.float32()),
        pa.list_(pa.int8()),
        pa.list_(pa.uint8()),
    ],
    ids=str,
)
def test_every_list_of_numbers_is_a_vector(spark, tmp_path, kind):
    written(tmp_path / "a.parquet", {"id": [1, 2, 3], "v": pa.array([[1, 2], [3, 4], None], kind)})
    found = rows(spark, kind="embeddings", path=tmp_path, id="id", vector="v")
    assert [row[Col.embedding] for row in found] == [[1.0, 2.0], [3.0, 4.0], None]


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.float32(), pa.list_(pa.list_(pa.float16()))], ids=str)
def test_what_is_no_list_of_numbers_is_refused(spark, tmp_path, kind):
    written(tmp_path / "a.parquet", {"id": [1], "v": pa.nulls(1, kind)})
    message = refusal(spark, kind="embeddings", path=tmp_path, id="id", vector="v")
    assert message.startswith("source.vector: the column 'v'") and "a list of other numbers" in message


def test_a_type_that_nothing_reads_is_refused_by_name(spark, tmp_path):
    written(tmp_path / "a.parquet", {"id": [1, 2], "at": NANOSECONDS, "more": [{"x": 1}] * 2})
    message = refusal(spark, kind="table", path=tmp_path, uri="id", label="more")
    assert message.startswith("source.label: the column 'more'") and "struct<x: int64>" in message


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (pa.array([1, LARGE], pa.uint64()), {("1", 1), (str(LARGE), LARGE)}),
        (pa.array([2**63 - 1, 2**63], pa.uint64()), {(str(2**63 - 1), 2**63 - 1), (str(2**63), None)}),
        (pa.array([ONE.bytes, None], pa.uuid()), {(str(ONE), None), (None, None)}),
        (pa.array([b"\xff\x00", "ü".encode()], pa.binary()), {("ff00", None), ("ü", None)}),
        (pa.array([b"\xff\x00", b"ab"], pa.binary(2)), {("ff00", None), ("ab", None)}),
        (not_utf8(b"caf\xe9", b"\xef\xbf\xbd"), {("636166e9", None), ("\ufffd", None)}),
    ],
    ids=["uint64", "uint64 beyond BIGINT", "uuid", "binary", "fixed binary", "not UTF-8"],
)
@pytest.mark.parametrize("extra", [{}, {"at": NANOSECONDS}], ids=["by Spark", "by pyarrow"])
def test_ids_of_every_kind_are_keys(spark, tmp_path, ids, found, extra):
    written(tmp_path / "a.parquet", {"id": ids, "body": ["a", "b"], **extra})
    items = rows(spark, kind="table", path=tmp_path, id="id", content="body", label="id")
    assert {(row[Col.key], row[Col.given_id]) for row in items} == found
    assert all(row[Col.label] == row[Col.key] for row in items)


@pytest.mark.parametrize("name", ["my set [1]", "cu{a,b}", "q?", "st*r", "back\\slash", "plain"])
@pytest.mark.parametrize("form", ["parquet", "delta", "by pyarrow"])
def test_a_path_is_a_path_and_takes_no_neighbours(spark, tmp_path, name, form):
    for place, body in ((name, "own"), ("my set 1", "other"), ("cua", "other"), ("qx", "other"), ("stuvr", "other")):
        if form == "delta":
            spark.createDataFrame([(body,)], "body string").write.format("delta").save(str(tmp_path / place))
        else:
            columns = {"body": [body, body], **({} if form == "parquet" else {"at": NANOSECONDS})}
            written(tmp_path / place / "a.parquet", columns)
    found = rows(spark, kind="table", path=tmp_path / name, content="body")
    assert {row[Col.content] for row in found} == {b"own"}
    assert "does not exist" in refusal(spark, kind="table", path=tmp_path / "my set [2]", content="body")


def test_files_in_plain_folders_are_of_the_table_and_hidden_ones_are_not(spark, tmp_path):
    for number, name in enumerate(
        ("a.parquet", "part 1/b.parquet", "part 1/deep/c.parquet", "_d.parquet", "_x/e.parquet")
    ):
        written(tmp_path / name, id=[number])
    assert [row[Col.key] for row in rows(spark, kind="table", path=tmp_path, uri="id")] == ["0", "1", "2"]
    written(tmp_path / "cls=7" / "f.parquet", id=[7])
    found = rows(spark, kind="table", path=tmp_path, uri="id", label="cls")
    assert [(row[Col.key], row[Col.label]) for row in found] == [("0", None), ("1", None), ("2", None), ("7", "7")]


def test_many_row_groups_are_read_once_each_and_in_pieces(spark, tmp_path, monkeypatch):
    ids = list(range(1000))
    table = pa.table({"id": ids, "v": [[float(n)] for n in ids], "at": pa.array(ids, pa.timestamp("ns"))})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=300)
    found = rows(spark, kind="embeddings", path=tmp_path, id="id", vector="v")
    assert sorted((row[Col.given_id], row[Col.embedding][0]) for row in found) == [(n, float(n)) for n in ids]


@pytest.mark.parametrize("form", ["by Spark", "by pyarrow", "delta"])
def test_rows_without_an_id_are_told_by_their_files_and_rows(spark, tmp_path, form):
    extra = {"at": pa.array([1, 2, 3, 4], pa.timestamp("ns"))} if form == "by pyarrow" else {}
    path = tmp_path / "a b+c"
    columns = {"id": ["x", None, "", None], "v": [[1.0]] * 4, **extra}
    if form == "delta":
        spark.createDataFrame([*zip(columns["id"], columns["v"], strict=True)], "id string, v array<double>").coalesce(
            1
        ).write.format("delta").save(str(path))
    else:
        pq.write_table(pa.table(columns), (path.mkdir(), path / "a.parquet")[1], row_group_size=2)
    found = rows(spark, kind="embeddings", path=path, id="id", vector="v")
    assert [row[Col.key] for row in found if row[Col.reason] is None] == ["x"]
    bad = [row for row in found if row[Col.reason]]
    assert {(row[Col.key], row[Col.reason]) for row in bad} == {(None, "missing_id")} and len(bad) == 3
    file = f"file:{next(path.glob('*.parquet'))}"
    assert {row[Col.uri] for row in bad} == {file}
    numbers = ["row"] * 3 if form == "delta" else ["row 1", "row 2", "row 3"]
    assert sorted(row[Col.detail] for row in bad) == [f"{number} of {file}: it has no id" for number in numbers]
