"""Columns of files, as Hugging Face's ``datasets`` writes pictures: bytes, else a path."""

import pyarrow as pa
import pytest

from equipoise.schemas import Col
from sources.asked import refusal, rows
from sources.parquet_written import written
from stages.fakes import png

KIND = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NANOSECONDS = pa.array([1] * 6, pa.timestamp("ns"))
FILES = [
    {"bytes": png(1), "path": "1.png"},
    {"bytes": png(2), "path": None},
    {"bytes": None, "path": "more/a b%20.png"},
    {"bytes": None, "path": "/far/away.png"},
    {"bytes": None, "path": "s3://bucket/x.png"},
    None,
]


@pytest.mark.parametrize("extra", [{}, {"at": NANOSECONDS}], ids=["by Spark", "by pyarrow"])
@pytest.mark.parametrize("ids", [False, True])
def test_files_in_a_column_are_taken_by_their_bytes_or_their_paths(spark, tmp_path, extra, ids):
    folder = written(
        tmp_path / "d +%é" / "a.parquet", {"image": pa.array(FILES, KIND), "n": pa.array([*range(6)]), **extra}
    )
    more = {"id": "n"} if ids else {}
    extra_columns = {"attributes": ["at"]} if extra else {}
    found = rows(spark, kind="table", path=folder, content="image", **more, **extra_columns)
    by_uri = {row[Col.uri]: row for row in found if row[Col.uri]}
    assert by_uri.keys() == {f"file:{folder}/more/a b%20.png", "/far/away.png", "s3://bucket/x.png"}
    assert {row[Col.content] for row in found if not row[Col.uri]} == {png(1), png(2), None}
    assert [row[Col.reason] for row in found if row[Col.reason]] == ["missing_content"]
    if ids:
        assert {row[Col.given_id] for row in found} == {*range(6)}
    else:
        assert all(row[Col.key] == uri for uri, row in by_uri.items())
        assert len({row[Col.key] for row in found}) == 6


def test_fields_in_the_other_order_and_of_larger_types_are_the_same(spark, tmp_path):
    other = pa.struct([("path", pa.large_string()), ("bytes", pa.large_binary())])
    written(tmp_path / "a.parquet", {"image": pa.array(FILES[:2], KIND), "at": NANOSECONDS[:2]})
    written(tmp_path / "b.parquet", {"image": pa.array(FILES[2:4], other), "at": NANOSECONDS[:2]})
    found = rows(spark, kind="table", path=tmp_path, content="image", attributes=["at"])
    assert sorted(str(row[Col.uri]) for row in found) == [
        "/far/away.png",
        "None",
        "None",
        f"file:{tmp_path}/more/a b%20.png",
    ]


def test_other_structs_are_no_files(spark, tmp_path):
    written(tmp_path / "a.parquet", {"image": pa.array([{"bytes": b"x", "size": 1}])})
    message = refusal(spark, kind="table", path=tmp_path, content="image")
    assert message.startswith("source.content: the column 'image'") and "it must be one of string, binary" in message
