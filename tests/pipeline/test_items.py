"""Ids and verdicts, on small literal frames."""

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import functions as F

from equipoise.kernels.vectors import largest_value
from equipoise.pipeline import items as it
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col

IN_POOL = [Col.item_id, Col.source, Col.uri]
READ = [*IN_POOL, Col.modified_at, Col.n_bytes, Col.content_hash]
"""Columns of the pool that a verdict reads."""


def raw(spark, *rows):
    """Raw items from dicts; what a row does not name is null."""
    return spark.createDataFrame([tuple(row.get(name) for name in it.RAW.names) for row in rows], it.RAW)


def verdicts(judged):
    return sorted((row[Col.key], row[Col.uri], row[Col.reason]) for row in judged.collect())


def held(spark, *rows):
    """The pool, of rows (item_id, source, uri)."""
    wanted = [dict(zip(IN_POOL, row, strict=True)) for row in rows]
    schema = POOL.schema
    return spark.createDataFrame([tuple(row.get(name) for name in schema.names) for row in wanted], schema).select(READ)


@pytest.fixture(scope="module")
def no_pool(spark):
    return held(spark)


def test_a_given_id_is_the_id_and_other_keys_are_hashed_with_the_source(spark):
    items = it.with_item_id(raw(spark, {"key": "5", "given_id": 5}, {"key": "file:/a.png"}), "web")
    hashed = spark.range(1).select(F.xxhash64(F.lit("web"), F.lit("file:/a.png"))).first()[0]
    assert {row[Col.key]: row[Col.item_id] for row in items.collect()} == {"5": 5, "file:/a.png": hashed}
    # This number must never change: tables in the field are keyed by it.
    assert hashed == 1495522191727679337


def test_in_an_id_space_of_its_own_a_source_hashes_given_ids_too(spark):
    rows = raw(spark, {"key": "5", "given_id": 5}, {"given_id": 5}, {"key": "file:/a.png"})
    found = {
        name: [
            (row[Col.item_id], row[Col.given_id]) for row in it.with_item_id(rows, name, is_own_space=True).collect()
        ]
        for name in ("web", "maps")
    }
    hashed = [
        row[0]
        for row in spark.sql("select xxhash64('web', '5') union all select xxhash64('web', 'file:/a.png')").collect()
    ]
    assert found["web"] == [(hashed[0], 5), (hashed[0], 5), (hashed[1], None)]  # yours is kept beside
    assert not {item for item, _ in found["web"]} & {item for item, _ in found["maps"]}
    plain = it.with_item_id(rows, "web").collect()  # what has no id of its own is the same in both
    assert [row[Col.item_id] for row in plain] == [5, 5, hashed[1]]


def test_an_item_without_id_and_key_has_none_in_either_space(spark):
    for is_own in (False, True):
        (row,) = it.with_item_id(raw(spark, {}), "web", is_own_space=is_own).collect()
        assert (row[Col.reason], row[Col.detail]) == (it.MISSING_ID, "the row has no id")


def test_rows_without_an_id_are_told_apart_by_what_else_is_known(spark):
    rows = [
        {"uri": "a", "detail": "row 1"},
        {"uri": "a", "detail": "row 2"},
        {"uri": "b", "detail": "row 1"},
        {"label": "x"},
        {},
    ]
    for is_own in (False, True):
        found = it.with_item_id(raw(spark, *rows), "web", is_own_space=is_own).collect()
        assert len({row[Col.item_id] for row in found}) == 5 and {row[Col.reason] for row in found} == {it.MISSING_ID}
        assert {row[Col.detail] for row in found} == {"row 1", "row 2", "the row has no id"}


def test_a_row_without_id_is_rejected_not_lost(spark, no_pool):
    judged = it.with_verdict(it.with_item_id(raw(spark, {"key": "a"}, {}), "web"), no_pool)
    assert {row[Col.reason] for row in judged.collect()} == {None, it.MISSING_ID}


def test_of_equal_ids_one_is_kept_whatever_the_order(spark, no_pool):
    rows = [{"key": "1", "given_id": 1, "uri": uri} for uri in ("b", "a", "c")]
    expected = [("1", "a", None), ("1", "b", it.DUPLICATE_ID), ("1", "c", it.DUPLICATE_ID)]
    for order in (rows, rows[::-1]):
        for parts in (1, 3):
            judged = it.with_verdict(it.with_item_id(raw(spark, *order).repartition(parts), "web"), no_pool)
            assert verdicts(judged) == expected


