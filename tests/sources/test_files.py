"""Files as raw items: literal paths, their spelling, what has a reason, and listing by tasks."""

import os
from functools import partial

import pytest

from equipoise.config import Place
from equipoise.schemas import Col
from equipoise.sources import files as fl
from equipoise.sources.reading import nothing_found, passed_over
from equipoise.sources.surveying import survey
from sources.asked import refusal, rows, source
from stages.fakes import write_images


@pytest.mark.parametrize("kind, name", [("images", "a.png"), ("texts", "a.txt")])
def test_a_folder_of_any_name_is_read_and_no_neighbour(spark, tmp_path, kind, name):
    for folder in ("q?", "qq", "st*r [1]{a,b}", "stXr 1a"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"x")
    for folder in ("q?", "st*r [1]{a,b}"):
        assert [row[Col.uri] for row in rows(spark, kind=kind, path=tmp_path / folder)] == [
            f"file:{tmp_path}/{folder}/{name}"
        ]
    assert "as no pattern: name the folder above" in refusal(spark, kind=kind, path=tmp_path / "*" / name)


@pytest.mark.parametrize(
    "path, uri",
    [
        ("s3a://bucket/a b//c/", "s3://bucket/a b/c"),
        ("s3n://bucket", "s3://bucket/"),
        ("gs://bucket/a/../b", "gs://bucket/b"),
        ("abfss://box@account.dfs.core.windows.net/k", "abfss://box@account.dfs.core.windows.net/k"),
        ("file:///a//b/", "file:/a/b"),
        ("file://a/b", "file:/a/b"),
        ("//a/./b", "file:/a/b"),
        ("FILE:/ü%20", "file:/ü%20"),
    ],
)
def test_a_path_has_one_spelling(path, uri):
    assert fl.uri_of(None, path) == uri  # Hadoop is not asked


def test_a_path_of_another_default_file_system_is_spelled_by_hadoop(spark, tmp_path, monkeypatch):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    assert fl.uri_of(spark, f"{tmp_path}/a b") == f"file:{tmp_path}/a b"
    assert "source.path nosuch://x/y cannot be read as files: " in refusal(spark, kind="images", path="nosuch://x/y")


def test_names_are_spelled_as_sparks_own_listing_spells_them(spark, tmp_path):
    """The uri is what ids are hashed from: the same file keeps its id."""
    names = (
        "a b.png",
        "grüße%20+日本.JPG",
        "x#y?.png",
        "e\u0301.png",
        "é.png",
        "%zz.png",
        "back\\slash.png",
        "n\nl.png",
    )
    write_images(tmp_path, *names, "class=3/[1]/{x}*.jpeg")
    old = spark.read.format("binaryFile").option("recursiveFileLookup", True).load(str(tmp_path)).collect()
    new = rows(spark, kind="images", path=tmp_path)
    assert {(row[Col.uri], row[Col.modified_at], row[Col.n_bytes]) for row in new} == {
        (row["path"], row["modificationTime"], row["length"]) for row in old
    }
    assert len(new) == len(names) + 1


def test_files_without_bytes_and_names_that_are_no_utf_8_have_a_reason(spark, tmp_path):
    write_images(tmp_path, "_MG_0001.JPG")
    (tmp_path / "empty.png").touch()
    with open(os.fsencode(tmp_path) + b"/caf\xe9.png", "wb") as file:
        file.write(b"x")
    found = {row[Col.key].rpartition("/")[2]: row[Col.reason] for row in rows(spark, kind="images", path=tmp_path)}
    assert found == {"_MG_0001.JPG": None, "empty.png": "empty_file", "caf\\xe9.png": "unreadable_name"}


@pytest.mark.parametrize("kind, wanted", [("images", {".txt": 1, ".zst": 1}), ("texts", {".png": 1})])
def test_what_is_not_looked_at_is_counted(spark, tmp_path, kind, wanted):
    write_images(tmp_path, "a.png")
    for name in ("a.txt", "b.jsonl.zst"):
        (tmp_path / name).write_text("x")
    asked = source(kind=kind, path=tmp_path)
    assert passed_over(spark, asked, Place("source")) == wanted
    message = nothing_found(asked, Place("source"), wanted)
    assert message.endswith(f"; not looked at: {', '.join(f'{one} (1)' for one in wanted)}")
    assert passed_over(spark, source(kind="table", path=tmp_path, content="c"), Place("source")) == {}


def test_tasks_give_the_same_items_and_counts_as_the_driver(spark, tmp_path, monkeypatch):
    write_images(tmp_path, *(f"{folder}/{name}.png" for folder in "abc" for name in range(3)), "0.png")
    (tmp_path / "c" / "d.txt").write_text("x")
    (tmp_path / "b" / "empty.png").touch()
    asked = {"kind": "images", "path": tmp_path, "label": "parent_folder"}
    by_driver, passed = rows(spark, **asked), passed_over(spark, source(**asked), Place("source"))
    monkeypatch.setattr(fl, "survey", partial(survey, most_files=2, most_folders=2))
    assert rows(spark, **asked) == by_driver and len(by_driver) == 11
    assert passed_over(spark, source(**asked), Place("source")) == passed == {".txt": 1}
