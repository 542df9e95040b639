"""Sharing a budget among the children of a cluster as evenly as their sizes allow: array twin of the SQL."""

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError


def cut_of(sizes: NDArray[np.int64], budget: int) -> int:
    """Return the largest integer c up to the largest size with ``sum(min(sizes, c)) <= budget``.

    Args:
        sizes: (m,) int64, items (times copies) below each child, none negative.
        budget: items to take, not negative.

    Source: for every distinct size s with f = the items in smaller children and r = the number of the others,
    ``min(s, (budget - f) // r)`` is a cut within the budget, and the largest of them is the largest cut.
    """
    distinct, counts = np.unique(np.asarray(sizes, dtype=np.int64), return_counts=True)
    if distinct.size == 0:
        return 0
    items = distinct * counts
    filled = np.cumsum(items) - items
    rest = counts[::-1].cumsum()[::-1]
    return int(np.minimum(distinct, np.maximum(0, (budget - filled) // rest)).max())


def quotas(sizes: NDArray[np.int64], budget: int, *, draws: NDArray[np.int64]) -> NDArray[np.int64]:
    """Share ``budget`` among children: ``min(size, cut)`` each, then one more in the order of the draws.

    Args:
        sizes: (m,) int64, items (times copies) below each child, none negative.
        budget: items to take; everything is taken where it is at or above the sum of the sizes.
        draws: (m,) int64, who comes first when the remainder is handed out, ties to the lower index.

    Returns:
        (m,) int64, never above the sizes; the sum is ``min(budget, sizes.sum())``.

    Raises:
        ConfigError: the budget or a size is negative, or there is not one draw for each size.

    Source: DESIGN section 3; Vo et al. 2024, section 3.4 (which minimises the distance to the budget only).
    """
    sizes = np.asarray(sizes, dtype=np.int64)
    if budget < 0 or (sizes < 0).any():
        raise ConfigError(f"budget is {budget}, smallest size {sizes.min(initial=0)}: neither may be negative")
    if sizes.shape != np.shape(draws):
        raise ConfigError(f"there are {sizes.shape} sizes and {np.shape(draws)} draws: give one draw for each size")
    cut = cut_of(sizes, budget)
    shares = np.minimum(sizes, cut)
    larger = np.flatnonzero(sizes > cut)
    first = larger[np.argsort(np.asarray(draws)[larger], kind="stable")]
    shares[first[: budget - int(shares.sum())]] += 1
    return shares
