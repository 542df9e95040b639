"""Texts of web pages as CommonCrawl publishes them, and documents that are compressed."""

import bz2
import gzip

import pyarrow as pa
import pytest

from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline import streams
from equipoise.pipeline.content import content_of, read_bytes
from equipoise.schemas import Col
from equipoise.sources.web_texts import web_rows
from sources.asked import refusal, rows, source

PACK = {"gz": gzip.compress, "bz2": bz2.compress, "zst": lambda it: pa.compress(it, "zstd", asbytes=True)}
WANTED = {"kind": "texts", "path": "p", "attributes": ["url", "date"], "label": "language"}


def record(kind, text, **headers):
    """A record as CommonCrawl writes it."""
    body = text.encode()
    named = {"WARC-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{name}: {value}" for name, value in {**named, "Content-Length": len(body)}.items()]
    return "\r\n".join(["WARC/1.0", *lines, "", ""]).encode() + body + b"\r\n\r\n"


INFO = record("warcinfo", "Software-Info: x\r\n\r\nmore")
FIRST = record(
    "conversion",
    "WARC/1.0 is a format\n\nGrüße",
    WARC_Target_URI="http://a.org/1",
    WARC_Date="2020-01-02T00:00:00Z",
    WARC_Identified_Content_Language="deu",
)
SECOND = record("conversion", "", WARC_Target_URI="http://a.org/2")
THIRD = record("conversion", "of no address")


def web(path, content, **values):
    path.write_bytes(content)
    return list(web_rows(f"file:{path}", source(**{**WANTED, **values})))


def test_pages_have_their_texts_and_what_is_said_of_them_whatever_the_packing(tmp_path):
    parts = [INFO, FIRST, SECOND, THIRD]
    plain = web(tmp_path / "a.wet", b"".join(parts), block={"domains": "d"})
    assert [row[Col.content].decode() for row in plain] == ["WARC/1.0 is a format\n\nGrüße", "", "of no address"]
    keys = ["http://a.org/1", "http://a.org/2", f"file:{tmp_path}/a.wet#2"]
    assert [row[Col.key] for row in plain] == keys and [row[Col.url] for row in plain] == [*keys[:2], None]
    assert [row[Col.label] for row in plain] == ["deu", None, None]
    assert plain[0][Col.attributes] == [("url", "http://a.org/1"), ("date", "2020-01-02T00:00:00Z")]
    # CommonCrawl's files are as many compressed streams as records.
    packed = web(tmp_path / "a.wet.gz", b"".join(map(gzip.compress, parts)))
    assert [row[Col.content] for row in packed] == [row[Col.content] for row in plain]


@pytest.mark.parametrize(
    "content, reason, said",
    [
        (gzip.compress(FIRST * 99)[:-30], "damaged_file", ""),
        (gzip.compress(FIRST + b"no record\n"), "damaged_file", "it is no WARC: b'no record\\n'"),
        (gzip.compress(FIRST + FIRST[:-12]), "damaged_file", "it is cut off inside a record"),
        (
            gzip.compress(FIRST + b"WARC/1.0\r\nContent-Length: 99999999999\r\n\r\n"),
            "damaged_file",
            "99999999999 bytes",
        ),
        (gzip.compress(INFO), "empty_file", "there is no page in it"),
    ],
)
def test_a_file_that_is_damaged_is_one_row_and_nothing_of_it_is_taken(tmp_path, content, reason, said):
    (row,) = web(tmp_path / "a.wet.gz", content)
    assert row[Col.reason] == reason and said in row[Col.detail]


def test_a_folder_of_all_forms_is_read_with_documents_by_what_is_in_them(spark, tmp_path):
    for ending, pack in PACK.items():
        (tmp_path / f"a b%20.txt.{ending}").write_bytes(pack(f"in {ending}".encode()))
    (tmp_path / "plain.txt").write_text("as it is")
    (tmp_path / "a.jsonl.zst").write_bytes(PACK["zst"](b'{"text": "a line", "url": "http://b.org"}'))
    (tmp_path / "CC.warc.WET.gz").write_bytes(gzip.compress(FIRST))
    (tmp_path / "empty.txt.gz").touch()
    found = rows(spark, kind="texts", path=tmp_path, attributes=["url"])
    good = [row for row in found if row[Col.reason] is None]
    assert [row[Col.reason] for row in found if row not in good] == ["empty_file"]
    texts = {content_of(row[Col.uri], row[Col.content]).decode() for row in good}
    assert texts == {"in gz", "in bz2", "in zst", "as it is", "a line", "WARC/1.0 is a format\n\nGrüße"}
    assert {row[Col.attributes]["url"] for row in good if row[Col.attributes]} == {"http://a.org/1", "http://b.org"}
    packed = [row for row in good if row[Col.key].endswith(".txt.gz")]
    assert [(row[Col.uri], row[Col.n_bytes]) for row in packed] == [(f"unpacked:{packed[0][Col.key]}", None)]
    message = refusal(spark, kind="texts", path=tmp_path / "CC.warc.WET.gz", attributes=["licence"])
    assert message.startswith("source.attributes.licence: ") and "has no column 'licence'" in message
    message = refusal(spark, kind="texts", path=tmp_path, inline=False)
    assert message.startswith("source.inline is false, but ") and "has JSON lines or web pages" in message


def test_a_document_that_unpacks_to_more_than_fits_or_is_cut_off_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MOST_UNPACKED_BYTES", 1000)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"x" * 1001))
    with pytest.raises(UnreadableItem) as caught:
        read_bytes(f"unpacked:file:{tmp_path}/a.txt.gz")
    assert (caught.value.reason, caught.value.detail) == (
        "content_too_large",
        "more than 1,000 bytes when it is unpacked",
    )
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"xyz" * 300)[:-4])
    with pytest.raises(UnreadableItem) as caught:
        read_bytes(f"unpacked:file:{tmp_path}/a.txt.gz")
    assert caught.value.reason == "unreadable_file"
