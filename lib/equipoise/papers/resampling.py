"""Sets whose classes are as unequal as one likes, made of a set that is not: how imbalance is studied."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.draws import Purpose, draws

Counts = NDArray[np.int64]

_CLASSES, _MEMBERS = 4, 5  # what tells these draws from others of the same purpose


def power_law_copies(labels: ArrayLike, total: int, *, alpha: float, seed: int) -> Counts:
    """Say how often each item is taken so that every class has one item, and the rest is shared as ``i^-alpha``.

    i counts the classes from the largest. The one item keeps every class in the set, whatever alpha is; it makes sizes
    a little more even than the pure law does. Which class is the first is drawn, and so is which members of a class
    come first. A class that is to have more items than it has members repeats all of them equally often, give or take
    one; where it is to have fewer, none repeats.

    Args:
        labels: (n,) class of each item, of any type that numpy sorts.
        total: items to have in all; at least one for each class.
        alpha: 0 or more; 0 makes all classes equal.
        seed: the same seed orders classes and members alike for any alpha and total.

    Returns:
        (n,) int64, none negative, adding up to ``total``.

    Raises:
        ConfigError: a negative alpha.
        InputError: no items, or fewer to have than classes.

    Source: Vo et al. 2024, table 2: class sizes by a power law, the total held. The one item is ours.
    """
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if alpha < 0:
        raise ConfigError(f"alpha is {alpha}: it must be 0 (equal classes) or more")
    if not classes.size or total < classes.size:
        raise InputError(f"total is {total}, of {classes.size} classes: give labels, and one item a class at least")
    order = np.argsort(draws(seed, Purpose.SIMULATION, _CLASSES, np.arange(classes.size)))
    sizes = np.empty(classes.size, dtype=np.int64)
    sizes[order] = 1 + shared_by_weight(total - classes.size, np.arange(1, classes.size + 1.0) ** -alpha)
    ranks = _ranks(codes, draws(seed, Purpose.SIMULATION, _MEMBERS, np.arange(codes.size)))
    members = np.bincount(codes)
    return np.asarray(sizes[codes] // members[codes] + (ranks < sizes[codes] % members[codes]), dtype=np.int64)


def shared_by_weight(total: int, weights: ArrayLike) -> Counts:
    """Share ``total`` by weights, rounded by the largest remainder (ties to the first), (m,) int64.

    Args:
        total: 0 or more.
        weights: (m,) none negative, not all 0.
    """
    shares = np.asarray(weights, dtype=np.float64)
    exact = total * (shares / shares.sum())
    counts = np.floor(exact).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: total - counts.sum()]] += 1
    return counts


def _ranks(codes: Counts, order: NDArray[np.int64]) -> Counts:
    """The place of each item among those of the same code, from 0."""
    places = np.lexsort((order, codes))
    starts = np.searchsorted(codes[places], np.arange(codes.max() + 1))
    ranks = np.empty_like(codes)
    ranks[places] = np.arange(codes.size) - starts[codes[places]]
    return ranks
