"""The user's data -> raw items: every kind of source, and every way to get it wrong."""

import gzip
import json

import numpy as np
import pytest
from pydantic import TypeAdapter

from equipoise.config import Place, Source
from equipoise.errors import InputError
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col
from equipoise.sources.local import check_source
from equipoise.sources.reading import nothing_found, raw_items
from stages.fakes import write_images


def source(**values):
    return TypeAdapter(Source).validate_python({key: str(v) if key == "path" else v for key, v in values.items()})


def rows(spark, **values):
    raw = raw_items(spark, source(**values), Place("source"))
    assert raw.columns[: len(RAW.names)] == RAW.names
    return sorted(raw.collect(), key=lambda row: str(row[Col.key]))


def refusal(spark, *, place="source", **values):
    with pytest.raises(InputError) as caught:
        raw_items(spark, source(**values), Place(place)).collect()
    message = str(caught.value)
    assert "\n" not in message
    return message


# Images


def test_images_are_listed_at_any_depth_with_their_folder_as_label(spark, tmp_path):
    write_images(
        tmp_path,
        "cat/a b.png",
        "dog/deep/grüße%20+日本.JPG",
        "dog/notes.md",
        "class=3/x.jpeg",
        ".hidden/y.png",
    )
    found = rows(spark, kind="images", path=tmp_path, label="parent_folder")
    names = {row[Col.uri].removeprefix(f"file:{tmp_path}/"): row[Col.label] for row in found}
    assert names == {"cat/a b.png": "cat", "dog/deep/grüße%20+日本.JPG": "deep", "class=3/x.jpeg": "class=3"}
    assert all(row[Col.key] == row[Col.uri] and row[Col.n_bytes] and row[Col.modified_at] for row in found)
    assert all(row[Col.content] is None for row in found)


def test_images_have_no_label_unless_asked_for(spark, tmp_path):
    write_images(tmp_path, "cat/a.png")
    assert rows(spark, kind="images", path=tmp_path)[0][Col.label] is None


def test_the_same_file_has_the_same_uri_however_the_folder_is_written(spark, tmp_path, monkeypatch):
    write_images(tmp_path, "in/a.png")
    monkeypatch.chdir(tmp_path)
    places = [tmp_path / "in", f"{tmp_path}/in/", f"file:{tmp_path}/in", f"file://{tmp_path}//in"]
    assert len({rows(spark, kind="images", path=place)[0][Col.uri] for place in places}) == 1


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_an_empty_folder_is_refused_with_its_name_and_the_extensions(spark, tmp_path, kind):
    (tmp_path / "a.doc").write_text("x")
    assert rows(spark, kind=kind, path=tmp_path) == []
    message = nothing_found(source(kind=kind, path=tmp_path), Place("sources.web"))
    assert message.startswith("sources.web.path")
    assert str(tmp_path) in message and {"images": "png, jpg", "texts": "txt, jsonl"}[kind] in message


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "images"},
        {"kind": "texts"},
        {"kind": "table", "content": "c"},
        {"kind": "embeddings", "id": "i"},
    ],
)
def test_a_missing_path_is_refused_by_name(spark, tmp_path, values):
    message = refusal(spark, path=tmp_path / "nowhere", **values)
    assert f"{tmp_path}/nowhere does not exist" in message


def test_a_missing_npy_and_a_relative_path_say_where_they_were_looked_for(spark, tmp_path):
    assert "x.npy does not exist" in refusal(spark, kind="embeddings", path=tmp_path / "x.npy")
    assert "from here: /" in refusal(spark, kind="images", path="no/such/folder")


# Texts


def test_txt_files_are_documents_by_reference(spark, tmp_path):
    (tmp_path / "ü b.txt").write_text("hello")
    (found,) = rows(spark, kind="texts", path=tmp_path)
    assert found[Col.uri] == found[Col.key] == f"file:{tmp_path}/ü b.txt"
    assert found[Col.content] is None


def lines(path, *documents):
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in documents)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize("name", ["a.jsonl", "a.json.gz"])
def test_json_lines_are_items_keyed_by_their_text(spark, tmp_path, name):
    lines(tmp_path / name, {"text": "one", "topic": "x"}, {"text": "two", "topic": 5}, {"text": "one"})
    found = rows(spark, kind="texts", path=tmp_path, label="topic")
    contents = {(row[Col.content].decode(), row[Col.label]) for row in found}
    assert contents == {("one", "x"), ("one", None), ("two", "5")}
    assert len({row[Col.key] for row in found}) == 2
    assert all(row[Col.uri].endswith(name) and row[Col.n_bytes] == 3 for row in found)


def test_whole_number_ids_of_json_are_taken_and_others_are_keys(spark, tmp_path):
    lines(
        tmp_path / "a.jsonl",
        {"id": 7, "text": "a"},
        {"id": "-8", "text": "b"},
        {"id": "x7", "text": "c"},
        {"id": "007", "text": "d"},
    )
    found = {row[Col.key]: row[Col.given_id] for row in rows(spark, kind="texts", path=tmp_path / "a.jsonl", id="id")}
    assert found == {"7": 7, "-8": -8, "x7": None, "007": None}


def test_fields_of_json_are_kept_as_attributes(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "a", "region": "asia", "year": 7}, {"text": "b", "year": 8})
    found = rows(spark, kind="texts", path=tmp_path, attributes=["region", "year"])
    attributes = {row[Col.content]: row[Col.attributes] for row in found}
    assert attributes == {b"a": {"region": "asia", "year": "7"}, b"b": {"region": None, "year": "8"}}
    message = refusal(spark, kind="texts", path=tmp_path, attributes=["regoin"])
    assert "source.attributes.regoin" in message and "did you mean 'region'?" in message


