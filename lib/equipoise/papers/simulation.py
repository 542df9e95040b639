"""The two synthetic data sets of Vo et al. 2024, and how far from uniform a set of centroids lies."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed

HALF_SIDE = 3.0  # the simulation lives on the square [-3, 3]^2
BANDWIDTH = 0.5
STEP = 0.02
N_UNIFORM = 500
DEVIATION = 0.5
GAUSSIANS = (((-1.0, -1.0), 7000), ((1.0, -1.0), 1000), ((0.0, 1.0), 500))


def toy_points() -> NDArray[np.float64]:
    """Return the 1-D toy, (5004, 1) float64: 5000 points evenly spaced in [0.9, 1.1], two at 2, two at 3.

    With k = 3 the optimum of k-means has centroids near 0.95, 1.05 and 2.5 and distortion 5.168, while the
    intuitive centroids 1, 2 and 3 have 16.67.

    Source: Vo et al. 2024, section 3.2 (which prints 6.0 for the optimum: near 0.95, 1.05 and 3 there is a local one of
    5.97).
    """
    return np.concatenate([np.linspace(0.9, 1.1, 5000), [2.0, 2.0, 3.0, 3.0]])[:, None]


def simulation_points(seed: int) -> NDArray[np.float32]:
    """Return the 2-D simulation, (9000, 2) float32: three very unequal Gaussians and a uniform floor.

    Args:
        seed: of the points; their order is by component.

    Source: Vo et al. 2024, figure 3. The numbers of points, the means and the deviation are those of the notebook in
    the authors' repository (the reference notebook), which also has its seeds: the paper gives none. Ours are others.
    """
    generator = np.random.default_rng(derived_seed(seed, Purpose.SIMULATION))
    parts = [generator.normal(mean, DEVIATION, (n, 2)) for mean, n in GAUSSIANS]
    parts.append(generator.uniform(-HALF_SIDE, HALF_SIDE, (N_UNIFORM, 2)))
    return np.concatenate(parts).astype(np.float32)


def uniform_points(n: int, seed: int) -> NDArray[np.float32]:
    """Return ``n`` uniform points of the square, (n, 2) float32: as even as chance alone makes centroids."""
    generator = np.random.default_rng(derived_seed(seed, Purpose.SIMULATION, 1))
    return generator.uniform(-HALF_SIDE, HALF_SIDE, (n, 2)).astype(np.float32)


def kl_to_uniform(points: ArrayLike) -> float:
    """Return KL(density of the points || uniform) on the square, in nats; 0 is perfectly even.

    Args and raises: as :func:`density`.

    Source: Vo et al. 2024, figure 3: bandwidth 0.5, grid step 0.02 (those of the reference notebook).
    """
    shares = density(points)
    inside = shares[shares > 0]
    return float((inside * np.log(inside * shares.size)).sum())


def density(points: ArrayLike) -> NDArray[np.float64]:
    """Return a Gaussian kernel estimate of the density on the square, (300, 300), x by y, in shares that add up to 1.

    It is evaluated on the grid and normalised there: mass outside of the square does not count.

    Args:
        points: (n, 2), n at least 1, finite; centroids or data.

    Raises:
        InputError: another shape, no points, or values that are not finite.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or not np.isfinite(points).all():
        raise InputError(f"points have shape {points.shape}; the simulation needs (n, 2) finite values, n above 0")
    grid = np.arange(-HALF_SIDE, HALF_SIDE, STEP)
    # The kernel is a product of one factor for each axis: the sum over points is one matrix product.
    along_x, along_y = (np.exp(-((grid[:, None] - axis) ** 2) / (2 * BANDWIDTH**2)) for axis in points.T)
    estimate = along_x @ along_y.T
    shares: NDArray[np.float64] = estimate / estimate.sum()
    return shares
