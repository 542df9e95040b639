"""Splitting coarse clusters, and filling tasks with them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import ConfigError
from equipoise.kernels.branching import branching_of
from equipoise.kernels.levels import KMeans
from equipoise.kernels.splitting import fit_part, fit_parts, seed_of_part, split_arrays, tasks_of
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


def test_a_node_is_split_by_its_own_members_level_by_level():
    members = ArrayVectors(DATA)
    parts = fit_parts(members, (3, 2, 2), kmeans=KMeans(), seed=5)
    first = fit_part(members, 3, kmeans=KMeans(), seed=5)
    np.testing.assert_array_equal(parts.centroids[0], first)
    labels = members.assignments(first).labels
    for node in range(3):
        own = ArrayVectors(DATA[labels == node])
        of_node = parts.centroids[1][parts.ids[1] // 2 == node]
        np.testing.assert_array_equal(of_node, fit_part(own, 2, kmeans=KMeans(), seed=seed_of_part(5, node)))
    assert [len(ids) for ids in parts.ids] == [3, 6, 12]


def test_an_item_descends_by_the_nearest_child():
    parts = fit_parts(ArrayVectors(DATA), (3, 2, 2), kmeans=KMeans(), seed=5)
    _, labels, distances_sq = parts.labelled(ArrayVectors(DATA))
    for vector, label, distance_sq in zip(DATA.astype(float), labels, distances_sq, strict=True):
        node = 0
        for branches, ids, centroids in zip((3, 2, 2), parts.ids, parts.centroids, strict=True):
            children = np.flatnonzero(ids // branches == node)
            far = ((centroids[children] - vector) ** 2).sum(axis=1)
            node = ids[children[far.argmin()]]
        assert node == label and far.min() == pytest.approx(distance_sq, rel=1e-3, abs=1e-4)


def test_nodes_with_few_or_equal_members_have_as_many_children_as_differ():
    rows = np.array([[0, 0]] * 5 + [[9, 9], [9, 8]], np.float32)
    parts = fit_parts(ArrayVectors(rows), (2, 3), kmeans=KMeans(), seed=0)
    assert len(parts.ids[0]) == 2 and sorted(np.bincount(parts.ids[1] // 3)) == [1, 2]
    labelled = parts.labelled(ArrayVectors(rows))
    assert not labelled.distances_sq.any() and len(set(labelled.labels)) == 3


def test_what_each_node_is_split_into_follows_from_the_numbers_of_clusters():
    assert branching_of([60, 12, 4]) == (3, 5) and branching_of([7]) == ()
    with pytest.raises(
        ConfigError, match=r"k of level 2 to be a multiple of that of level 3: 14 is none of 4; take 12"
    ):
        branching_of([28, 14, 4])


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