def test_another_key_with_the_same_id_is_a_collision(spark, no_pool):
    rows = raw(spark, {"key": "x", "given_id": 1}, {"key": "y", "given_id": 1}, {"key": "z", "given_id": 2})
    judged = it.with_verdict(it.with_item_id(rows, "web"), no_pool)
    assert {row[Col.key]: row[Col.reason] for row in judged.collect()} == {
        "x": None,
        "y": it.ID_COLLISION,
        "z": None,
    }


def test_a_broken_row_does_not_stand_in_for_a_good_one(spark, no_pool):
    rows = raw(
        spark,
        {"key": "1", "given_id": 1, "uri": "a", "reason": it.NOT_FINITE},
        {"key": "1", "given_id": 1, "uri": "b"},
    )
    judged = it.with_verdict(it.with_item_id(rows, "web"), no_pool)
    assert verdicts(judged) == [("1", "a", it.NOT_FINITE), ("1", "b", None)]


def test_what_the_pool_holds_is_dropped_and_foreign_ids_collide(spark):
    pool = held(spark, (1, "web", "old-place"), (2, "maps", None), (3, "web", "file:/x"))
    rows = raw(
        spark,
        {"key": "1", "given_id": 1, "uri": "new-place"},  # the same item, moved
        {"key": "2", "given_id": 2},  # an item of another source
        {"key": "file:/y", "uri": "file:/y", "given_id": 3},  # another file whose hash falls on the same id
        {"key": "4", "given_id": 4},
    )
    judged = it.with_verdict(it.with_item_id(rows, "web"), pool)
    found = {row[Col.item_id]: row[Col.reason] for row in judged.collect()}
    assert found == {1: it.ALREADY_IN_POOL, 2: it.ID_COLLISION, 3: it.ID_COLLISION, 4: None}
    assert [row[Col.item_id] for row in it.filter_new(judged).collect()] == [4]


def test_without_a_pool_the_items_judge_each_other_alone(spark, no_pool):
    rows = raw(spark, *({"key": key, "given_id": 1} for key in ("x", "x", "y")), {"key": "z", "given_id": 2})
    items = it.with_item_id(rows, "web")
    found = [sorted(map(str, it.with_verdict(items, pool).collect())) for pool in (None, no_pool)]
    assert found[0] == found[1]
    reasons = sorted(str(row[Col.reason]) for row in it.with_verdict(items, None).collect())
    assert reasons == ["None", "None", it.DUPLICATE_ID, it.ID_COLLISION]
    assert it.with_verdict(items, None).columns == it.with_verdict(items, no_pool).columns


def test_verdicts_are_counted_in_one_row_a_reason(spark):
    pool = held(spark, (2, "maps", None), (3, "maps", None), (4, "web", None))
    rows = raw(spark, *({"key": str(number), "given_id": number} for number in (1, 2, 3, 4, 5, 5)))
    vectors = spark.createDataFrame(
        [("1", [1.0, 2.0]), ("2", [1.0]), ("3", None), ("4", [])], "key string, embedding array<float>"
    )
    judged = it.with_verdict(it.with_item_id(rows.join(vectors, Col.key, "left"), "web"), pool)
    found = {row[Col.reason]: tuple(row)[1:] for row in it.verdict_counts(judged).collect()}
    assert found == {
        None: (2, 2, 2, 0, None, 0),
        it.ID_COLLISION: (2, 1, 1, 2, 2, 0),  # two given ids are another source's, 2 for one; the null has no length
        it.ALREADY_IN_POOL: (1, None, None, 0, None, 0),
        it.DUPLICATE_ID: (1, None, None, 0, None, 0),
    }


def test_verdicts_of_items_without_vectors_and_ids_are_counted_too(spark):
    items = spark.createDataFrame([(1, None), (2, "unreadable_file"), (3, None)], "item_id long, reason string")
    found = {row[Col.reason]: tuple(row)[1:] for row in it.verdict_counts(items).collect()}
    assert found == {None: (2, None, None, 0, None, 0), "unreadable_file": (1, None, None, 0, None, 0)}


