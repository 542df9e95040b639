"""The methods of figure 3: what each makes of points, and that Spark and arrays make the same."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from equipoise.kernels.levels import Level
from equipoise.papers.simulation import kl_to_uniform, simulation_points, toy_points
from equipoise.papers.simulation_methods import (
    HIERARCHIES,
    PUBLISHED_KL,
    REFERENCE_KL,
    agglomerative_centroids,
    dbscan_centroids,
    hierarchical_centroids,
    simulated_centroids,
)

CORNERS = np.array([[0, 0], [0, 2], [2, 0], [2, 2]], dtype=np.float32)
AROUND = np.random.default_rng(0).normal(scale=0.003, size=(40, 2)).astype(np.float32)
CLUMPS = np.concatenate([CORNERS.repeat(10, axis=0) + AROUND, [[1.0, 1.0]]]).astype(np.float32)


def in_order(centroids: np.ndarray) -> np.ndarray:
    return centroids[np.lexsort(np.round(centroids, 1).T[::-1])]


def test_agglomerative_centroids_are_the_means_of_the_clusters() -> None:
    centroids = in_order(agglomerative_centroids(CLUMPS, 5))
    np.testing.assert_allclose(centroids[[0, 1, 3, 4]], CORNERS, atol=0.01)
    np.testing.assert_allclose(centroids[2], [1, 1])


def test_dbscan_centroids_leave_out_noise_and_are_as_many_as_can_be() -> None:
    np.testing.assert_allclose(in_order(dbscan_centroids(CLUMPS, 4)), CORNERS, atol=0.01)


def test_spark_and_arrays_give_the_same_centroids(spark) -> None:
    points = simulation_points(0)[::15]
    levels = (Level(60), Level(20, rounds=1, points=2))
    here, there = (hierarchical_centroids(points, levels, seed=0, spark=where) for where in (None, spark))
    assert here.shape == (20, 2)
    np.testing.assert_allclose(there, here, atol=1e-4)


@pytest.mark.parametrize(
    ("seed", "optimum"), [(0, [0.95, 1.05, 2.5]), (1, [0.95, 1.05, 3]), (2, [0.935, 1.005, 1.073])]
)
def test_the_toy_ends_in_one_of_its_optima(seed: int, optimum: list[float]) -> None:
    centroids = hierarchical_centroids(toy_points(), (Level(3),), seed=seed)
    np.testing.assert_allclose(np.sort(centroids.ravel()), optimum, atol=0.002)


def test_spark_finds_the_optimum_of_the_toy(spark) -> None:
    centroids = np.sort(hierarchical_centroids(toy_points(), (Level(3),), seed=0, spark=spark), axis=0)
    np.testing.assert_allclose(centroids.ravel(), [0.95, 1.05, 2.5], atol=0.001)
    assert cdist(toy_points(), centroids, "sqeuclidean").min(axis=1).sum() == pytest.approx(5.168, abs=0.001)


def test_all_that_is_published_is_made() -> None:
    made = simulated_centroids(seed=0)
    assert set(made) == set(PUBLISHED_KL)
    assert set(REFERENCE_KL) == set(HIERARCHIES)
    assert {name: len(centroids) for name, centroids in made.items() if name in HIERARCHIES} == dict.fromkeys(
        HIERARCHIES, 300
    )
    kls = {name: kl_to_uniform(centroids) for name, centroids in made.items()}
    order = ["data", "DBSCAN", "agglomerative", "1 level", "2 levels", "3 levels", "3 levels, resampled"]
    assert [kls[name] for name in order] == sorted(kls.values(), reverse=True)[: len(order)]
    assert kls["agglomerative"] == pytest.approx(PUBLISHED_KL["agglomerative"], abs=0.06)
