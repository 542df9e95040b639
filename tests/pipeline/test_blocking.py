"""Items whose page is on a list, and the lists."""

import bz2
import tracemalloc

import numpy as np
import pytest

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.pipeline import blocking
from equipoise.pipeline.sharing import share
from equipoise.schemas import Col
from equipoise.sources import block_lists
from sources.asked import source

BLOCK = {"kind": "table", "path": "t", "uri": "u"}


def lists(domains=(), urls=()):
    return [np.sort(blocking.hashed(some)) for some in (domains, urls)]


def test_domains_with_their_sub_domains_and_single_pages_are_found():
    pages = [
        "http://x.bad.org/1",
        "http://bad.org",
        "http://notbad.org",
        "http://fine.org/a/",
        "http://fine.org/b",
        None,
        "",
    ]
    found = blocking._found(pages, *lists(["bad.org", "worse.org"], ["fine.org/a", "bad.org"]))
    assert found[Col.reason].tolist() == ["blocked_domain", "blocked_domain", None, "blocked_url", None, None, None]
    assert found[Col.detail].tolist()[0] == "bad.org is on the list"
    assert blocking._found(pages, *lists())[Col.reason].isna().all()


def test_ten_thousand_entries_are_found_as_by_a_set():
    rng = np.random.default_rng(0)
    names = [f"{number}.org" for number in rng.integers(0, 20_000, 5_000)]
    pages = [f"http://a.{number}.org/x" for number in range(20_000)]
    found = blocking._found(pages, *lists(names))
    assert [not one for one in found[Col.reason].isna()] == [page[9:-2] in {*names} for page in pages]


def test_verdicts_that_are_there_stay_and_the_address_goes(spark):
    rows = [("k1", "http://bad.org", None, None), ("k2", "http://bad.org", "empty_file", "x"), ("k3", None, None, None)]
    schema = f"{Col.key} string, {Col.url} string, {Col.reason} string, {Col.detail} string"
    block = source(**BLOCK, block={"domains": "d"}).block
    frame = spark.createDataFrame(rows, schema)
    with pytest.raises(InputError, match=r"source\.block\.domains d does not exist"):
        block_lists.block_lists(spark, block, Place("source"))
    shared = blocking.Lists(*(share(spark.sparkContext, one) for one in lists(["bad.org"])))
    judged = blocking.with_blocked(frame, shared)
    assert judged.columns == [Col.key, Col.reason, Col.detail]
    assert [tuple(row) for row in judged.orderBy(Col.key).collect()] == [
        ("k1", "blocked_domain", "bad.org is on the list"),
        ("k2", "empty_file", "x"),
        ("k3", None, None),
    ]
    shared.destroy()


def test_a_list_is_read_in_pieces_whatever_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(block_lists, "_LINES_AT_ONCE", 1_000)
    (tmp_path / "l.bz2").write_bytes(bz2.compress(b"".join(b"%d.org\n" % number for number in range(30_000))))
    tracemalloc.start()
    found = block_lists._hashes(f"{tmp_path}/l.bz2", block_lists.domains_in, "k")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 30_000 and found.dtype == np.uint64 and (np.diff(found.astype(object)) > 0).all()
    assert peak < 5e6


@pytest.mark.parametrize(
    "content, said",
    [
        (
            b"good.org\n# c\nbad.org/path\n",
            "source.block.domains {}: line 3, 'bad.org/path', is no domain: write one a",
        ),
        (b"\xff\xfe\n", "source.block.domains {}: line 1, "),
    ],
)
def test_a_line_that_is_no_entry_is_told_with_its_number(tmp_path, content, said):
    path = tmp_path / "l.txt"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        block_lists._hashes(str(path), block_lists.domains_in, "source.block.domains")
    assert str(caught.value).startswith(said.format(path))


def test_a_list_that_is_cut_off_cannot_be_read(tmp_path):
    (tmp_path / "l.bz2").write_bytes(bz2.compress(b"a.org\n" * 99_999)[:-9])
    with pytest.raises(InputError, match=r"source\.block\.urls .* cannot be read as a list"):
        block_lists._hashes(f"{tmp_path}/l.bz2", block_lists.pages_in, "source.block.urls")


def test_the_state_of_a_list_is_that_of_its_content(tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("a.org")
    block = source(**BLOCK, block={"domains": str(path), "urls": str(tmp_path / "gone")}).block
    before = block_lists.list_states(block)
    path.write_text("a.org")
    assert block_lists.list_states(block) == before and before[str(tmp_path / "gone")] is None
    path.write_text("b.org")
    assert block_lists.list_states(block) != before
