"""Pairs of similar items on Spark are those of brute force, whatever the blocks, tasks, clusters and partitions."""

import re

import numpy as np
import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.neighbours import neighbour_pairs, neighbour_pairs_between, neighbour_pairs_within
from equipoise.pipeline.search import Search
from equipoise.schemas import Col

GENERATOR = np.random.default_rng(0)
N, DIM, THRESHOLD = 900, 20, 0.8
MEANS = GENERATOR.normal(scale=2, size=(25, DIM))
OF = GENERATOR.integers(25, size=N)
DATA = (MEANS[OF] + GENERATOR.normal(size=(N, DIM))).astype(np.float32)
DATA[100:120] = DATA[7] * np.linspace(0.5, 2, 20, dtype=np.float32)[:, None]  # copies of other lengths
DATA[300:303] = 0
IDS = GENERATOR.permutation(N) * 3 - 1000
CLUSTERS = {int(item_id): int(number) % 3 * 10**12 for number, item_id in enumerate(IDS)}
SMALL = Search(THRESHOLD, block_items=100, task_bytes=100 * 32 * (4 * DIM + 8) // 4)
"""Blocks of at most 25 items, and tasks that hold 160 items a side."""

Found = dict[tuple[int, int], float]


def brute(rows: np.ndarray, columns: np.ndarray, threshold: float) -> np.ndarray:
    unit = [unit_length(DATA[some]).astype(np.float64) for some in (rows, columns)]
    cosines = unit[0] @ unit[1].T
    lengths = [np.linalg.norm(some, axis=1) for some in unit]
    return np.where(np.outer(*lengths) > 0, cosines / np.maximum(np.outer(*lengths), 0.5), -np.inf)


def expected(threshold: float = THRESHOLD) -> Found:
    cosines = np.triu(brute(np.arange(N), np.arange(N), threshold) + 10, 1) - 10
    pairs = zip(*np.nonzero(cosines.astype(np.float32) > threshold), strict=True)
    return {tuple(sorted((int(IDS[i]), int(IDS[j])))): cosines[i, j] for i, j in pairs}


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, IDS, DATA).cache()


@pytest.fixture(scope="module")
def clusters(spark):
    return spark.createDataFrame(list(CLUSTERS.items()), f"{Col.item_id} bigint, {Col.cluster_id} bigint")


def collected(context) -> Found:
    with context as pairs:
        assert pairs.dtypes == [(Col.src, "bigint"), (Col.dst, "bigint"), (Col.similarity, "float")]
        rows = pairs.toPandas()
    found = dict(zip(zip(rows[Col.src], rows[Col.dst], strict=True), rows[Col.similarity], strict=True))
    assert len(found) == len(rows)
    return found


def assert_same(found: Found, wanted: Found) -> None:
    assert found.keys() == wanted.keys()
    assert all(abs(found[pair] - wanted[pair]) < 1e-7 for pair in found)


@pytest.fixture(scope="module")
def in_one_block(embeddings) -> Found:
    return collected(neighbour_pairs(embeddings, Search(THRESHOLD)))


def test_all_pairs_are_found_each_once_with_src_below_dst(in_one_block):
    assert_same(in_one_block, expected())
    assert len(in_one_block) > 2000 and all(src < dst for src, dst in in_one_block)


def test_blocks_tasks_seeds_and_partitions_change_no_bit(spark, embeddings, in_one_block):
    said: list[str] = []
    small = Search(**{**vars(SMALL), "seed": 5, "say": said.append})
    spread = embeddings.repartition(3)
    assert collected(neighbour_pairs(spread, small)) == in_one_block
    (told,) = said
    share = float(re.search(r"blocks, ([\d.]+)% of all pairs of items: all that may hold neighbours$", told)[1])
    assert 5 < share < 99  # some were skipped


def test_a_cluster_of_everything_is_split_and_no_task_is_given_more_than_it_may_hold(spark, monkeypatch):
    from equipoise.pipeline import neighbours

    cells = []

    def noted(*given):
        cells.append((neighbours_cells := original(*given), given[0][0].sizes))
        return neighbours_cells

    original = neighbours.cells_among
    monkeypatch.setattr(neighbours, "cells_among", noted)
    alike = (DATA[0] + 0.2 * DATA).astype(np.float32)
    found = collected(neighbour_pairs(vectors_frame(spark, IDS, alike), Search(**{**vars(SMALL), "threshold": 0.97})))
    unit = unit_length(alike).astype(np.float64)
    assert len(found) == np.count_nonzero(np.triu((unit @ unit.T).astype(np.float32) > 0.97, 1)) > 10_000
    ((held, sizes),) = cells
    assert sizes.max() <= 25
    for cell in range(held.count):
        blocks = {int(one) for side in held.pairs for one in side[held.starts[cell] : held.starts[cell + 1]]}
        assert sizes[sorted(blocks)].sum() <= 2 * (SMALL.group_items(DIM) + 2 * 25)


