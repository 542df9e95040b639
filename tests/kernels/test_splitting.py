"""Splitting coarse clusters, and filling tasks with them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kernels.levels import KMeans
from equipoise.kernels.splitting import fit_part, split_arrays, tasks_of
from equipoise.kernels.vectors import ArrayVectors

GENERATOR = np.random.default_rng(0)
COARSE = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]], np.float32)
DATA = (COARSE[GENERATOR.integers(0, 2, 600)] + GENERATOR.normal(size=(600, 2))).astype(
    np.float32
)  # none near the third


def test_every_item_goes_to_the_nearest_centroid_inside_its_coarse_cluster():
    (centroids,), labelled = split_arrays(ArrayVectors(DATA), COARSE, (4,), kmeans=KMeans(), seed=0)
    assert centroids.shape == (12, 2) and not centroids[8:].any()
    assert set(labelled.labels // 4) == {0, 1}
    distances_sq = ((DATA[:, None, :] - centroids[None, :8]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(labelled.labels, distances_sq.argmin(axis=1))
    np.testing.assert_allclose(labelled.distances_sq, distances_sq.min(axis=1), rtol=1e-3, atol=1e-5)


def test_each_cluster_is_split_as_if_it_were_alone():
    first = DATA[:, 0] < 50
    (alone,), _ = split_arrays(ArrayVectors(DATA[first]), COARSE, (4,), kmeans=KMeans(), seed=0)
    (together,), _ = split_arrays(ArrayVectors(DATA), COARSE, (4,), kmeans=KMeans(), seed=0)
    np.testing.assert_array_equal(together[:4], alone[:4])


def test_clusters_with_few_or_equal_members_give_as_many_centroids_as_differ():
    few = ArrayVectors(np.array([[1, 1], [2, 2], [1, 1]], np.float32))
    np.testing.assert_array_equal(fit_part(few, 4, kmeans=KMeans(), seed=0), [[1, 1], [2, 2]])
    equal = ArrayVectors(np.ones((50, 2), np.float32))
    np.testing.assert_array_equal(fit_part(equal, 4, kmeans=KMeans(), seed=0), [[1, 1]])


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(1, 8))
def test_tasks_hold_no_more_than_they_may_and_are_nearly_even(sizes, n_tasks):
    sizes = np.array(sizes)
    tasks = tasks_of(sizes, most=100, n_tasks=n_tasks)
    held = np.bincount(tasks, weights=sizes)
    assert held.max() <= 100
    if len(held) <= n_tasks:  # none had to be opened: longest processing time first is within 4/3 of the best
        best = max(sizes.max(), sizes.sum() / n_tasks)
        assert held.max() <= 4 / 3 * best + 1e-9 or held.max() <= best + sizes.max()
    assert sizes[tasks == 0].max(initial=0) == sizes.max()
