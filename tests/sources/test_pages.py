"""Where the pages of items are taken from, for lists of what is blocked."""

import json

import pytest

from equipoise.schemas import Col
from sources.asked import refusal, rows
from sources.parquet_written import written

BLOCK = {"domains": "d"}


@pytest.fixture
def table(tmp_path):
    return written(
        tmp_path / "t" / "a.parquet", {"uri": ["http://a.org/1"], "url": ["http://b.org"], "x": ["http://c"]}
    )


@pytest.mark.parametrize(
    "values, page",
    [
        ({"block": BLOCK}, "http://a.org/1"),
        ({"block": BLOCK, "attributes": ["url"]}, "http://b.org"),
        ({"block": {**BLOCK, "url": "x"}}, "http://c"),
    ],
)
def test_pages_of_a_table_are_a_column(spark, table, values, page):
    assert [row[Col.url] for row in rows(spark, kind="table", path=table, uri="uri", **values)] == [page]


def test_pages_of_lines_are_a_field_and_documents_have_none(spark, table, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("x")
    (tmp_path / "in/a.jsonl").write_text(json.dumps({"text": "y", "url": "http://b.org"}))
    found = rows(spark, kind="texts", path=tmp_path / "in", block=BLOCK)
    assert {row[Col.url] for row in found} == {"http://b.org", None}
    message = refusal(spark, kind="texts", path=tmp_path / "in", block={**BLOCK, "url": "page"})
    assert message.startswith("source.block.url: ") and "has no column 'page'" in message
    said = refusal(spark, kind="table", path=table, uri="uri", block={**BLOCK, "url": "page"})
    assert said.startswith("source.block.url: ")
