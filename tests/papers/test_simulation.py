"""The published numbers of DESIGN section 7 that need no clustering."""

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.papers.simulation import density, kl_to_uniform, simulation_points, toy_points, uniform_points


def distortion(points: np.ndarray, centroids: list[float]) -> float:
    return float(((points - np.array(centroids)) ** 2).min(axis=1).sum())


def test_toy_distortions() -> None:
    points = toy_points()
    assert points.shape == (5004, 1)
    assert distortion(points, [1.0, 2.0, 3.0]) == pytest.approx(16.67, abs=0.01)
    halves = [points[:2500].mean(), points[2500:5000].mean(), 2.5]
    assert halves == pytest.approx([0.95, 1.05, 2.5], abs=1e-3)
    assert distortion(points, halves) == pytest.approx(5.168, abs=1e-3)


def test_simulation_points() -> None:
    points = simulation_points(0)
    assert points.shape == (9000, 2)
    assert points.dtype == np.float32
    for part, mean in (((0, 7000), (-1, -1)), ((7000, 8000), (1, -1)), ((8000, 8500), (0, 1))):
        np.testing.assert_allclose(points[slice(*part)].mean(axis=0), mean, atol=0.08)
        np.testing.assert_allclose(points[slice(*part)].std(axis=0), 0.5, atol=0.05)
    assert np.abs(points[8500:]).max() <= 3
    np.testing.assert_array_equal(points, simulation_points(0))
    assert not np.array_equal(points, simulation_points(1))


def test_kl_of_the_data_is_the_published_one() -> None:
    kls = [kl_to_uniform(simulation_points(seed)) for seed in range(3)]
    assert np.mean(kls) == pytest.approx(0.942, abs=0.015)


def test_kl_of_uniform_points_is_the_published_one() -> None:
    kls = [kl_to_uniform(uniform_points(300, seed)) for seed in range(20)]
    assert np.mean(kls) == pytest.approx(0.040, abs=0.004)
    assert np.std(kls) == pytest.approx(0.007, abs=0.004)


def test_kl_equals_a_kernel_density_estimate_of_scikit_learn() -> None:
    from sklearn.neighbors import KernelDensity

    points = uniform_points(10, 0)
    axis = np.arange(-3, 3, 0.02)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(KernelDensity(bandwidth=0.5).fit(points).score_samples(grid))
    share = density / density.sum()
    assert kl_to_uniform(points) == pytest.approx(float((share * np.log(share * share.size)).sum()), rel=1e-9)


def test_the_density_is_in_shares_and_peaks_where_the_points_are() -> None:
    shares = density([[1.0, -2.0]])
    assert shares.shape == (300, 300)
    assert shares.sum() == pytest.approx(1)
    assert np.unravel_index(shares.argmax(), shares.shape) == (200, 50)  # x by y, from -3 by 0.02


def test_an_even_grid_is_nearly_uniform() -> None:
    axis = np.linspace(-4.5, 4.5, 40)
    assert kl_to_uniform(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)) < 1e-3


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((3, 3)), np.array([[0.0, np.nan]])])
def test_bad_points(points: np.ndarray) -> None:
    with pytest.raises(InputError, match="points have shape"):
        kl_to_uniform(points)
