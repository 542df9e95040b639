"""The 1-D simulation: what the theory says, and that the centroids do it."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.cluster import KMeans

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.levels import Level
from equipoise.papers.line import (
    centroid_power,
    followed_power,
    line_density,
    line_points,
    normalised,
    power_kmeans,
)
from equipoise.papers.simulation_methods import hierarchical_centroids


def test_the_points_have_the_density_that_is_said() -> None:
    points = line_points(40_000, seed=0)
    assert points.shape == (40_000, 1) and points.dtype == np.float32
    shares, edges = np.histogram(points, bins=20, range=(-3, 3))
    expected = [quad(line_density, low, high)[0] for low, high in itertools.pairwise(edges)]
    np.testing.assert_allclose(shares / 40_000, expected, atol=0.006)
    assert quad(line_density, -8, 8, points=[-3, 3])[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "power"),
    [({}, 1 / 3), ({"exponent": 4}, 1 / 5), ({"exponent": 8}, 1 / 9), ({"levels": 3}, 1 / 27), ({"dim": 2}, 1 / 2)],
)
def test_the_powers_of_the_theory(settings: dict[str, float], power: float) -> None:
    assert centroid_power(**settings) == pytest.approx(power)


def test_exponent_2_is_k_means() -> None:
    points = line_points(2000, seed=1)
    centroids = power_kmeans(points, 20, exponent=2, seed=0)
    again = KMeans(20, init=centroids[:, None], n_init=1, tol=0).fit(points.astype(np.float64))
    np.testing.assert_allclose(np.sort(again.cluster_centers_.ravel()), centroids, atol=1e-3)
    best = min(KMeans(20, n_init=1, random_state=seed).fit(points).inertia_ for seed in range(5))
    assert again.inertia_ < 1.25 * best


@pytest.mark.parametrize("exponent", [4, 8])
def test_a_centroid_is_where_the_cost_of_its_cell_is_least(exponent: int) -> None:
    points = line_points(3000, seed=2).ravel().astype(np.float64)
    centroids = power_kmeans(points, 6, exponent=exponent, seed=0)
    labels = np.abs(points[:, None] - centroids).argmin(axis=1)
    for cell, centroid in enumerate(centroids):
        members = points[labels == cell]
        cost = [(np.abs(members - place) ** exponent).sum() for place in centroid + np.array([-0.02, 0.0, 0.02])]
        assert cost[1] == min(cost)


@pytest.mark.parametrize("exponent", [2, 4, 8])
def test_centroids_follow_the_power_of_the_theory(exponent: int) -> None:
    centroids = power_kmeans(line_points(50_000, seed=0), 200, exponent=exponent, seed=0)
    assert followed_power(centroids) == pytest.approx(centroid_power(exponent=exponent), abs=0.05)


@pytest.mark.parametrize("ks", [(120,), (2000, 120), (3000, 600, 120)], ids=["T=1", "T=2", "T=3"])
def test_levels_follow_the_power_of_the_theory(ks: tuple[int, ...]) -> None:
    ladder = tuple(Level(k) for k in ks)
    found = [followed_power(hierarchical_centroids(line_points(20_000, seed), ladder, seed=seed)) for seed in range(3)]
    assert np.mean(found) == pytest.approx(centroid_power(levels=len(ladder)), abs=0.03)


def test_the_power_of_even_and_of_drawn_centroids() -> None:
    assert followed_power(np.linspace(-3, 3, 500)) == pytest.approx(0, abs=1e-6)
    quantiles = np.quantile(line_points(400_000, seed=0), np.linspace(0.001, 0.999, 300))
    assert followed_power(quantiles) == pytest.approx(1, abs=0.05)


def test_normalised_has_the_integral_1() -> None:
    places = np.linspace(0, 2, 101)
    np.testing.assert_allclose(normalised(np.full(101, 7.0), places), 0.5)


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="exponent is 1"):
        power_kmeans(np.arange(9.0), 3, exponent=1, seed=0)
    with pytest.raises(InputError, match="k = 3 needs as many"):
        power_kmeans(np.array([1.0, 1.0, 2.0]), 3, exponent=2, seed=0)
    with pytest.raises(InputError):
        power_kmeans(np.array([1.0, np.nan, 2.0]), 2, exponent=2, seed=0)
