"""What stays of components, exact copies, and what evaluation sets take away: by hand, and as properties."""

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from equipoise.errors import ConfigError
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import (
    ROWS,
    against_sets,
    copy_edges,
    dropped_counts,
    duplicates,
    filter_above,
    rerooted,
)
from equipoise.pipeline.frames import for_few_rows
from equipoise.pipeline.keeping import Keep
from equipoise.pipeline.neighbours import neighbour_pairs
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.search import Search

EDGES = "src long, dst long, similarity float"
ROW_TYPES = "item_id long, component_id long, is_kept boolean, kept_id long, similarity float, method string"
COMPONENTS = partial(connected_components, checkpoint=cut_plan)
LOWEST = Keep("lowest_id")


def edges_of(spark, *edges):
    return spark.createDataFrame(edges, EDGES)


def rows_of(frame) -> list[tuple]:
    assert frame.columns == list(ROWS)
    return [(*row[:4], row[4] and round(row[4], 5), row[5]) for row in sorted(frame.collect())]


def kept(frame) -> set[int]:
    return {row.item_id for row in frame.where("is_kept").collect()}


def test_one_item_of_a_component_stays_and_the_others_say_for_what_they_go(spark):
    edges = edges_of(spark, (2, 1, 0.75), (2, 3, 0.9), (3, 4, 0.8), (9, 8, 1.0), (8, 9, 1.0), (5, 5, 1.0))
    assert rows_of(duplicates(edges, components=COMPONENTS, keep=LOWEST)) == [
        (1, 1, True, 1, None, "copies"),
        (2, 1, False, 1, 0.75, "copies"),  # to the kept item, though 3 is more similar
        (3, 1, False, 1, 0.9, "copies"),  # no edge to the kept item: the largest of its own
        (4, 1, False, 1, 0.8, "copies"),
        (8, 8, True, 8, None, "copies"),
        (9, 8, False, 8, 1.0, "copies"),
    ]


def test_nothing_alike_is_no_rows(spark):
    assert rows_of(duplicates(edges_of(spark), components=COMPONENTS, keep=LOWEST)) == []


def test_edges_at_the_threshold_are_not_above_it(spark):
    edges = edges_of(spark, (1, 2, 0.6), (1, 3, 0.60001), (1, 4, 0.5))
    assert [row.dst for row in filter_above(edges, 0.6).collect()] == [3]


def test_equal_contents_are_joined_to_the_lowest_id(spark):
    items = [(7, "a"), (3, "a"), (-2, "b"), (5, "a"), (6, None), (8, None)]
    found = copy_edges(spark.createDataFrame(items, "item_id long, content_hash string"))
    assert sorted(found.collect()) == [(3, 5, 1.0), (3, 7, 1.0)]
    assert found.dtypes == [("src", "bigint"), ("dst", "bigint"), ("similarity", "float")]


ITEMS = "item_id long, width int, height int, bytes long, attributes map<string,string>"
POOL = [
    (1, 10, 10, 90, {"score": "9", "day": "2024-05-01"}),
    (2, 20, 5, 90, {"score": "10", "day": "2024-11-30"}),
    (3, 5, 20, 80, {"score": "2e1"}),
    (4, None, None, 99, {"score": "high", "day": "2024-11-30"}),
]
CHAIN = [(1, 2, 0.7), (2, 3, 0.7), (3, 4, 0.7)]


@pytest.mark.parametrize(
    "keep, wanted",
    [
        (Keep("largest_image"), 1),  # 100 pixels as 2 and 3 have, 90 bytes as 2
        (Keep("longest_text"), 4),
        (Keep("lowest_id"), 1),
        (Keep(attribute="score"), 3),  # 20 as a number; a text comes after all numbers
        (Keep(attribute="day"), 2),  # the latest as text, the lowest id
        (Keep(attribute="none"), 1),
    ],
    ids=str,
)
def test_the_rule_says_which_item_stays(spark, keep, wanted):
    items = spark.createDataFrame(POOL, ITEMS)
    found = duplicates(edges_of(spark, *CHAIN), components=COMPONENTS, keep=keep, items=items)
    assert kept(found) == {wanted}


def test_an_item_that_the_pool_lacks_is_not_lost_and_not_preferred(spark):
    items = spark.createDataFrame(POOL[3:], ITEMS)
    found = duplicates(edges_of(spark, *CHAIN), components=COMPONENTS, keep=Keep("longest_text"), items=items)
    assert kept(found) == {4} and found.count() == 4


