"""What lies behind uris."""

import hashlib
import io

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import fs

from equipoise.encoders import UnreadableItem
from equipoise.pipeline import content as ct
from equipoise.pipeline import locating
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col


def png(size=(3, 2)):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("name", ["plain.png", "a b%20c.png", "grüße+日本.png", "a:b#c?.png"])
@pytest.mark.parametrize("prefix", ["", "file:", "file://"])
def test_any_file_name_is_read_as_it_is(tmp_path, name, prefix):
    (tmp_path / name).write_bytes(b"x")
    assert ct.read_bytes(f"{prefix}{tmp_path / name}") == b"x"


@pytest.mark.parametrize(
    "uri, path",
    [
        ("dbfs:/Volumes/main/raw/a b.png", "/Volumes/main/raw/a b.png"),
        ("/Volumes/main/raw/a.png", "/Volumes/main/raw/a.png"),
        ("dbfs:/data/a.png", "/dbfs/data/a.png"),
    ],
)
def test_databricks_files_are_read_through_the_mount(uri, path):
    filesystem, found = locating.locate(uri)
    assert isinstance(filesystem, fs.LocalFileSystem) and found == path


@pytest.mark.parametrize(
    "uri, asked, path",
    [
        ("s3a://bucket/a b/ü%20.png", "s3://bucket/", "bucket/a b/ü%20.png"),
        ("s3://bucket/k", "s3://bucket/", "bucket/k"),
        ("gs://bucket/k/l", "gs://bucket/", "bucket/k/l"),
        ("abfss://box@account.dfs.core.windows.net/k", "abfss://box@account.dfs.core.windows.net/", "box/k"),
        ("hdfs://node:8020/k", "hdfs://node:8020/", "/k"),
        ("hdfs:///k", "hdfs://default/", "/k"),
    ],
)
def test_remote_uris_go_to_their_store_with_the_name_untouched(monkeypatch, uri, asked, path):
    roots = {"s3": "bucket", "gs": "bucket", "abfss": "box/", "hdfs": "/"}
    calls = []

    class FileSystem:
        @staticmethod
        def from_uri(place):
            calls.append(place)
            return "store", roots[place.partition(":")[0]]

    monkeypatch.setattr(locating.fs, "FileSystem", FileSystem)
    locating._remote.cache_clear()
    assert locating.locate(uri) == ("store", path)
    assert calls == [asked]
    locating._remote.cache_clear()


@pytest.mark.parametrize("uri", ["file:/no/such/file.png", "http://example.org/a.png", "file:/tmp"])
def test_what_cannot_be_read_says_so(uri):
    with pytest.raises(UnreadableItem) as caught:
        ct.read_bytes(uri)
    assert caught.value.reason == "unreadable_file"


@pytest.fixture
def items(spark, tmp_path):
    (tmp_path / "good ü.png").write_bytes(png())
    (tmp_path / "corrupt.png").write_bytes(b"no image")
    uris = [f"file:{tmp_path}/{name}" for name in ("good ü.png", "corrupt.png", "gone.png")]
    rows = [{"key": uri, "uri": uri} for uri in uris] + [
        {"key": "here", "content": bytearray(b"text")},
        {"key": "none"},
    ]
    return spark.createDataFrame([tuple(row.get(name) for name in RAW.names) for row in rows], RAW)


def by_name(rows):
    return {row[Col.key].rpartition("/")[2]: row for row in rows.collect()}


def test_images_get_hash_and_size_and_the_unreadable_a_reason(items):
    rows = by_name(ct.with_content(items, "images", keep=False))
    good = rows["good ü.png"]
    assert (good[Col.width], good[Col.height], good[Col.n_bytes]) == (3, 2, len(png()))
    assert good[Col.content_hash] == hashlib.sha256(png()).hexdigest()
    assert good[Col.content] is None and good[Col.reason] is None
    assert rows["corrupt.png"][Col.reason] == rows["here"][Col.reason] == "unreadable_image"
    assert rows["gone.png"][Col.reason] == "unreadable_file"
    assert "gone.png" in rows["gone.png"][Col.detail]
    assert rows["none"][Col.reason] == "missing_content"


def test_inline_contents_are_kept(items):
    rows = by_name(ct.with_content(items, "texts", keep=True))
    assert rows["good ü.png"][Col.content] == png()
    assert rows["here"][Col.content] == b"text" and rows["here"][Col.n_bytes] == 4
    assert rows["here"][Col.width] is None


def test_contents_of_an_unknown_kind_need_not_be_images(items):
    rows = by_name(ct.with_content(items, None, keep=False))
    assert rows["good ü.png"][Col.width] == 3
    assert rows["corrupt.png"][Col.reason] is None and rows["corrupt.png"][Col.width] is None
    assert rows["here"][Col.content] == b"text"


@pytest.mark.parametrize("error", [MemoryError("no room"), NotImplementedError("no such store")])
def test_a_file_that_raises_anything_is_unreadable(monkeypatch, error):
    def fails(uri):
        raise error

    monkeypatch.setattr(ct, "locate", fails)
    with pytest.raises(UnreadableItem) as caught:
        ct.read_bytes("file:/a\udce9.png")
    assert caught.value.reason == "unreadable_file" and str(error) in caught.value.detail


def test_the_detail_of_an_unreadable_item_is_text():
    assert UnreadableItem("unreadable_file", "no \udce9.png").detail == "no \\udce9.png"


def test_contents_that_are_kept_are_read_within_a_limit(monkeypatch):
    monkeypatch.setattr(ct, "_BYTES_AT_ONCE", 10)
    rows = pa.RecordBatch.from_pydict({Col.n_bytes: pa.array([4, 6, 1, None, 30, 2, 9], pa.int64())})
    contents = [None, None, None, b"12345678", None, b"12", None]

    def sizes(keep):
        return [part.column(0).to_pylist() for part, _ in ct._bounded(rows, contents, keep=keep)]

    assert sizes(keep=True) == [[4, 6], [1, None], [30], [2], [9]]
    assert sizes(keep=False) == [[4, 6, 1, None, 30, 2, 9]]  # those that are there are 10 bytes, no other stays
    assert [of_rows for _, of_rows in ct._bounded(rows, contents, keep=True)][1] == [None, b"12345678"]


def test_a_content_beyond_the_limit_is_not_kept(monkeypatch):
    monkeypatch.setattr(ct, "_LARGEST_KEPT", 3)
    kept = [ct._facts(None, content, kind="texts", keep=True) for content in (b"abc", b"abcd")]
    assert [(facts.reason, facts.detail) for facts in kept] == [
        (None, None),
        ("content_too_large", "4 bytes; contents of up to 3 are kept inline"),
    ]
    assert ct._facts(None, b"abcd", kind="texts", keep=False).reason is None
