import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.kernels import vectors as module
from equipoise.kernels.packing import Block, pack, unpack
from equipoise.kernels.seeding import seed_centroids
from equipoise.kernels.vectors import ArrayVectors, unit_length

DATA = np.random.default_rng(0).normal(size=(1000, 6)).astype(np.float32)


@pytest.mark.parametrize(
    ("array", "ids", "said"),
    [
        (np.zeros(3), None, r"shape \(3,\)"),
        (np.zeros((0, 3)), None, r"shape \(0, 3\)"),
        (np.zeros((2, 3)), [1], "give one id a vector"),
        ([[0.0], [np.nan]], [7, 8], "item 8 is not finite"),
        ([[0.0], [np.inf]], None, "item 1 is not finite"),
        ([[1e25], [np.nan]], None, "item 1 is not finite"),
        ([[0.0], [2.0**62], [2.0**63]], [5, 6, 7], "item 7 holds 9.22e"),
    ],
)
def test_arrays_that_cannot_be_clustered_are_refused(array, ids, said):
    with pytest.raises(InputError, match=said):
        ArrayVectors(array, ids)


def test_the_order_of_the_rows_changes_nothing():
    order = np.random.default_rng(1).permutation(len(DATA))
    shuffled = ArrayVectors(DATA[order], order)
    np.testing.assert_array_equal(shuffled.item_ids, np.arange(len(DATA)))
    np.testing.assert_array_equal(shuffled.vectors, DATA)


def test_a_sample_is_without_replacement_and_a_smaller_one_lies_inside_it():
    vectors = ArrayVectors(DATA)
    large, small = vectors.sample(100, seed=3), vectors.sample(30, seed=3)
    rows = {row.tobytes() for row in large}
    assert len(rows) == 100 and {row.tobytes() for row in small} <= rows
    assert {row.tobytes() for row in vectors.sample(100, seed=4)} != rows
    np.testing.assert_array_equal(vectors.sample(5000, seed=3), DATA)


def test_statistics_add_up_over_blocks(monkeypatch):
    centroids = DATA[:4]
    whole = ArrayVectors(DATA).assign(centroids)
    monkeypatch.setattr(module, "ROWS_PER_BLOCK", 17)
    blocks = ArrayVectors(DATA).assign(centroids)
    np.testing.assert_array_equal(blocks.counts, whole.counts)
    np.testing.assert_allclose(blocks.sums, whole.sums, rtol=1e-12)
    assert blocks.counts.sum() == 1000
    assert blocks.objective == pytest.approx(whole.objective, rel=1e-12)


def test_closest_keeps_r_members_of_every_cluster_and_all_where_there_are_fewer():
    vectors = ArrayVectors([[0.0], [0.1], [0.2], [0.3], [9.0]], [10, 11, 12, 13, 14])
    kept = vectors.closest(np.array([[0.0], [9.0]], np.float32), 2)
    np.testing.assert_array_equal(kept.item_ids, [10, 11, 14])


def test_closest_breaks_ties_by_the_lowest_id():
    vectors = ArrayVectors([[1.0], [-1.0], [1.0], [0.0]], [4, 3, 2, 1])
    kept = vectors.closest(np.array([[0.0]], np.float32), 3)
    np.testing.assert_array_equal(kept.item_ids, [1, 2, 3])


def test_unit_length_leaves_zero_rows_alone():
    np.testing.assert_allclose(unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_a_packed_block_comes_back_bit_for_bit(dtype):
    block = Block(np.arange(5, dtype=np.int64), DATA[:5].astype(dtype))
    back = unpack(pack(block))
    assert back.vectors.dtype == dtype
    np.testing.assert_array_equal(back.item_ids, block.item_ids)
    np.testing.assert_array_equal(back.vectors, block.vectors)


@pytest.mark.parametrize("method", ["kmeans++", "random"])
def test_seeds_are_different_items_and_follow_the_seed(method):
    vectors = ArrayVectors(DATA)
    seeds = seed_centroids(vectors, 50, method=method, seed=1)
    rows = {row.tobytes() for row in DATA}
    chosen = {row.tobytes() for row in seeds}
    assert len(chosen) == 50 and chosen <= rows
    np.testing.assert_array_equal(seeds, seed_centroids(vectors, 50, method=method, seed=1))
    assert not np.array_equal(seeds, seed_centroids(vectors, 50, method=method, seed=2))


def test_kmeans_plusplus_starts_from_a_lower_objective_than_random():
    blobs = np.repeat(np.arange(30)[:, None] * 100.0, 20, axis=0)
    vectors = ArrayVectors(blobs + np.random.default_rng(0).normal(size=blobs.shape))
    objectives = {
        method: vectors.assign(seed_centroids(vectors, 30, method=method, seed=0)).objective
        for method in ("kmeans++", "random")
    }
    assert objectives["kmeans++"] < objectives["random"] / 10


def test_more_clusters_than_vectors_is_refused_with_both_numbers():
    with pytest.raises(InputError, match="k = 5 is above the number of vectors, 3"):
        seed_centroids(ArrayVectors(DATA[:3]), 5, method="random", seed=0)
