"""The nearest of every item, from either side; the recall on a sample against brute force."""

import numpy as np
import pytest
from chispa import assert_df_equality

from equipoise.errors import InputError
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.comparing import PAIRS
from equipoise.pipeline.neighbour_lists import Recall, nearest_pairs, recall_on_sample
from equipoise.pipeline.neighbours import neighbour_pairs, neighbour_pairs_between
from equipoise.pipeline.search import Search


def frame(spark, rows):
    return spark.createDataFrame(rows, PAIRS)


def test_a_pair_stays_where_it_is_among_the_nearest_of_one_of_its_items(spark):
    """Of 1: 2, then 3 (as near as 4, a lower id); 4's nearest is 1; 5 has none nearer than 1 and 3."""
    pairs = frame(spark, [(1, 2, 0.9), (1, 3, 0.8), (1, 4, 0.8), (2, 3, 0.85), (1, 5, 0.7), (3, 5, 0.75), (2, 5, 0.6)])
    one = frame(spark, [(1, 2, 0.9), (1, 4, 0.8), (2, 3, 0.85), (3, 5, 0.75)])
    assert_df_equality(nearest_pairs(pairs, 1), one, ignore_row_order=True, ignore_nullable=True)
    two = frame(spark, [(1, 2, 0.9), (1, 3, 0.8), (1, 4, 0.8), (2, 3, 0.85), (1, 5, 0.7), (3, 5, 0.75)])
    assert_df_equality(nearest_pairs(pairs, 2), two, ignore_row_order=True, ignore_nullable=True)
    assert_df_equality(nearest_pairs(pairs), pairs, ignore_row_order=True, ignore_nullable=True)


def test_among_equals_the_lower_id_is_nearer(spark):
    pairs = frame(spark, [(-5, 9, 0.9), (7, 9, 0.9), (9, 11, 0.9), (-5, 7, 0.95), (-5, 11, 0.95)])
    found = {(row[0], row[1]) for row in nearest_pairs(pairs, 1).collect()}
    assert found == {(-5, 9), (-5, 7), (-5, 11)}  # 9 takes -5 of three; -5 takes 7 of two


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(20, 12)).repeat(30, axis=0) * 2 + rng.normal(size=(600, 12))).astype(np.float32)


def test_the_recall_of_all_pairs_is_1_and_of_a_part_its_share(spark, vectors):
    embeddings, search = vectors_frame(spark, np.arange(600), vectors), Search(0.8)
    with neighbour_pairs(embeddings, search) as pairs:
        found = pairs.toPandas()
    every, half = (spark.createDataFrame(rows, PAIRS) for rows in (found, found[found.src % 2 == 0]))
    whole = recall_on_sample(embeddings, every, search, n_items=10_000)
    assert whole == Recall(600, len(found), len(found)) and whole.share == 1
    part = recall_on_sample(embeddings, half, search, n_items=10_000)
    assert part == Recall(600, len(found), int((found.src % 2 == 0).sum())) and 0.3 < part.share < 0.7
    of_some = recall_on_sample(embeddings.repartition(3), half, search, n_items=200)
    assert of_some.n_items == 200 and of_some.n_pairs < len(found) and abs(of_some.share - part.share) < 0.1
    assert of_some == recall_on_sample(embeddings, half, search, n_items=200)


def test_the_recall_between_two_sets(spark, vectors):
    left, right = (
        vectors_frame(spark, np.arange(500), vectors[:500]),
        vectors_frame(spark, np.arange(100), vectors[500:]),
    )
    search = Search(0.8)
    with neighbour_pairs_between(left, right, search) as pairs:
        found = recall_on_sample(left, pairs, search, others=right, n_items=500)
        assert found.n_pairs == found.n_found == pairs.count()


def test_recall_without_pairs_is_1_and_without_vectors_refused(spark, vectors):
    nothing = frame(spark, [])
    assert (
        recall_on_sample(vectors_frame(spark, np.arange(9), np.eye(9, dtype=np.float32)), nothing, Search(0.5)).share
        == 1
    )
    with pytest.raises(InputError, match="no vectors but zeros"):
        recall_on_sample(vectors_frame(spark, np.arange(2), np.zeros((2, 3), np.float32)), nothing, Search(0.5))
