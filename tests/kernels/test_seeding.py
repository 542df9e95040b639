"""First centroids: as good as scikit-learn's, and drawn by weight."""

import numpy as np
import pytest
from sklearn.cluster import kmeans_plusplus

from equipoise.kernels.candidates import far_keys, first_keys
from equipoise.kernels.levels import KMeans, Level, fit_level
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.plusplus import greedy_plusplus
from equipoise.kernels.seeding import passes, sample_size, seed_centroids
from equipoise.kernels.vectors import ArrayVectors, unit_length

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


# Seeds of very many vectors


def power_law(n: int, k: int, dim: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around ``k`` means far apart, the i-th with about 1 / i of the largest; and the means."""
    random = np.random.default_rng(seed)
    sizes = 1 / np.arange(1, k + 1)
    members = np.concatenate([np.arange(k), random.choice(k, n - k, p=sizes / sizes.sum())])
    means = 6 * random.normal(size=(k, dim))
    return (means[members] + random.normal(size=(n, dim))).astype(np.float32), means.astype(np.float32)


def iterated(vectors: ArrayVectors, seeds: np.ndarray, n: int = 10) -> tuple[float, np.ndarray]:
    """Objective and centroids after some iterations."""
    *_, last = lloyd(vectors, Iteration(0, seeds, float("inf")), iterations=n, tolerance=0.0, spherical=False)
    return vectors.assign(last.centroids).objective, last.centroids


def test_seeds_of_many_vectors_are_as_good_as_those_of_scikit_learn_and_miss_as_little():
    data, means = power_law(30_000, 600, 16)
    vectors = ArrayVectors(data)
    shares = {}
    for name, seeds in (
        ("ours", seed_centroids(vectors, 600, method="kmeans++", seed=1)),
        ("theirs", kmeans_plusplus(data, 600, random_state=1)[0]),
        ("random", seed_centroids(vectors, 600, method="random", seed=1)),
    ):
        objective, centroids = iterated(vectors, seeds)
        found = len(np.unique(ArrayVectors(centroids).assignments(means).labels)), objective
        shares[name] = found
    assert shares["ours"][1] < 1.01 * shares["theirs"][1] < 0.6 * shares["random"][1]
    assert shares["ours"][0] > 0.99 * shares["theirs"][0] > 1.3 * shares["random"][0]


def test_what_is_rare_and_far_is_found_among_very_many():
    """A sample of a few hundred k would hardly have it."""
    data = np.random.default_rng(0).normal(size=(100_000, 4)).astype(np.float32)
    data[77_777] = 1000
    seeds = seed_centroids(ArrayVectors(data), 20, method="kmeans++", seed=0)
    assert (seeds > 900).all(axis=1).sum() == 1


def test_seeds_of_many_vectors_follow_the_seed_whatever_the_threads(monkeypatch):
    vectors = ArrayVectors(np.random.default_rng(1).normal(size=(25_000, 4)))
    seeds = seed_centroids(vectors, 50, method="kmeans++", seed=1)
    assert seeds.shape == (50, 4) and len(np.unique(seeds, axis=0)) == 50
    assert not np.array_equal(seeds, seed_centroids(vectors, 50, method="kmeans++", seed=2))
    monkeypatch.setattr("equipoise.kernels.threads._n_threads", 1)
    np.testing.assert_array_equal(seeds, seed_centroids(vectors, 50, method="kmeans++", seed=1))


def test_where_fewer_vectors_differ_than_are_wanted_some_come_twice():
    data = np.repeat(np.arange(5.0)[:, None], 6000, axis=0)
    seeds = seed_centroids(ArrayVectors(data), 8, method="kmeans++", seed=0)
    assert seeds.shape == (8, 1) and set(seeds.ravel().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0}


def test_seeds_on_the_sphere_have_unit_length():
    vectors = ArrayVectors(unit_length(np.random.default_rng(0).normal(size=(25_000, 6))))
    first = []
    kmeans = KMeans("cosine", iterations=1)
    fit_level(vectors, Level(30), kmeans=kmeans, seed=0, on_step=lambda state: first.append(state.step.objective))
    assert first[0] < vectors.assign(seed_centroids(vectors, 30, method="random", seed=0)).objective


@pytest.mark.parametrize("n, k, seeding, expected", [
    (20_000, 700, "kmeans++", 20_000), (20_001, 10_000, "kmeans++", 20_001), (10**6, 10_000, "kmeans++", 20_100),
    (5000, 10_000, "kmeans||", 5000), (10**6, 3, "kmeans||", 528), (10**6, 70, "random", 70),
])  # fmt: skip
def test_the_driver_gets_few_vectors(n, k, seeding, expected):
    assert sample_size(n, k, seeding) == expected
    assert passes(n, seeding) == (2 if expected not in (20_000, 70) else 0)
