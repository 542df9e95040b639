"""The few rows that a report takes from large tables, against plain Python."""

import pytest
from pyspark.sql import functions as F

from equipoise.evaluation.clusters import largest
from equipoise.evaluation.duplicates import duplicate_totals, largest_duplicates
from equipoise.evaluation.pairs import BINS, bars, pairs_near, similarity_counts
from equipoise.evaluation.rejected import rejected_examples
from equipoise.evaluation.tree import largest_children, most_shrunk
from equipoise.schemas import Col

SIZES = "selection string, level int, cluster_id long, parent_id long, n_pool long, n_curated long"
DUPLICATES = (
    "stage string, item_id long, component_id long, is_kept boolean, kept_id long, similarity float, method string"
)


def rows(frame, *order: str) -> list[tuple]:
    return [tuple(row) for row in frame.orderBy(*order).collect()]


def test_the_largest_children_of_every_parent(spark):
    sizes = [
        ("a", 1, id, parent, size, id)
        for parent, members in {5: {10: 3, 11: 9, 12: 9, 13: 1}, 6: {14: 2}, 7: {15: 50}}.items()
        for id, size in members.items()
    ]
    sizes += [("b", *row[1:]) for row in sizes] + [("a", 2, 10, 5, 99, 99)]
    found = largest_children(spark.createDataFrame(sizes, SIZES), [5, 6], level=1, n=2)
    assert found.columns == [
        Col.selection, Col.parent_id, Col.cluster_id, Col.rank, Col.n_children, Col.n_pool, Col.n_curated,
    ]  # fmt: skip
    expected = [(5, 11, 1, 4, 9, 11), (5, 12, 2, 4, 9, 12), (6, 14, 1, 1, 2, 14)]
    assert rows(found, Col.selection, Col.parent_id, Col.rank) == [(name, *row) for name in "ab" for row in expected]


def test_the_clusters_that_shrank_the_most_are_large_ones(spark):
    sizes = {1: (50, 1), 2: (40, 30), 3: (60, 1), 4: (5, 0), 5: (20, 18), 6: (60, 1)}  # the mean is 39, the rate 51/235
    rows_a = [("a", 2, id, None, pool, curated) for id, (pool, curated) in sizes.items()]
    rows_b = [("b", 2, id, None, pool, 7) for id, (pool, _) in sizes.items()]
    frame = spark.createDataFrame([*rows_a, *rows_b, ("a", 1, 9, 1, 900, 0), ("none", 2, 3, None, 60, 0)], SIZES)
    found = most_shrunk(frame, level=2, selection="a", n=2)
    assert found.columns == frame.columns
    taken = found.select(Col.selection, Col.cluster_id)
    assert rows(taken, *taken.columns) == [("a", 3), ("a", 6), ("b", 3), ("b", 6), ("none", 3)]
    every = most_shrunk(frame, level=2, selection="a", n=9).where(F.col(Col.selection) == "a")
    assert rows(every, Col.cluster_id) == [rows_a[0], rows_a[2], rows_a[5]]
    assert most_shrunk(frame, level=2, selection="none", n=9).isEmpty()


def test_the_largest_groups_of_the_pool_as_every_set_has_them(spark):
    sizes = [(name, "class", group, n, n - 1) for name in "ab" for group, n in {"x": 3, "z": 5, "y": 3, "w": 1}.items()]
    frame = spark.createDataFrame(sizes, "selection string, name string, group string, n_pool long, n_curated long")
    expected = [("class", "z", 1, 5, 4), ("class", "x", 2, 3, 2), ("class", "y", 3, 3, 2)]
    first = largest(frame, 3, by=Col.name, tie=Col.group)
    columns = [Col.selection, Col.name, Col.group, Col.rank, Col.n_pool, Col.n_curated]
    found = rows(first.select(columns), Col.selection, Col.rank)
    assert found == [(name, *row) for name in "ab" for row in expected]


def test_rejects_are_counted_and_some_are_named(spark):
    schema = "item_id long, stage string, key string, uri string, reason string, detail string"
    rejects = [(id, "ingest", f"k{id}", f"u{id}" if id % 2 else None, "broken", None) for id in range(5)]
    rejects += [(1, "cluster", "k1", None, "zero_vector", "d")]
    found = rejected_examples(spark.createDataFrame(rejects, schema), 2)
    assert rows(found, Col.stage, Col.rank) == [
        ("cluster", "zero_vector", 1, 1, 1, "k1", "d"),
        ("ingest", "broken", 5, 1, 0, "k0", None),
        ("ingest", "broken", 5, 2, 1, "u1", None),
    ]


@pytest.fixture(scope="module")
def duplicates(spark):
    members = [(1, 1, True, 1, None), (2, 1, False, 1, 0.75), (3, 1, False, 1, 0.5), (4, 1, False, 1, 0.75)]
    members += [(5, 5, True, 5, None), (6, 5, False, 5, 1.0), (7, 7, True, 7, None), (8, 7, False, 7, -1.0)]
    return spark.createDataFrame([("deduplicate", *member, "copies") for member in members], DUPLICATES)


