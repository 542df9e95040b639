"""The rules of SemDeDup inside clusters, by hand and against the papers' own words in numpy."""

from functools import partial

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, draws
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import ROWS
from equipoise.pipeline.means import one_cluster
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.semdedup import filter_inside_clusters, grouped, ranked

EDGES = "src long, dst long, similarity float"
ASSIGNMENTS = "item_id long, cluster_id long, distance_sq float"
COMPONENTS = partial(connected_components, checkpoint=cut_plan)


@pytest.fixture(scope="module")
def chain(spark):
    """1 - 2 - 3 - 4 in one cluster, by distance 2, 4, 1, 3: the farthest first."""
    edges = spark.createDataFrame([(1, 2, 0.875), (2, 3, 0.9375), (3, 4, 0.8125)], EDGES)
    distances = [(1, 0, 0.25), (2, 0, 1.0), (3, 0, 0.125), (4, 0, 0.5), (5, 0, 2.0)]
    return edges, spark.createDataFrame(distances, ASSIGNMENTS)


def rows_of(frame) -> list[tuple]:
    assert frame.columns == list(ROWS)
    return [tuple(row) for row in sorted(frame.collect())]


def test_pairs_of_two_clusters_are_left_out(spark):
    edges = spark.createDataFrame([(1, 2, 0.9), (2, 3, 0.9), (3, 4, 0.9)], EDGES)
    assignments = spark.createDataFrame([(1, 7, 0.0), (2, 7, 0.0), (3, 8, 0.0), (4, 8, 0.0)], ASSIGNMENTS)
    assert sorted(row[:2] for row in filter_inside_clusters(edges, assignments).collect()) == [(1, 2), (3, 4)]


def test_of_a_group_the_item_least_similar_to_the_centroid_stays(chain):
    assert rows_of(grouped(*chain, components=COMPONENTS)) == [
        (1, 1, False, 2, 0.875, "semdedup"),
        (2, 1, True, 2, None, "semdedup"),
        (3, 1, False, 2, 0.9375, "semdedup"),
        (4, 1, False, 2, 0.8125, "semdedup"),
    ]


def test_an_item_goes_when_one_ranked_before_it_is_similar(chain):
    # Ranked 2, 4, 1, 3: 1 goes for 2; 3 for 2, which is more similar than 4; 4 has no similar item before it.
    assert rows_of(ranked(*chain, components=COMPONENTS, method="m")) == [
        (1, 1, False, 2, 0.875, "m"),
        (2, 1, True, 2, None, "m"),
        (3, 1, False, 2, 0.9375, "m"),
    ]


def test_one_ranked_before_counts_even_if_it_goes_itself(chain):
    # Ranked 3, 1, 4, 2 from the closest: 4 goes for 3, and 2 for 3 and 1.
    found = rows_of(ranked(*chain, components=COMPONENTS, order="ascending"))
    assert [row[:5] for row in found] == [(2, 2, False, 3, 0.9375), (3, 2, True, 3, None), (4, 2, False, 3, 0.8125)]


def test_a_chain_of_rising_rank_leaves_its_first_item_alone(spark):
    edges = spark.createDataFrame([(1, 2, 0.9375), (2, 3, 0.875)], EDGES)
    assignments = spark.createDataFrame([(1, 0, 0.75), (2, 0, 0.5), (3, 0, 0.25)], ASSIGNMENTS)
    assert rows_of(ranked(edges, assignments, components=COMPONENTS)) == [
        (1, 1, True, 1, None, "semdedup"),
        (2, 1, False, 1, 0.9375, "semdedup"),
        (3, 1, False, 1, 0.875, "semdedup"),  # it goes for 2, which goes for 1
    ]


def by_the_paper(vectors: np.ndarray, order: np.ndarray, eps: float) -> set[int]:
    """The paper's pseudo-code: the columns of the upper triangle, in order, whose maximum is not above 1 - eps."""
    similarities = np.triu(vectors[order] @ vectors[order].T, 1)
    return set(order[similarities.max(axis=0) > 1 - eps].tolist())


@pytest.mark.parametrize("order", ["descending", "ascending", "random"])
def test_what_goes_is_what_the_papers_pseudo_code_drops(spark, order):
    generator = np.random.default_rng(1)
    vectors = generator.normal(size=(60, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings = spark.createDataFrame(
        [(id, row) for id, row in enumerate(vectors.tolist())], "item_id long, embedding array<float>"
    )
    assignments = one_cluster(embeddings)
    centre = vectors.astype(np.float64).mean(axis=0)
    distances = ((vectors - centre) ** 2).sum(axis=1)
    found = {row.item_id: row.distance_sq for row in assignments.collect()}
    np.testing.assert_allclose([found[id] for id in range(60)], distances, atol=1e-6)
    similarities = vectors @ vectors.T
    pairs = [(int(a), int(b), float(similarities[a, b])) for a, b in zip(*np.triu_indices(60, 1), strict=True)]
    edges = spark.createDataFrame([pair for pair in pairs if pair[2] > 0.9], EDGES)
    key = {"descending": -distances, "ascending": distances, "random": draws(5, Purpose.SEMDEDUP, np.arange(60))}
    rows = rows_of(ranked(edges, assignments, components=COMPONENTS, order=order, seed=5))
    gone = {row[0] for row in rows if not row[2]}
    assert gone == by_the_paper(vectors, np.argsort(key[order]), 0.1) and 10 < len(gone) < 50
    assert {row[3] for row in rows if not row[2]} == {row[0] for row in rows if row[2]}


def test_an_order_that_is_none_is_refused(chain):
    with pytest.raises(ConfigError) as raised:
        ranked(*chain, components=COMPONENTS, order="hard")
    assert str(raised.value) == "order is 'hard'; it must be one of descending, ascending, random"
