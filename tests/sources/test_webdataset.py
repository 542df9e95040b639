"""Folders of tar shards as a source."""

import pytest

from equipoise.config import Place
from equipoise.pipeline.content import content_of
from equipoise.schemas import Col
from equipoise.sources.reading import nothing_found, passed_inside, passed_over, raw_items
from sources.asked import refusal, rows, source
from sources.shards import tarred


@pytest.fixture
def shards(tmp_path):
    """Two shards at two depths, and what is none."""
    side = b'{"caption": "%d", "license": "CC0"}'
    for place, path in enumerate(("00000.tar", "more/a b%20\n.TAR")):
        keys = [f"{place}{number:04}" for number in range(3)]
        members = [
            (f"{key}{ending}", (side % place) if ending == ".json" else key.encode())
            for key in keys
            for ending in (".jpg", ".json")
        ]
        tarred(tmp_path / path, [*members, (".hidden.jpg", b"x")])
    (tmp_path / "00000.tar.gz").write_bytes(b"x")
    (tmp_path / "empty.tar").touch()
    return tmp_path


def test_shards_at_any_depth_are_items_by_reference_with_their_times(spark, shards):
    found = rows(spark, kind="webdataset", path=shards, attributes=["caption"])
    good = [row for row in found if row[Col.reason] is None]
    assert len(good) == 6 and [row[Col.reason] for row in found if row[Col.reason]] == ["empty_file"]
    for row in good:
        assert content_of(row[Col.uri], row[Col.content]) == row[Col.key].rpartition("/")[2][:5].encode()
        assert row[Col.key].startswith(f"tar:file:{shards}/") and row[Col.n_bytes] == 5
        assert row[Col.attributes] == {"caption": row[Col.key].rpartition("/")[2][0]}
        assert row[Col.modified_at] is not None and row[Col.content] is None and row[Col.given_id] is None
    one = rows(spark, kind="webdataset", path=shards / "00000.tar")
    assert [row[Col.key] for row in one] == [row[Col.key] for row in good[:3]]
    assert not [row for row in one if row[Col.attributes]]


def test_what_is_passed_over_is_told_of_the_folder_and_of_the_shards(spark, shards):
    section = source(kind="webdataset", path=shards)
    assert passed_over(spark, section, Place("source")) == {".gz": 1}
    assert passed_inside(raw_items(spark, section, Place("source"))) == {"dot files": 2}


def test_a_field_that_no_sample_has_is_refused_with_the_nearest(spark, shards):
    message = refusal(spark, kind="webdataset", path=shards, attributes=["licence"])
    assert message.startswith("source.attributes.licence: ") and "did you mean 'license'" in message
    assert refusal(spark, kind="webdataset", path=shards, label="cls").startswith("source.label: ")
    block = {"domains": "d.txt"}
    assert refusal(spark, kind="webdataset", path=shards, block=block).startswith("source.block.url: ")


def test_a_field_that_only_a_later_shard_has_is_taken(spark, shards):
    tarred(shards / "zz.tar", {"z.jpg": b"z", "z.cls": b"3"})
    found = rows(spark, kind="webdataset", path=shards, label="cls")
    assert [row[Col.label] for row in found if row[Col.label]] == ["3"]


def test_a_folder_without_shards_is_refused_with_what_is_there(spark, tmp_path):
    (tmp_path / "00000.tar.gz").write_bytes(b"x")
    section = source(kind="webdataset", path=tmp_path)
    assert raw_items(spark, section, Place("source")).isEmpty()
    message = nothing_found(section, Place("source"), passed_over(spark, section, Place("source")))
    assert message.startswith(f"source.path {tmp_path} holds no file with one of the extensions tar;")
    assert message.endswith(
        "compressed shards (.tar.gz) have no places to read from: unpack them; not looked at: .gz (1)"
    )
