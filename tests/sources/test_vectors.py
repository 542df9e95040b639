"""Ready-made vectors -> raw items, and every way to get them wrong."""

import numpy as np
import pytest

from equipoise.schemas import Col
from sources.asked import refusal, rows


def vectors(found):
    return np.array([row[Col.embedding] for row in sorted(found, key=lambda row: int(row[Col.key]))])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_npy_rows_are_items_numbered_from_zero(spark, tmp_path, dtype, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 64)
    matrix = np.random.default_rng(0).normal(size=(25, 3)).astype(dtype)
    np.save(tmp_path / "v.npy", matrix)
    found = rows(spark, kind="embeddings", path=tmp_path / "v.npy")
    assert sorted(row[Col.given_id] for row in found) == list(range(25))
    np.testing.assert_array_equal(vectors(found), matrix.astype(np.float32))


@pytest.mark.parametrize("ids", ["int.npy", "text.npy", "ids.txt"])
def test_npy_ids_come_from_a_file_beside(spark, tmp_path, ids, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 30)
    matrix = np.arange(22, dtype=np.float32).reshape(11, 2)
    np.save(tmp_path / "v.npy", matrix)
    names = [f"ü{i}" for i in range(11)] if ids != "int.npy" else list(range(100, 111))
    if ids == "ids.txt":
        (tmp_path / ids).write_text("\n".join(names) + "\n")
    else:
        np.save(tmp_path / ids, np.array(names))
    found = rows(spark, kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / ids))
    by_key = {row[Col.key]: row for row in found}
    assert {name: by_key[str(name)][Col.embedding][0] for name in names} == dict(
        zip(names, matrix[:, 0].tolist(), strict=True)
    )
    assert {row[Col.given_id] for row in found} == (set(names) if ids == "int.npy" else {None})


@pytest.mark.parametrize(
    "matrix, said",
    [
        (np.zeros(3), "shape (3,)"),
        (np.zeros((2, 2, 2)), "shape (2, 2, 2)"),
        (np.zeros((0, 4)), "shape (0, 4)"),
        (np.zeros((2, 2), int), "int64"),
        (np.asfortranarray(np.ones((3, 2))), "Fortran"),
    ],
)
def test_npy_of_another_shape_or_type_is_refused(spark, tmp_path, matrix, said):
    np.save(tmp_path / "v.npy", matrix)
    assert said in refusal(spark, kind="embeddings", path=tmp_path / "v.npy")


def test_a_broken_npy_is_refused(spark, tmp_path):
    np.save(tmp_path / "v.npy", np.zeros((10, 4)))
    content = (tmp_path / "v.npy").read_bytes()
    (tmp_path / "v.npy").write_bytes(content[:-1])
    assert "cut off" in refusal(spark, kind="embeddings", path=tmp_path / "v.npy")
    (tmp_path / "v.npy").write_bytes(b"rubbish")
    assert "no .npy file" in refusal(spark, kind="embeddings", path=tmp_path / "v.npy")


@pytest.mark.parametrize("text, count", [("a\n", 1), ("a\nb\nc", 3)])
def test_ids_must_be_as_many_as_vectors(spark, tmp_path, text, count):
    np.save(tmp_path / "v.npy", np.zeros((2, 2)))
    (tmp_path / "i.txt").write_text(text)
    message = refusal(spark, kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "i.txt"))
    assert f"{count} ids for 2 vectors" in message


def test_vectors_of_a_table(spark, tmp_path):
    spark.createDataFrame([("a", [1.0, 2.0])], "name string, v array<double>").write.parquet(f"{tmp_path}/p")
    (found,) = rows(spark, kind="embeddings", path=tmp_path / "p", id="name", vector="v")
    assert (found[Col.key], found[Col.given_id], found[Col.embedding]) == ("a", None, [1.0, 2.0])
    assert found[Col.uri] is None and found[Col.attributes] is None
    keys = {"uri": "name", "label": "name", "attributes": ["name"]}
    (found,) = rows(spark, kind="embeddings", path=tmp_path / "p", id="name", vector="v", **keys)
    assert (found[Col.uri], found[Col.label], found[Col.attributes]) == ("a", "a", {"name": "a"})
    more = {"id": "name", "vector": "v", "attributes": ["region"]}
    assert "source.attributes.region" in refusal(spark, kind="embeddings", path=tmp_path / "p", **more)
    assert "sources.web.attributes.region" in refusal(
        spark, place="sources.web", kind="embeddings", path=tmp_path / "p", **more
    )
    assert "source.id is missing" in refusal(spark, kind="embeddings", path=tmp_path / "p", vector="v")
    assert "did you mean" in refusal(spark, kind="embeddings", path=tmp_path / "p", id="names", vector="v")
    assert "array<float>" in refusal(spark, kind="embeddings", path=tmp_path / "p", id="name", vector="name")


def test_vectors_without_an_id_are_told_by_their_files_and_rows(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("equipoise.sources.npy.SLICE_BYTES", 16)
    np.save(tmp_path / "v.npy", np.ones((4, 2), np.float32))
    (tmp_path / "i.txt").write_text("a\n\nb\n\n")
    found = rows(spark, kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "i.txt"))
    told = {(row[Col.uri], row[Col.reason], row[Col.detail]) for row in found if row[Col.key] is None}
    assert told == {
        (f"{tmp_path}/v.npy", "missing_id", f"row {row} has no id: line {row + 1} of {tmp_path}/i.txt")
        for row in (1, 3)
    }
    assert [(row[Col.key], row[Col.uri], row[Col.reason]) for row in found if row[Col.key]] == [
        ("a", None, None),
        ("b", None, None),
    ]
