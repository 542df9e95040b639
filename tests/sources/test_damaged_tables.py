"""Files of a table that are damaged, or do not go together: refused by name, or rejected as one row each."""

import shutil

import pyarrow as pa
import pytest

from equipoise.schemas import Col
from sources.asked import refusal, rows
from sources.parquet_written import cut, with_broken_page, written


def emptied(path):
    path.write_bytes(b"")


def replaced(path):
    path.write_text("rubbish")


DAMAGE = {cut: "", emptied: "it has no bytes", replaced: "it is no Parquet file", with_broken_page: ""}


@pytest.fixture
def three(tmp_path):
    """Files a, b and c, of which one is to be damaged."""
    for name in "abc":
        texts = [f"{name} {number}" for number in range(2000)]
        written(tmp_path / f"{name}.parquet", {"body": texts, "v": [[1.0, 2.0]] * 2000})
    return tmp_path


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("name", ["a", "b"])
def test_a_damaged_file_is_refused_by_name_or_rejected_as_one_row(spark, three, damage, name):
    damage(three / f"{name}.parquet")
    source = {"kind": "table", "path": three, "id": "body", "content": "body"}
    message = refusal(spark, place="sources.web", **source)
    assert message.startswith(f"sources.web.path {three}: 1 of 3 files cannot be read: file:{three}/{name}.parquet (")
    assert DAMAGE[damage] in message and message.endswith("or have them rejected by sources.web.damaged: skip")

    found = rows(spark, **source, damaged="skip")
    (bad,) = [row for row in found if row[Col.reason]]
    assert (bad[Col.reason], bad[Col.uri]) == ("damaged_file", f"file:{three}/{name}.parquet")
    assert bad[Col.key] == bad[Col.uri] and bad[Col.detail] and DAMAGE[damage] in bad[Col.detail]
    assert len(found) == 4001 and not any(row[Col.key].startswith(f"{name} ") for row in found)
    vectors = rows(spark, kind="embeddings", path=three, id="body", vector="v", damaged="skip")
    assert len(vectors) == 4001 and sum(row[Col.embedding] is None for row in vectors) == 1


def test_what_lies_damaged_beside_the_data_is_not_looked_at(spark, tmp_path):
    for name in ("_metadata", "_common_metadata"):
        written(tmp_path / name / "a.parquet", body=["x"])
        (tmp_path / name / name).write_bytes(b"rubbish")
        assert len(rows(spark, kind="table", path=tmp_path / name / name / "..", content="body")) == 1


def test_a_file_of_another_type_is_named_and_with_nulls_or_narrower_numbers_is_none(spark, tmp_path):
    for name, values in (("a", pa.array([1], pa.int32())), ("b", [2]), ("c", pa.nulls(1))):
        written(tmp_path / f"{name}.parquet", {"id": values, "body": [name]})
    found = rows(spark, kind="table", path=tmp_path, id="id", content="body")
    assert {(row[Col.given_id], row[Col.content]) for row in found} == {(1, b"a"), (2, b"b"), (None, b"c")}
    written(tmp_path / "d.parquet", {"id": ["x"], "body": ["d"]})
    message = refusal(spark, kind="table", path=tmp_path, id="id", content="body")
    assert "1 of 4 files" in message and "d.parquet (its column 'id' is string, where most files have int" in message
    found = rows(spark, kind="table", path=tmp_path, id="id", content="body", damaged="skip")
    assert sorted(str(row[Col.reason]) for row in found) == ["None", "None", "damaged_file", "missing_id"]


def test_a_folder_of_damaged_files_alone_is_refused_either_way(spark, tmp_path):
    written(tmp_path / "a.parquet", body=["x"])
    cut(tmp_path / "a.parquet")
    for more in ({}, {"damaged": "skip"}):
        message = refusal(spark, kind="table", path=tmp_path, content="body", **more)
        assert "1 of 1 files cannot be read" in message and "skip" not in message


def test_many_damaged_files_are_counted_and_three_named(spark, three):
    for number in range(5):
        (three / f"x{number}.parquet").write_text("rubbish")
    message = refusal(spark, kind="table", path=three, content="body")
    assert "5 of 8 files" in message and "x2.parquet" in message and "x3" not in message
    assert "; and 2 more; " in message


@pytest.mark.parametrize("damage", ["gone", "rubbish"])
def test_a_damaged_file_of_a_delta_table_is_named(spark, tmp_path, damage):
    path = tmp_path / "my table"
    spark.range(6).selectExpr("id", "cast(id as string) as body").repartition(2).write.format("delta").save(str(path))
    file = min(path.glob("*.parquet"))
    shutil.copy(file, tmp_path / "kept")
    file.unlink()
    if damage == "rubbish":
        file.write_text("rubbish")
    message = refusal(spark, kind="table", path=path, id="id", content="body", damaged="skip")
    assert f"1 of 2 files cannot be read: file:{file} (" in message and "restore an earlier version" in message
    assert ("it is not there" if damage == "gone" else "it is no Parquet file") in message
