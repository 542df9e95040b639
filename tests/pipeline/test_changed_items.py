"""Which items are others than those that the pool has, on small literal frames."""

import hashlib
from datetime import datetime

import pytest

from equipoise.pipeline import items as it
from equipoise.schemas import POOL, Col

THEN, NOW = datetime(2026, 1, 1), datetime(2026, 1, 2)


def frame(spark, schema, *rows):
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in rows], schema)


@pytest.fixture(scope="module")
def pool(spark):
    digest = hashlib.sha256(b"one").hexdigest()
    file = {"source": "web", "modified_at": THEN, "bytes": 7}
    text = {"source": "web", "content_hash": digest}
    rows = [{"item_id": number, **file} for number in (1, 2, 3)] + [{"item_id": number, **text} for number in (4, 5)]
    return frame(
        spark, POOL.schema, *rows, {"item_id": 6, "source": "maps", "bytes": 7}, {"item_id": 7, "source": "web"}
    )


@pytest.fixture(scope="module")
def items(spark):
    rows = [
        {"given_id": 1, "modified_at": THEN, "bytes": 7},
        {"given_id": 2, "modified_at": NOW, "bytes": 7},
        {"given_id": 3, "modified_at": THEN, "bytes": 8},
        {"given_id": 4, "content": b"one"},
        {"given_id": 5, "content": b"two"},
        {"given_id": 6, "bytes": 8},  # another source's: no change, a collision
        {"given_id": 7, "modified_at": NOW, "bytes": 7},  # of what the pool never knew nothing can be told
        {"given_id": 8, "bytes": 1},
    ]
    return it.with_item_id(frame(spark, it.RAW, *[{"key": str(row["given_id"]), **row} for row in rows]), "web")


def changed(judged) -> set[int]:
    return {row[Col.item_id] for row in judged.where(Col.is_changed).collect()}


def test_another_time_size_or_content_is_a_change(items, pool):
    judged = it.with_verdict(items, pool)
    assert changed(judged) == {2, 3, 5}
    assert [row[Col.item_id] for row in it.filter_new(judged).collect()] == [8]
    assert sum(row[Col.n_changed] for row in it.verdict_counts(judged).collect()) == 3
    assert changed(it.with_verdict(items, None)) == set()


def test_changed_items_are_taken_anew_where_that_is_asked_for(items, pool):
    judged = it.with_verdict(items, pool, takes_changed=True)
    assert {row[Col.item_id] for row in it.filter_new(judged).collect()} == {2, 3, 5, 8}
    assert changed(judged) == {2, 3, 5}
    details = {row[Col.item_id]: row[Col.detail] for row in judged.collect()}
    assert details[2] is None and details[1].startswith("in the pool since before")


def test_another_vector_is_a_change_and_a_missing_one_is_none(spark, items, pool):
    vectors = "item_id long, embedding array<float>"
    before = spark.createDataFrame([(1, [1.0, 2.0]), (7, [1.0, 2.0])], vectors)
    now = spark.createDataFrame([(1, [1.0, 3.0]), (7, [1.0, 2.0]), (4, [5.0, 5.0])], vectors)
    judged = it.with_verdict(items.join(now, Col.item_id, "left"), pool, vectors=before)
    assert changed(judged) == {1, 2, 3, 5}
