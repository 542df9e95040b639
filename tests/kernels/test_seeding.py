"""First centroids: as good as scikit-learn's, and drawn by weight."""

import numpy as np
import pytest
from sklearn.cluster import kmeans_plusplus

from equipoise.kernels.plusplus import greedy_plusplus
from equipoise.kernels.seeding import seed_centroids
from equipoise.kernels.vectors import ArrayVectors, far_keys, first_keys

GENERATOR = np.random.default_rng(0)
DATA = (
    GENERATOR.normal(size=(40, 8))[GENERATOR.integers(0, 40, 20_000)] * 5 + GENERATOR.normal(size=(20_000, 8))
).astype(np.float32)


def test_greedy_plusplus_costs_what_that_of_scikit_learn_costs():
    def cost(centroids) -> float:
        return ArrayVectors(DATA).assign(np.ascontiguousarray(centroids)).objective

    ours = np.mean([cost(DATA[greedy_plusplus(DATA, 60, seed=seed)]) for seed in range(5)])
    theirs = np.mean([cost(kmeans_plusplus(DATA, 60, random_state=seed)[0]) for seed in range(5)])
    at_random = cost(DATA[:60])
    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours < 0.8 * at_random


def test_the_first_trial_is_drawn_by_squared_distance_times_weight():
    vectors = np.array([[0.0], [1.0], [2.0], [4.0]], np.float32)
    weights = np.array([1e6, 16.0, 0.0, 1.0])  # from 0, the first: 16 * 1, 0 * 4, 1 * 16
    second = [greedy_plusplus(vectors, 2, seed=seed, weights=weights, trials=1)[1] for seed in range(2000)]
    counts = np.bincount(second, minlength=4)
    assert counts[0] == counts[2] == 0
    assert counts[1] == pytest.approx(1000, abs=100)


def test_copies_are_taken_last_and_no_position_twice():
    vectors = np.repeat(np.array([[0.0], [5.0], [9.0]], np.float32), 4, axis=0)
    taken = greedy_plusplus(vectors, 8, seed=3)
    assert set(vectors[taken[:3], 0]) == {0, 5, 9}
    assert len(set(taken.tolist())) == 8


def test_the_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    from equipoise.kernels import threads

    several = greedy_plusplus(DATA, 30, seed=1)
    monkeypatch.setattr(threads, "_n_threads", 1)
    np.testing.assert_array_equal(greedy_plusplus(DATA, 30, seed=1), several)


def test_far_vectors_are_drawn_by_their_squared_distance_without_replacement():
    item_ids = np.arange(30_000)
    distances_sq = np.tile(np.array([0.0, 1.0, 3.0], np.float32), 10_000)
    first = first_keys(far_keys(item_ids, distances_sq, seed=5), 2000)
    assert len(set(first.tolist())) == 2000
    shares = np.bincount(first % 3, minlength=3) / 2000
    assert shares[0] == 0
    assert shares[2] == pytest.approx(0.73, abs=0.04)  # 0.75, a little less as the heavier ones run out
    np.testing.assert_array_equal(first_keys(far_keys(item_ids, distances_sq, seed=5), 100), first[:100])
    assert len(first_keys(far_keys(item_ids[:4], distances_sq[:4], seed=5), 10)) == 2  # zeros never


@pytest.mark.parametrize("method", ["kmeans||", "kmeans++"])
def test_seeds_are_better_than_random_ones(method):
    vectors = ArrayVectors(DATA)
    sought, random = (
        vectors.assign(seed_centroids(vectors, 60, method=name, seed=2)).objective for name in (method, "random")
    )
    assert sought < 0.8 * random
