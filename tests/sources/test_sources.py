"""The user's data -> raw items: images, texts and tables, and every way to get them wrong."""

import pytest

from equipoise.config import Place
from equipoise.schemas import Col
from equipoise.sources.reading import nothing_found
from sources.asked import refusal, rows, source
from stages.fakes import write_images

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
