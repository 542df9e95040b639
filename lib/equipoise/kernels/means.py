"""Means of groups of unit vectors, added up exactly: the same whatever the order and the batches."""

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Ids, unit_length

_STEPS = float(2**32)
"""Of a number from -1 to 1: sums of 2^30 vectors fit int64, and a sum of integers has no order."""


def unit_sums(groups: Ids, vectors: Floats) -> tuple[Ids, Ids, Ids]:
    """Adds up the vectors of every group, each brought to unit length.

    Args:
        groups: (n,) int64, equal ones beside each other.
        vectors: (n, d).

    Returns:
        (g,) the groups in the order in which they come, (g,) their sizes and (g, d) the sums, int64 in steps of 2^-32.
    """
    starts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1))
    steps = np.rint(unit_length(vectors).astype(np.float64) * _STEPS).astype(np.int64)
    sizes = np.diff(starts, append=len(groups)).astype(np.int64)
    return groups[starts], sizes, np.add.reduceat(steps, starts, axis=0)


def squared_distances(vectors: Floats, sums: Ids, sizes: Ids) -> NDArray[np.float64]:
    """Measures how far vectors, brought to unit length, are from the means of their groups.

    Args:
        vectors: (n, d).
        sums: (n, d) of the group of each, from :func:`unit_sums`.
        sizes: (n,) of the group of each.

    Returns:
        (n,) squared Euclidean distances to the mean, which is not brought to unit length: inside one group they order
        the items as the cosine to the mean does, the closest first.
    """
    means = sums / (_STEPS * sizes[:, None])
    apart = unit_length(vectors).astype(np.float64) - means
    return np.einsum("nd,nd->n", apart, apart)