def test_malformed_lines_and_lines_without_text_carry_a_reason(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "good"}, '{"text": "cut', {"other": 1}, {"text": None})
    reasons = sorted(str(row[Col.reason]) for row in rows(spark, kind="texts", path=tmp_path))
    assert reasons == ["None", "malformed_json", "missing_content", "missing_content"]


def test_a_missing_json_field_is_refused_with_the_nearest(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"texts": "a", "id": 1})
    message = refusal(spark, kind="texts", path=tmp_path)
    assert "'text'" in message and "did you mean 'texts'" in message


def test_json_lines_cannot_be_kept_by_reference(spark, tmp_path):
    lines(tmp_path / "a.jsonl", {"text": "a"})
    assert "source.inline is false" in refusal(spark, kind="texts", path=tmp_path, inline=False)


# Tables


@pytest.fixture(params=["delta", "parquet"])
def stored(request, spark, tmp_path):
    items = spark.createDataFrame(
        [(1, "file:/a", "text a", "x", 0.5), (2, "file:/b", None, None, None), (3, None, None, "z", 1.5)],
        "nr int, place string, body string, licence string, score double",
    )
    items.write.format(request.param).save(f"{tmp_path}/t")
    return f"{tmp_path}/t"


def test_tables_give_items_with_ids_contents_and_attributes(spark, stored):
    found = rows(
        spark,
        kind="table",
        path=stored,
        id="nr",
        uri="place",
        content="body",
        label="licence",
        attributes=["licence", "score"],
    )
    assert [row[Col.given_id] for row in found] == [1, 2, 3]
    assert [row[Col.reason] for row in found] == [None, None, "missing_content"]
    assert found[0][Col.content] == b"text a"
    assert found[0][Col.attributes] == {"licence": "x", "score": "0.5"}


def test_without_an_id_the_uri_is_the_key_and_without_both_the_content(spark, stored):
    by_uri = rows(spark, kind="table", path=stored, uri="place")
    assert {row[Col.key] for row in by_uri} == {None, "file:/a", "file:/b"}
    by_content = rows(spark, kind="table", path=stored, content="body")
    assert {len(row[Col.key]) for row in by_content if row[Col.key]} == {64}


def test_a_table_of_the_catalog_is_read_by_name(spark):
    spark.createDataFrame([(1, "a")], "id long, body string").write.mode("overwrite").saveAsTable("default.some_items")
    try:
        (found,) = rows(spark, kind="table", path="default.some_items", id="id", content="body")
        assert found[Col.given_id] == 1
    finally:
        spark.sql("drop table default.some_items")


def test_what_is_neither_delta_nor_parquet_is_refused(spark, tmp_path):
    (tmp_path / "data.csv").write_text("a,b\n1,2\n")
    message = refusal(spark, kind="table", path=tmp_path, content="a")
    assert str(tmp_path) in message and "neither Delta nor Parquet" in message


def test_a_missing_column_is_refused_with_the_nearest(spark, stored):
    message = refusal(spark, kind="table", path=stored, content="bodi")
    assert "source.content" in message and "'bodi'" in message and "did you mean 'body'" in message


def test_a_column_of_another_type_is_refused(spark, stored):
    assert "'score'" in refusal(spark, kind="table", path=stored, id="score", content="body")
    assert "'nr'" in refusal(spark, kind="table", path=stored, content="nr")


# Ready-made vectors


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


# What is told before Spark starts


def early(**values) -> str:
    with pytest.raises(InputError) as caught:
        check_source(source(**values), Place("sources.web"))
    return str(caught.value)


@pytest.mark.parametrize("kind", ["images", "texts", "embeddings"])
def test_a_missing_local_path_is_told_early(tmp_path, kind):
    more = {"id": "i"} if kind == "embeddings" else {}
    assert early(kind=kind, path=tmp_path / "gone", **more).startswith(
        f"sources.web.path {tmp_path}/gone does not exist"
    )


@pytest.mark.parametrize("values", [{"kind": "table", "content": "c"}, {"kind": "embeddings", "id": "i"}])
def test_a_name_may_be_one_of_the_catalog(tmp_path, values):
    check_source(source(path="main.web.pages", **values), Place("source"))
    assert "does not exist" in early(path=tmp_path / "gone.parquet", **values)


def test_what_another_file_system_has_is_asked_later(monkeypatch, tmp_path):
    check_source(source(kind="images", path="s3://bucket/gone"), Place("source"))
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))  # a path without a scheme may lie in HDFS
    check_source(source(kind="images", path="/gone"), Place("source"))
    assert "does not exist" in early(kind="images", path="file:/gone")


def test_what_may_not_be_read_is_told_early(monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    assert "may not be read by this user" in early(kind="images", path=tmp_path)


@pytest.mark.parametrize(
    "array, said",
    [
        (np.ones(3), "has the shape (3,); it must be (n, d)"),
        (np.ones((3, 2), int), "holds int64; it must hold float16, float32 or float64"),
        (np.asfortranarray(np.ones((3, 2))), "is in Fortran order"),
    ],
)
def test_vectors_of_another_shape_or_type_are_told_early(tmp_path, array, said):
    np.save(tmp_path / "v.npy", array)
    assert said in early(kind="embeddings", path=tmp_path / "v.npy")


def test_ids_beside_vectors_are_counted_early(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    (tmp_path / "ids.txt").write_text("a\nb\n")
    message = early(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "ids.txt"))
    assert message.startswith("sources.web.ids") and "has 2 ids for 3 vectors" in message
    assert "sources.web.ids" in early(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "gone.txt"))
