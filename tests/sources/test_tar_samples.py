"""What a shard's members become: pictures with the texts beside them, and reasons. Without Spark."""

import json

import pytest

from equipoise.schemas import Col
from equipoise.sources import tar_samples
from equipoise.sources.tar_samples import shard_rows, split
from sources.asked import source
from sources.shards import tarred

WANTED = {"attributes": ["caption", "license", "score"], "label": "cls"}


def shard(path, *members, **values):
    """The rows of a shard of these members: names, or (name, content)."""
    named = [(name, b"x") if isinstance(name, str) else name for name in members]
    tarred(path / "a.tar", named)
    return list(shard_rows(f"file:{path}/a.tar", source(kind="webdataset", path=path, **values)))


def names(rows):
    return [row[Col.key].rpartition("!/")[2] for row in rows]


@pytest.mark.parametrize(
    "name, key, ending",
    [
        ("00001.jpg", "00001", "jpg"),
        ("a/b.c/d.seg.PNG", "a/b.c/d", "seg.png"),
        ("./x", "./x", ""),
        ("a b.tar!/y.jpg", "a b.tar!/y", "jpg"),
    ],
)
def test_the_key_ends_at_the_first_dot_of_the_base_name(name, key, ending):
    assert split(name) == (key, ending)


def test_pictures_bring_the_texts_of_their_key_as_img2dataset_writes_them(tmp_path):
    side = {"caption": "a cat", "license": "CC0", "score": 0.50, "more": {"a": [1]}}
    rows = shard(
        tmp_path,
        "00001.jpg",
        ("00001.txt", b"from the text"),
        ("00001.json", json.dumps(side, indent=1).encode()),
        "00002.jpg",
        ("00002.txt", "grüße".encode()),
        ("00002.cls", b"7\n"),
        "00003.jpg",
        **WANTED,
    )
    assert names(rows) == ["00001.jpg", "00002.jpg", "00003.jpg"]
    assert [dict(row[Col.attributes]) for row in rows] == [
        {"caption": "a cat", "license": "CC0", "score": "0.5"},
        {"caption": "grüße", "license": None, "score": None},
        {"caption": None, "license": None, "score": None},
    ]
    assert [row[Col.label] for row in rows] == [None, "7", None]
    assert rows[0][Col.key] == f"tar:file:{tmp_path}/a.tar!/00001.jpg"
    assert rows[0][Col.uri] == f"tar:512+1:file:{tmp_path}/a.tar!/00001.jpg"
    assert rows[-1][Col.passed] == []


def test_members_of_a_key_may_lie_apart_and_several_pictures_of_one_are_items(tmp_path):
    rows = shard(
        tmp_path,
        "in/a.jpg",
        "in/b.jpg",
        "in/a.seg.png",
        ("in/b.json", b'{"caption": "b"}'),
        ("in/a.json", b'{"caption": "a"}'),
        "in/a.npy",
        label="parent_folder",
        attributes=["caption"],
    )
    assert names(rows) == ["in/a.jpg", "in/a.seg.png", "in/b.jpg"]
    assert [row[Col.attributes][0][1] for row in rows] == ["a", "a", "b"]
    assert {row[Col.label] for row in rows} == {"in"}
    assert rows[-1][Col.passed] == [(".npy", 1)] and all(Col.passed not in row for row in rows[:-1])


def test_few_samples_wait_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_samples, "_MOST_OPEN", 2)
    late = [("a.json", b'{"caption": "late"}')]
    rows = shard(tmp_path, "a.jpg", "b.jpg", *late, "c.jpg", "d.jpg", ("a.txt", b"too late"), attributes=["caption"])
    assert [(name, row.get(Col.reason)) for name, row in zip(names(rows), rows, strict=True)] == [
        ("a.jpg", None),
        ("b.jpg", None),
        ("c.jpg", None),
        ("d.jpg", None),
        ("a", "missing_content"),
    ]
    assert rows[0][Col.attributes] == [("caption", "late")]


def test_bytes_of_waiting_texts_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_samples, "_MOST_OPEN_BYTES", 5)
    rows = shard(tmp_path, "a.jpg", ("a.txt", b"1234"), "b.jpg", ("b.txt", b"5678"), attributes=["caption"])
    assert [row[Col.attributes][0][1] for row in rows] == ["1234", "5678"]


@pytest.mark.parametrize(
    "members, reason, said",
    [
        (["a.txt", "a.json", "a.b"], "missing_content", "no member of a is a picture (png, jpg, "),
        (["a.jpg", ("a.json", b"{broken")], "malformed_json", "a.json: no JSON"),
        (["a.jpg", ("a.json", b"[1]")], "malformed_json", "a.json: an array, no object"),
        ([("a.jpg", b"")], "empty_file", "the file has no bytes"),
    ],
)
def test_what_cannot_be_used_has_a_reason(tmp_path, members, reason, said):
    (row,) = shard(tmp_path, *members, attributes=["license"])
    assert row[Col.reason] == reason and said in row[Col.detail]


def test_a_broken_text_does_not_matter_where_nobody_asks_for_it(tmp_path):
    (row,) = shard(tmp_path, "a.jpg", ("a.json", b"{broken"))
    assert Col.reason not in row and row[Col.attributes] is None


def test_a_text_beyond_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tar_samples, "_MOST_SIDE_BYTES", 3)
    (row,) = shard(tmp_path, "a.jpg", ("a.txt", b"1234"), attributes=["caption"])
    assert (
        row[Col.reason] == "content_too_large" and "a.txt: 4 bytes; texts beside a picture may have 3" in row["detail"]
    )


def test_a_shard_without_pictures_and_a_cut_one_are_rows_of_their_own(tmp_path):
    (empty,) = shard(tmp_path)
    assert (empty[Col.uri], empty[Col.reason]) == (f"file:{tmp_path}/a.tar", "empty_file")
    (hidden,) = shard(tmp_path, "._a.jpg")
    assert (hidden[Col.reason], hidden[Col.passed]) == ("empty_file", [("dot files", 1)])
    whole = tarred(tmp_path / "a.tar", {"a.jpg": b"x", "b.jpg": b"y" * 999}).read_bytes()
    (tmp_path / "a.tar").write_bytes(whole[:1800])
    first, cut = shard_rows(f"file:{tmp_path}/a.tar", source(kind="webdataset", path=tmp_path))
    assert names([first]) == ["a.jpg"] and Col.reason not in first
    assert (cut[Col.uri], cut[Col.reason]) == (f"file:{tmp_path}/a.tar", "damaged_file")
    assert cut[Col.detail] == "it is cut off inside b.jpg, at byte 1,800"
    (gone,) = shard_rows("file:/gone.tar", source(kind="webdataset", path=tmp_path))
    assert (gone[Col.reason], gone[Col.detail]) == ("damaged_file", "it is not there")


def test_a_shard_whose_path_reads_as_a_member_is_refused(tmp_path):
    tarred(tmp_path / "x.tar!" / "a.tar", {"a.jpg": b"x"})
    (row,) = shard_rows(f"file:{tmp_path}/x.tar!/a.tar", source(kind="webdataset", path=tmp_path))
    assert row[Col.reason] == "unreadable_name" and ".tar!/" in row[Col.detail]