def test_the_closest_to_the_mean_of_unit_vectors_stays(spark):
    angles = {1: 0.0, 2: 1.2, 3: 0.5, 11: 0.3, 10: 0.1, 12: 0.1}
    vectors = [(id, [float(5 * id * np.cos(angle)), float(5 * id * np.sin(angle))]) for id, angle in angles.items()]
    vectors.append((99, [1.0, 0.0]))
    embeddings = spark.createDataFrame(vectors, "item_id long, embedding array<float>").repartition(3)
    edges = edges_of(spark, (1, 2, 0.7), (2, 3, 0.7), (10, 11, 0.9), (20, 21, 0.9))
    options = {"components": COMPONENTS, "keep": Keep("closest_to_mean"), "vectors": embeddings}
    # The mean of 0, .5 and 1.2 lies near .57; of two neither is closer; those without a vector have the lowest id.
    assert kept(duplicates(edges, **options)) == {3, 10, 20}
    assert kept(duplicates(edges_of(spark, (10, 11, 0.9), (11, 12, 0.9)), **options)) == {10}  # 12 is as close


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "keep is None and attribute is None: give exactly one of them"),
        ({"rule": "lowest_id", "attribute": "a"}, "keep is 'lowest_id' and attribute is 'a': give exactly one of them"),
        (
            {"rule": "best"},
            "keep is 'best'; it must be one of largest_image, longest_text, lowest_id, closest_to_mean",
        ),
    ],
)
def test_a_rule_that_is_none_is_refused(arguments, message):
    with pytest.raises(ConfigError) as raised:
        Keep(**arguments)
    assert str(raised.value) == message


def test_a_component_that_a_set_touches_goes_whole(spark):
    inside = duplicates(
        edges_of(spark, (1, 2, 0.75), (2, 3, 0.9), (5, 6, 0.8), (7, 8, 0.7)), components=COMPONENTS, keep=LOWEST
    )
    met = [
        (2, 101, 0.5, "test"), (3, 100, 0.625, "test"), (3, 99, 0.625, "val"), (3, 98, 0.5, "val"),
        (5, 97, 0.5, "val"), (20, 99, 0.5, "val"),
    ]  # fmt: skip
    found = against_sets(inside, spark.createDataFrame(met, f"{EDGES}, source string"))
    assert rows_of(found) == [
        (1, 1, False, 99, None, "against:val"),  # it was kept; 3 is the most similar of its component, and 99 below 100
        (2, 1, False, 101, 0.5, "against:test"),
        (3, 1, False, 99, 0.625, "against:val"),
        (5, 5, False, 97, 0.5, "against:val"),
        (6, 5, False, 97, 0.8, "against:val"),  # what it had in the pool
        (7, 7, True, 7, None, "copies"),
        (8, 7, False, 7, 0.7, "copies"),
        (20, 20, False, 99, 0.5, "against:val"),
    ]
    counts = {row.method: (row.n_items, row.n_groups) for row in dropped_counts(found).collect()}
    assert counts == {"against:test": (1, 1), "against:val": (5, 3), "copies": (1, 1)}


def test_links_lead_to_the_item_that_stayed(spark):
    links = [(1, 5, 0.75, "a:1"), (5, 3, 0.5, "a:2"), (4, 3, 1.0, "a:1"), (9, 8, 0.5, "a:1")]
    dropped = spark.createDataFrame(links, "item_id long, kept_id long, similarity float, method string")
    assert rows_of(rerooted(dropped, components=COMPONENTS)) == [
        (1, 1, False, 3, 0.75, "a:1"),
        (3, 1, True, 3, None, "a:2"),
        (4, 1, False, 3, 1.0, "a:1"),
        (5, 1, False, 3, 0.5, "a:2"),
        (8, 8, True, 8, None, "a:1"),
        (9, 8, False, 8, 0.5, "a:1"),
    ]


DRAWN = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0.5, 0.7, 0.8, 1.0])), min_size=1, max_size=15
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DRAWN)
def test_one_item_a_component_stays_and_none_that_stay_are_alike(spark, drawn):
    edges = edges_of(spark, *drawn)
    above = filter_above(edges, 0.6).repartition(4)
    with for_few_rows(spark, 1):
        once = rows_of(duplicates(above, components=COMPONENTS, keep=LOWEST))
    by_spark = partial(COMPONENTS, driver_limit=0)
    assert rows_of(duplicates(above.repartition(2), components=by_spark, keep=LOWEST)) == once
    components: dict[int, list] = {}
    for row in once:
        components.setdefault(row[1], []).append(row)
    for rows in components.values():
        (stays,) = [row[0] for row in rows if row[2]]
        assert {row[3] for row in rows} == {stays} == {min(row[0] for row in rows)}
    alike = {(a, b) for a, b, similarity in drawn if similarity > 0.6 and a != b}
    assert {row[0] for row in once} == {item for pair in alike for item in pair}
    gone = {row[0] for row in once if not row[2]}
    assert not [pair for pair in alike if not gone & set(pair)]


def test_of_exact_pairs_no_two_that_stay_are_alike_by_brute_force(spark):
    vectors = unit_length(np.random.default_rng(4).normal(size=(300, 8)).astype(np.float32))
    with neighbour_pairs(vectors_frame(spark, np.arange(300), vectors), Search(0.8, block_items=40)) as pairs:
        rows = rows_of(duplicates(pairs, components=COMPONENTS, keep=LOWEST))
    gone = [row[0] for row in rows if not row[2]]
    stays = np.setdiff1d(np.arange(300), gone)
    assert np.triu(vectors[stays] @ vectors[stays].T, 1).max() <= 0.8
    assert len(stays) + len(gone) == 300 and 20 < len(stays) < 280
