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

    Source: DESIGN section 3; Vo et al. 2024, section 3.3 (which minimises the distance to the budget only).
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


def grouped_quotas(
    sizes: NDArray[np.int64], groups: NDArray[np.int64], budgets: NDArray[np.int64], *, draws: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Share many budgets at once, each among the children of one group: :func:`quotas` of every group.

    Args:
        sizes: (m,) int64, items (times copies) below each child, none negative.
        groups: (m,) int64, the group of each child, from 0.
        budgets: (g,) int64, items to take of each group, none negative.
        draws: (m,) int64, who comes first when a remainder is handed out, ties to the lower index.

    Returns:
        (m,) int64, never above the sizes.

    Source: that of :func:`cut_of`, by running sums over children sorted by group and size.
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    if not len(sizes):
        return shares
    order = np.lexsort((sizes, groups))
    sorted_sizes, sorted_groups = sizes[order], groups[order]
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    lengths = np.diff(np.r_[starts, len(sizes)])
    within = np.arange(len(sizes)) - np.repeat(starts, lengths)
    totals = np.add.reduceat(sorted_sizes, starts)
    budget = np.minimum(budgets[sorted_groups[starts]], totals)
    sums = np.cumsum(sorted_sizes) - sorted_sizes
    filled = sums - np.repeat(sums[starts], lengths)
    room = np.maximum(0, np.repeat(budget, lengths) - filled) // (np.repeat(lengths, lengths) - within)
    # Of equal sizes the first has the largest share: the others change no maximum.
    cut = np.repeat(np.maximum.reduceat(np.minimum(sorted_sizes, room), starts), lengths)
    sorted_shares = np.minimum(sorted_sizes, cut)
    remainder = np.repeat(budget - np.add.reduceat(sorted_shares, starts), lengths)
    first = np.lexsort((order, draws[order], sorted_sizes <= cut, sorted_groups))  # the larger ones of a group lead it
    place = np.empty(len(sizes), dtype=np.int64)
    place[first] = within
    shares[order] = sorted_shares + ((sorted_sizes > cut) & (place < remainder))
    return shares
