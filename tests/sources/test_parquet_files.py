"""Parquet by pyarrow alone: what lies in a folder, and what becomes of its types. Needs no Spark."""

from datetime import date
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from equipoise.sources.arrow_types import Kind, family, kind_of, taken, taken_as, widest
from equipoise.sources.parquet_columns import odd_ones
from equipoise.sources.parquet_files import batches, damage, kinds, names_of, opened, stored_files, table_files
from equipoise.sources.passing import passed_in_table
from sources.parquet_written import written

ONE = UUID("12345678-9abc-def0-1234-56789abcdef0")


@pytest.mark.parametrize(
    ("given", "values"),
    [
        (pa.array([1.5, None], pa.float16()), [1.5, None]),
        (pa.array([2**64 - 1], pa.uint64()), [Decimal(2**64 - 1)]),
        (pa.array([255], pa.uint8()), [255]),
        (pa.array(["a"], pa.large_string()), ["a"]),
        (pa.array(["a", "a", None]).dictionary_encode(), ["a", "a", None]),
        (pa.array([b"ab"], pa.binary(2)), [b"ab"]),
        (pa.array([date(2020, 1, 2)], pa.date64()), [date(2020, 1, 2)]),
        (pa.array([Decimal("1.20")], pa.decimal256(20, 2)), [Decimal("1.20")]),
        (pa.array([[1.5, 2.5], None], pa.list_(pa.float16(), 2)), [[1.5, 2.5], None]),
        (pa.array([[1, 2]], pa.large_list(pa.int8())), [[1, 2]]),
        (pa.array([None], pa.null()), [None]),
        (pa.array([1_500_000_000, 1, 10**9, None], pa.timestamp("ns")), None),
        (pa.array([3_600_000_000_000], pa.time64("ns")), ["01:00:00"]),
        (pa.array([True]), [True]),
    ],
)
def test_values_are_taken_as_spark_takes_them_or_as_text(given, values):
    found = taken(given, Kind(given.type), widest([taken_as(given.type)]))
    if values is None:
        times = ["00:00:01.5", "00:00:00.000000001", "00:00:01"]
        values = [*(f"1970-01-01 {time}" for time in times), None]
    assert found.to_pylist() == values


def test_times_of_a_zone_are_told_in_utc():
    given = pa.array([0], pa.timestamp("s", "America/New_York"))
    assert taken(given, Kind(given.type), pa.string()).to_pylist() == ["1970-01-01 00:00:00"]


@pytest.mark.parametrize("kind", [pa.struct([("a", pa.int8())]), pa.duration("ns"), pa.list_(pa.duration("s"))])
def test_other_types_are_not_taken(kind):
    assert taken_as(kind) is None


def test_files_whose_types_are_of_one_family_go_together_and_others_are_odd():
    small, large, text, empty = (Kind(kind) for kind in (pa.int32(), pa.int64(), pa.string(), pa.null()))
    assert odd_ones([{"id": large}, {"id": small}, {"id": empty}, {}]) == {}
    assert odd_ones([{"id": text}, {"id": large}, {"id": small}]) == {
        0: "its column 'id' is string, where most files have int64"
    }
    assert widest([pa.int32(), pa.int64(), pa.null()]) == pa.int64()
    halves, doubles, whole = (pa.list_(kind) for kind in (pa.float32(), pa.float64(), pa.int64()))
    assert widest([halves, doubles]) == widest([halves, whole]) == doubles
    assert family(halves) == family(whole) != family(pa.list_(pa.string()))


def test_a_uuid_is_text_whoever_wrote_it(tmp_path):
    written(tmp_path / "a.parquet", {"id": pa.array([ONE.bytes, None], pa.uuid()), "raw": [b"x" * 16] * 2})
    with opened(str(tmp_path / "a.parquet")) as file:
        found = kinds(file)
        (batch,) = batches(file)
    assert str(found["id"]) == "uuid" and kind_of(found["id"].field("id")) == found["id"]
    assert taken(batch.column("id"), found["id"], pa.string()).to_pylist() == [str(ONE), None]
    assert str(found["raw"]) == "binary"


def test_columns_are_named_with_those_of_folders_and_as_often_as_they_are_there(tmp_path):
    table = pa.Table.from_arrays([pa.array([1])] * 3, names=["a", "a", "b"])
    (tmp_path / "c=1").mkdir()
    pq.write_table(table, tmp_path / "c=1" / "x.parquet")
    (file,) = table_files(str(tmp_path))
    assert names_of(file) == ["a", "a", "b", "c"]


def test_files_of_a_folder_are_those_that_are_not_hidden(tmp_path):
    names = ["a.parquet", "cls=0%3A7/_SUCCESS", "cls=0%3A7/b.parquet", "cls=__HIVE_DEFAULT_PARTITION__/c", "sub/d"]
    hidden = ["_metadata", ".a.crc", "_temporary/x.parquet", "x_$folder$"]
    for name in [*names, *hidden]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    found = {file.uri.removeprefix(f"{tmp_path}/"): file for file in table_files(str(tmp_path))}
    assert found.keys() == {names[0], *names[2:]}
    assert [dict(found[name].parts) for name in (names[0], *names[2:])] == [{}, {"cls": "0:7"}, {"cls": None}, {}]
    assert [name for name, file in found.items() if file.is_nested] == ["sub/d"]
    assert {file.n_bytes for file in found.values()} == {2}
    assert table_files(str(tmp_path / "gone")) is None and table_files("nowhere://x") is None
    assert [file.uri for file in table_files(str(tmp_path / "a.parquet"))] == [str(tmp_path / "a.parquet")]


def test_files_of_a_table_that_knows_them_are_spelled_as_they_are():
    assert [file.uri for file in stored_files(["file:/my%20set/a.parquet", "x.orc"])] == ["file:/my set/a.parquet"]


def test_what_no_reader_of_parquet_looks_at_is_counted_by_what_it_is(tmp_path):
    for name in (
        "a.parquet",
        "k=1/b.parquet",
        "_c.parquet",
        "_d/e.parquet",
        "_d/f.parquet",
        ".g",
        ".h/i",
        "k=1/_SUCCESS",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    found = passed_in_table(str(tmp_path))
    assert found == {"names that begin with _": 3, "dot files": 1, "dot folders": 1}
    (tmp_path / "_delta_log").mkdir()
    assert not passed_in_table(str(tmp_path)) and not passed_in_table(str(tmp_path / "gone"))


@pytest.mark.parametrize("spelled", ["file:{path}", "{path}"])
def test_what_is_wrong_with_a_file_does_not_repeat_where_it_is(tmp_path, spelled):
    path = f"{tmp_path}/a.parquet"
    error = OSError(f"{spelled.format(path=path)} cannot be read: Input/output error")
    assert damage(f"file:{path}", error) == "the file cannot be read: Input/output error"