@pytest.fixture(scope="module")
def near(spark):
    """The pairs of items with those of a set."""
    return spark.createDataFrame([(11, 90), (13, 90), (14, 91), (2, 90)], "src long, dst long")


def test_duplicates_in_numbers(duplicates):
    assert rows(duplicate_totals(duplicates), Col.n_items) == [(8, 3)]


def test_the_largest_groups_begin_with_the_kept_item_and_the_least_similar(duplicates, near):
    found = largest_duplicates(duplicates, near, groups=2, items=3).drop(Col.stage, Col.method)
    assert rows(found, Col.component_id, Col.rank) == [
        (1, 1, True, 1, None, False, 4, 1), (1, 3, False, 1, 0.5, False, 4, 2), (1, 2, False, 1, 0.75, False, 4, 3),
        (5, 5, True, 5, None, False, 2, 1), (5, 6, False, 5, 1.0, False, 2, 2),
    ]  # fmt: skip


def test_a_group_that_went_whole_begins_with_the_items_that_are_like_one_of_the_set(spark, near):
    members = [(10, 10, 90, None), (11, 10, 90, 0.5), (12, 10, 90, 0.25), (13, 10, 90, 0.75), (14, 10, 91, 0.625)]
    gone = [("deduplicate", id, group, False, kept, value, "against:s") for id, group, kept, value in members]
    found = largest_duplicates(spark.createDataFrame(gone, DUPLICATES), near, groups=1, items=5)
    assert rows(found.select(Col.rank, Col.item_id, Col.kept_id, "is_near", Col.similarity), Col.rank) == [
        (1, 13, 90, True, 0.75), (2, 14, 91, True, 0.625), (3, 11, 90, True, 0.5), (4, 10, 90, False, None),
        (5, 12, 90, False, 0.25),
    ]  # fmt: skip


def test_components_of_two_stages_are_two_groups_whatever_their_ids(spark, near):
    members = [(stage, id, 1, id == 1, 1, None if id == 1 else 0.9, "copies") for stage in ("a", "b") for id in (1, 2)]
    duplicates = spark.createDataFrame(members, DUPLICATES)
    assert rows(duplicate_totals(duplicates), Col.n_items) == [(4, 2)]
    found = largest_duplicates(duplicates, near, groups=2, items=3)
    assert [row[:3] for row in rows(found, Col.stage, Col.rank)] == [("a", 1, 1), ("a", 1, 2), ("b", 1, 1), ("b", 1, 2)]


@pytest.fixture(scope="module")
def pairs(spark):
    values = {"pool": [0.25, 0.375, 0.5, 0.5, 0.625, 0.75, 0.875], "against:s": [0.25, 0.9375], "copies": [1.0]}
    found = [(kind, 100 + n, 200 - n, value) for kind, all in values.items() for n, value in enumerate(all)]
    return spark.createDataFrame(found, "kind string, src long, dst long, similarity float")


def test_pairs_are_counted_by_kind_and_similarity_rounding_beyond_the_ends_included(spark):
    values = [("a", -1.000001), ("a", 1.000001), ("a", 1.0), ("a", 0.0), ("b", 0.0006), ("b", 0.0011)]
    found = similarity_counts(spark.createDataFrame(values, "kind string, similarity float"))
    assert rows(found, Col.kind, Col.bucket) == [
        ("a", 0, 1), ("a", BINS // 2, 1), ("a", BINS - 1, 2), ("b", BINS // 2, 1), ("b", BINS // 2 + 1, 1),
    ]  # fmt: skip


def test_the_pairs_next_to_a_threshold_the_closest_first_and_one_at_it_is_below(pairs):
    found = pairs_near(pairs, {"pool": 0.5, "against:s": 0.5}, 2)
    assert rows(found, Col.kind, "is_above", Col.rank) == [
        ("against:s", False, 1, 100, 200, 0.25), ("against:s", True, 1, 101, 199, 0.9375),
        ("pool", False, 1, 102, 198, 0.5), ("pool", False, 2, 103, 197, 0.5),
        ("pool", True, 1, 104, 196, 0.625), ("pool", True, 2, 105, 195, 0.75),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, ([], [])),
        ({1600: 3}, ([0.6, 0.601], [3])),
        ({1600: 3, 1603: 1}, ([0.6, 0.601, 0.602, 0.603, 0.604], [3, 0, 0, 1])),
        ({1600: 3, 1611: 1, 1619: 5}, ([0.6, 0.605, 0.61, 0.615, 0.62], [3, 0, 1, 5])),
        ({0: 1, 1999: 2}, ([-1.0, -0.5, 0.0, 0.5, 1.0], [1, 0, 0, 2])),
    ],
)
def test_bars_have_a_round_width_and_are_at_most_so_many(counts, expected):
    assert bars(counts, most=5) == expected