@pytest.mark.parametrize("n_sets", [1, 2])
def test_vectors_in_all_directions_are_compared_as_they_lie(spark, monkeypatch, n_sets):
    from equipoise.kernels import cells

    monkeypatch.setattr(cells, "LEAST_PRODUCTS", 1000)  # several blocks of few vectors
    vectors, said = np.random.default_rng(1).normal(size=(2500, 384)).astype(np.float32), list[str]()
    halves = [
        vectors_frame(spark, np.arange(1500), vectors[:1500]),
        vectors_frame(spark, IDS[:900] ** 2, vectors[1500:2400]),
    ]
    search = Search(0.15, say=said.append)
    made = neighbour_pairs(halves[0], search) if n_sets == 1 else neighbour_pairs_between(*halves, search)
    unit = unit_length(vectors).astype(np.float64)
    others = unit[:1500] if n_sets == 1 else unit[1500:2400]
    cosines = (unit[:1500] @ others.T).astype(np.float32)
    wanted = np.argwhere((np.triu(cosines, 1) if n_sets == 1 else cosines) > 0.15)
    names = np.arange(1500) if n_sets == 1 else IDS[:900] ** 2
    assert collected(made).keys() == {(int(i), int(names[j])) for i, j in wanted} and len(wanted) > 1000
    assert said == ["all pairs of items: none lie so far apart that they could be skipped"]


def test_inside_clusters_alone(embeddings, clusters):
    wanted = {pair: cosine for pair, cosine in expected().items() if CLUSTERS[pair[0]] == CLUSTERS[pair[1]]}
    assert_same(collected(neighbour_pairs_within(embeddings, clusters, SMALL)), wanted)
    some = clusters.where(f"{Col.cluster_id} = 0")
    wanted = {pair: cosine for pair, cosine in wanted.items() if CLUSTERS[pair[0]] == 0}
    assert_same(collected(neighbour_pairs_within(embeddings.repartition(3), some, Search(THRESHOLD))), wanted)
    assert collected(neighbour_pairs_within(embeddings, some.where("false"), SMALL)) == {}


@pytest.mark.parametrize("search", [Search(THRESHOLD), SMALL])
def test_between_two_sets_src_is_of_the_first(embeddings, search):
    left, right = np.arange(600), np.arange(600, N)
    cosines = brute(left, right, THRESHOLD)
    pairs = zip(*np.nonzero(cosines.astype(np.float32) > THRESHOLD), strict=True)
    wanted = {(int(IDS[i]), int(IDS[600 + j])): cosines[i, j] for i, j in pairs}
    assert any(src > dst for src, dst in wanted)
    parts = [embeddings.where(embeddings[Col.item_id].isin(IDS[rows].tolist())) for rows in (left, right)]
    assert_same(collected(neighbour_pairs_between(*parts, search)), wanted)


def test_above_the_limit_only_neighbouring_clusters_are_looked_at(embeddings, in_one_block):
    said: list[str] = []
    probing = Search(
        **{
            **vars(SMALL),
            "exact_limit": N - 4,  # without zeros
            "probes": 2,
            "say": said.append,
        }
    )
    found = collected(neighbour_pairs(embeddings, probing))
    assert found.items() <= in_one_block.items() and len(found) > 0.8 * len(in_one_block)
    assert said[0].endswith("2 probes")


def test_thresholds_that_are_no_cosines_sets_that_do_not_fit_and_empty_ones_are_refused(spark, embeddings):
    with pytest.raises(ConfigError, match=r"threshold of 1.5 .* between -1 and 1"):
        Search(1.5)
    shorter = vectors_frame(spark, IDS[:5], DATA[:5, :7])
    said = "vectors of 20 and 7 numbers"
    with pytest.raises(InputError, match=said), neighbour_pairs_between(embeddings, shorter, SMALL):
        pass
    zeros = vectors_frame(spark, IDS[300:303], DATA[300:303])
    with (
        pytest.raises(InputError, match="no vectors but zeros, which have no direction"),
        neighbour_pairs(zeros, SMALL),
    ):
        pass
    with pytest.raises(InputError, match=r"2,000,000,000 vectors .* set task_bytes to \d+ or above"):
        Search(0.8, task_bytes=2**20).items_of_block(2 * 10**9, 384)


def test_what_was_held_is_given_back(spark, embeddings):
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    with neighbour_pairs(embeddings, SMALL) as pairs:
        assert pairs.count() and spark.sparkContext._jsc.getPersistentRDDs().size() > before
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before