def test_rows_of_vectors_have_the_columns_of_the_table(spark):
    items = spark.createDataFrame(
        [(1, None, [1.0]), (2, it.NOT_FINITE, [2.0])], "item_id long, reason string, embedding array<float>"
    )
    rows = it.embedding_rows(items, "pixels-1", "web")
    assert rows.columns == EMBEDDINGS.columns
    assert [tuple(row) for row in rows.collect()] == [("pixels-1", "web", 1, [1.0])]


def test_rejects_are_rows_of_the_table_without_what_the_pool_holds(spark):
    items = spark.createDataFrame(
        [
            (1, "k1", "u1", None, None),
            (2, "k2", "u2", it.ALREADY_IN_POOL, "x"),
            (3, "k3", "u3", "unreadable_image", "cut"),
        ],
        "item_id long, key string, uri string, reason string, detail string",
    )
    expected = spark.createDataFrame([("r", 3, "ingest", "k3", "u3", "unreadable_image", "cut")], REJECTS.schema)
    assert_df_equality(it.rejects(items, run_id="r", stage="ingest"), expected, ignore_nullable=True)


def test_pool_rows_have_the_columns_of_the_table(spark):
    items = it.with_item_id(raw(spark, {"key": "a", "label": "cat"}, {"key": "b", "reason": "x"}), "web")
    rows = it.pool_rows(items)
    assert rows.columns == POOL.columns
    assert [(row[Col.source], row[Col.label]) for row in rows.collect()] == [("web", "cat")]


def test_vectors_that_cannot_be_clustered_are_rejected_by_their_reasons(spark):
    bound = float(np.float32(2.0**62 / np.sqrt(2)))
    above = float(np.nextafter(np.float32(bound), np.float32(np.inf)))
    expected = [
        ([1.0, 2.0], None),
        ([float("nan"), 0.0], it.NOT_FINITE),
        ([0.0, float("-inf")], it.NOT_FINITE),
        ([1.0, None], it.NOT_FINITE),
        (None, it.NOT_FINITE),
        ([], it.EMPTY_VECTOR),
        ([0.0, 0.0], None),
        ([3.4e38, -3.4e38], it.TOO_LARGE),
        ([1.0, -1e25], it.TOO_LARGE),
        ([bound, -bound], None),
        ([above, 0.0], it.TOO_LARGE),
        ([1.0], it.OTHER_LENGTH),
        ([float("inf")], it.NOT_FINITE),
    ]
    rows = [(str(key), None, None, vector) for key, (vector, _) in enumerate(expected)]
    items = spark.createDataFrame(
        [*rows, ("x", "mine", "said", [])], "key string, reason string, detail string, embedding array<float>"
    )
    judged = {row[Col.key]: row for row in it.with_usable_vectors(items, length=2).collect()}
    found = {key: row[Col.reason] for key, row in judged.items()}
    assert found == {**{str(key): reason for key, (_, reason) in enumerate(expected)}, "x": "mine"}
    details = [judged[key][Col.detail] for key in ("0", "5", "8", "11", "x")]
    assert details == [
        None,
        "the vector has no numbers",
        "the vector holds 1.0E25, too large to square in float32",
        "the vector has 1 numbers, most have 2",
        "said",
    ]
    alike = {row[Col.key]: row[Col.reason] for row in it.with_usable_vectors(items).collect()}
    assert alike == {**found, "11": None}


@pytest.mark.parametrize("dim", [1, 2, 768, 100_000])
def test_the_largest_values_of_vectors_have_finite_distances(dim):
    largest = np.full(dim, largest_value(dim), np.float32)
    with np.errstate(over="raise"):
        assert np.isfinite(np.square(largest - -largest).sum(dtype=np.float32))
        assert np.isfinite(2 * (largest @ largest) + 2 * np.square(largest).sum(dtype=np.float32))


def test_lengths_are_counted_commonest_first(spark):
    items = spark.createDataFrame([([1.0, 2.0],), ([1.0],), (None,), ([3.0, 4.0],)], "embedding array<float>")
    assert [tuple(row) for row in it.vector_lengths(items).collect()] == [(2, 2), (1, 1)]


@pytest.mark.parametrize("done, left", [([], [0, 1, 2]), ([1], [0, 2]), ([0, 1, 2], [])])
def test_what_is_done_is_left_out(spark, done, left):
    items = spark.range(3).withColumnRenamed("id", Col.item_id)
    finished = spark.createDataFrame([(one,) for one in done], f"{Col.item_id} long")
    assert sorted(row[0] for row in it.filter_without(items, finished).collect()) == left
