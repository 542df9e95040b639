"""Merging by Ward's criterion: scipy's clusters, by weight, and what is left of points that are not joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist

from equipoise.kernels import merging
from equipoise.kernels.merging import merged, nearest_others

POINTS = np.random.default_rng(0).normal(size=(3000, 5)).astype(np.float32)


def test_neighbours_are_the_nearest_others_also_far_from_the_origin():
    for points in (POINTS, POINTS + np.float32(100)):
        found = np.sort(nearest_others(points, 3), axis=1)
        distances = cdist(points, points)
        np.fill_diagonal(distances, np.inf)
        np.testing.assert_array_equal(found, np.sort(np.argsort(distances, axis=1)[:, :3], axis=1))


def test_rows_of_neighbours_are_those_of_all():
    every = nearest_others(POINTS, 4)
    np.testing.assert_array_equal(nearest_others(POINTS, 4, slice(1024, 2048)), every[1024:2048])
    np.testing.assert_array_equal(nearest_others(POINTS, 4, slice(2048, 3072)), every[2048:])


@given(seed=st.integers(0, 10_000), k=st.integers(1, 9))
def test_few_points_are_merged_as_by_scipy(seed, k):
    points = np.random.default_rng(seed).normal(size=(9, 3)).astype(np.float32)
    found = merged(points, np.ones(9), k)
    labels = fcluster(linkage(points, "ward"), k, "maxclust")
    expected = np.stack([points[labels == label].mean(axis=0) for label in np.unique(labels)])
    np.testing.assert_allclose(found[np.lexsort(found.T)], expected[np.lexsort(expected.T)], atol=1e-5)


def test_a_weight_counts_as_so_many_points():
    points = np.array([[0.0], [1.0], [5.0], [5.5]], np.float32)
    np.testing.assert_allclose(merged(points, np.array([3.0, 1, 1, 1]), 2), [[0.25], [5.25]])
    # Of two far points the light one costs less to join to its neighbour than two heavy ones that lie nearer.
    heavy = np.array([[0.0], [1.0], [10.0], [12.0]], np.float32)
    assert sorted(merged(heavy, np.array([1e3, 1e3, 1, 1]), 3).ravel()) == pytest.approx([0, 1, 11])


def test_what_no_edge_joins_is_merged_in_another_course(monkeypatch):
    monkeypatch.setattr(merging, "NEIGHBOURS", 1)
    points = np.concatenate([POINTS[:8] / 100 + place for place in (0, 50, 100)]).astype(np.float32)
    assert merged(points, np.ones(24), 2).shape == (2, 5)
    assert merged(points, np.ones(24), 1) == pytest.approx(points.mean(axis=0)[None], abs=1e-4)


def test_as_many_points_as_are_wanted_stay_as_they_are():
    np.testing.assert_array_equal(merged(POINTS[:7], np.ones(7), 7), POINTS[:7])
    np.testing.assert_array_equal(merged(POINTS[:7], np.ones(7), 9), POINTS[:7])


def test_the_bits_do_not_depend_on_the_number_of_threads(monkeypatch):
    from equipoise.kernels import threads

    several = merged(POINTS, np.ones(len(POINTS)), 100)
    monkeypatch.setattr(threads, "_n_threads", 1)
    np.testing.assert_array_equal(merged(POINTS, np.ones(len(POINTS)), 100), several)
