"""Pools with a long tail: clusters of very unequal sizes, in which every item has equally many copies."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.kernels.nearest import Floats
from equipoise.papers.resampling import Counts, shared_by_weight

CENTRE = 0.6
"""The cosine of two different items of a cluster, about: below SemDeDup's threshold of 0.8, above that of others."""
NOISE = 0.15
"""Length of what tells a copy from its item, of length 1: copies have a cosine of about 0.96 with each other."""
LEAST = 4
"""Different items that a cluster has at least."""

_POOL = 9  # what tells these draws from others of the same purpose


class LongTail(NamedTuple):
    """``vectors`` (m, d) float32 of unit length; ``clusters`` and ``origins`` (m,) int64: where each lies, of what."""

    vectors: Floats
    clusters: Counts
    origins: Counts


def long_tail(n_clusters: int, n_origins: int, copies: int, *, exponent: float, dim: int, seed: int) -> LongTail:
    """Make a pool of ``n_origins`` different items, each there ``copies`` times, in clusters by a power law.

    The i-th cluster has :data:`LEAST` items and a share of the rest in proportion to ``i^-exponent``. Pools of any
    exponent have the same number of items, and of different ones. Centres are at right angles; an item is its
    cluster's centre and a direction of its own, drawn among those at right angles to all centres. So two items of one
    cluster are no copies at a threshold of 0.8, and copies are: SemDeDup leaves one of each.

    Args:
        n_clusters: below ``dim``.
        n_origins: at least :data:`LEAST` a cluster.
        copies: one or more, the item itself included; they differ by small changes.
        exponent: 0: clusters of equal size.
        dim: of the vectors; twice ``n_clusters`` and 100 or more keep items of a cluster apart.
        seed: of all draws.

    Raises:
        ConfigError: too few items or dimensions for so many clusters.
    """
    if n_origins < LEAST * n_clusters or dim <= n_clusters:
        raise ConfigError(
            f"{n_origins} items in {dim} dimensions are too few for {n_clusters} clusters: give {LEAST} a cluster, "
            "and more dimensions than clusters"
        )
    weights = np.arange(1, n_clusters + 1.0) ** -exponent
    sizes = LEAST + shared_by_weight(n_origins - LEAST * n_clusters, weights)
    generator = np.random.default_rng(derived_seed(seed, Purpose.SIMULATION, _POOL))
    homes = np.repeat(np.arange(n_clusters), sizes)
    items = np.zeros((n_origins, dim))
    items[np.arange(n_origins), homes] = np.sqrt(CENTRE)
    items[:, n_clusters:] = np.sqrt(1 - CENTRE) * _units(generator.normal(size=(n_origins, dim - n_clusters)))
    origins = np.repeat(np.arange(n_origins), copies)
    changes = NOISE * _units(generator.normal(size=(origins.size, dim)))
    return LongTail(_units(items[origins] + changes).astype(np.float32), homes[origins], origins)


def _units(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float64)
