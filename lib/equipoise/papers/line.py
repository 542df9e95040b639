"""The 1-D simulation of Vo et al. 2024, figure 2: which power of the data's density the centroids follow.

The best k centroids for the cost ``|x - c|^s`` in d dimensions have, for large k, a density that goes as
``p^(d / (d + s))`` (Zador 1982): k-means, s = 2, follows ``p^(1/3)`` on the line, and larger exponents come closer to
uniform. So do T levels of k-means, with ``p^((d / (d + 2))^T)``.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid
from scipy.stats import norm

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.nearest import Floats

Doubles = NDArray[np.float64]

HALF_LENGTH = 3.0  # the simulation lives on [-3, 3]
DEVIATION = 0.5
GAUSSIANS = ((-1.0, 0.75), (1.0, 0.15))  # mean and share; the rest is uniform
MOST_ITERATIONS = 2000
SMALLEST_MOVE = 1e-6


def line_points(n: int, seed: int) -> Floats:
    """Return ``n`` draws of :func:`line_density`, (n, 1) float32, in no order: two unequal Gaussians and a floor."""
    generator = np.random.default_rng(derived_seed(seed, Purpose.SIMULATION, 2))
    shares = [share for _, share in GAUSSIANS]
    part = generator.choice(len(shares) + 1, size=n, p=[*shares, 1 - sum(shares)])
    drawn = [generator.normal(mean, DEVIATION, n) for mean, _ in GAUSSIANS]
    drawn.append(generator.uniform(-HALF_LENGTH, HALF_LENGTH, n))
    return np.choose(part, drawn).astype(np.float32)[:, None]


def line_density(places: ArrayLike) -> Doubles:
    """Return the density that :func:`line_points` draws from, at places of any shape."""
    x = np.asarray(places, dtype=np.float64)
    floor = (1 - sum(share for _, share in GAUSSIANS)) / (2 * HALF_LENGTH)
    bells = sum(share * norm.pdf(x, mean, DEVIATION) for mean, share in GAUSSIANS)
    return np.asarray(bells + np.where(np.abs(x) <= HALF_LENGTH, floor, 0.0), dtype=np.float64)


def centroid_power(*, exponent: float = 2.0, levels: int = 1, dim: int = 1) -> float:
    """Return the power of the data's density that centroids follow: ``(d / (d + s))^T``.

    Args:
        exponent: s of the cost ``|x - c|^s``.
        levels: T, each of which clusters the centroids below it.
        dim: d.
    """
    return float((dim / (dim + exponent)) ** levels)


def power_kmeans(points: ArrayLike, k: int, *, exponent: float, seed: int) -> Doubles:
    """Return ``k`` places on the line that minimise the sum of ``|x - c|^s`` (locally), (k,) float64, ascending.

    Lloyd's algorithm, in which a centroid takes one Newton step towards the best place of its cell: the step goes to
    the mean of the members weighted by ``|x - c|^(s - 2)``, over ``s - 1``; for s = 2 that is the mean itself.

    Args:
        points: (n,) or (n, 1), finite.
        k: at most the number of different points.
        exponent: s, at least 2.
        seed: of the first centroids, drawn one after the other by the cost of what came before.

    Raises:
        ConfigError: the exponent is under 2.
        InputError: values that are not finite, or fewer different ones than ``k``.
    """
    line = np.sort(np.asarray(points, dtype=np.float64).ravel())
    if exponent < 2:
        raise ConfigError(f"exponent is {exponent}: it must be 2 or more, for the cost to be smooth")
    if not np.isfinite(line).all() or len(np.unique(line)) < k:
        raise InputError(f"{line.size} points with {len(np.unique(line))} finite values: k = {k} needs as many")
    centroids = _seeds(line, k, exponent=exponent, seed=seed)
    for _ in range(MOST_ITERATIONS):
        labels = np.searchsorted((centroids[1:] + centroids[:-1]) / 2, line)
        offsets = line - centroids[labels]
        weights = np.abs(offsets) ** (exponent - 2)
        weight = np.bincount(labels, weights, minlength=k)
        pull = np.bincount(labels, weights * offsets, minlength=k)
        # A cell without members, or with all of them at its centroid, stays.
        moves = np.divide(pull, weight * (exponent - 1), out=np.zeros(k), where=weight > 0)
        centroids = np.sort(centroids + moves)
        if np.abs(moves).max() <= SMALLEST_MOVE * (line[-1] - line[0]):
            break
    return centroids


def followed_power(centroids: ArrayLike) -> float:
    """Return the power of :func:`line_density` that the density of centroids goes as: the slope between their logs.

    Args:
        centroids: (k,) or (k, 1), in any order, five at least; those beyond the ends of the line do not count.
    """
    line = np.sort(np.asarray(centroids, dtype=np.float64).ravel())
    inner, gaps = line[1:-1], (line[2:] - line[:-2]) / 2
    counts = np.abs(inner) < HALF_LENGTH
    return float(np.polyfit(np.log(line_density(inner[counts])), -np.log(gaps[counts]), deg=1)[0])


def normalised(values: ArrayLike, places: Sequence[float] | Doubles) -> Doubles:
    """Return ``values`` (m,) scaled so that their integral over ``places`` (m,), ascending, is 1."""
    heights = np.asarray(values, dtype=np.float64)
    return np.asarray(heights / trapezoid(heights, places), dtype=np.float64)


def _seeds(line: Doubles, k: int, *, exponent: float, seed: int) -> Doubles:
    """k-means++ for the exponent: each place drawn by the cost, ``|x - c|^s``, that those before leave it."""
    generator = np.random.default_rng(derived_seed(seed, Purpose.SIMULATION, 3))
    taken = [line[generator.integers(line.size)]]
    costs = np.abs(line - taken[0]) ** exponent
    for _ in range(1, k):
        taken.append(line[generator.choice(line.size, p=costs / costs.sum())])
        np.minimum(costs, np.abs(line - taken[-1]) ** exponent, out=costs)
    return np.sort(taken)
