"""What thresholds would remove, told from the groups of sampled items: where pairs of some items alone are known."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.components import components
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Ids

SMALL = 100
"""Members of a group from which on it does not matter how many there are: a hundredth of an item stays for each."""


@dataclass(frozen=True)
class KnownPairs:
    """All pairs of the items ``searched`` (s,), among them those of a sample.

    ``src``, ``dst`` (m,) int64 and ``similarity`` (m,) float32: pairs in any order and direction; copies and loops may
    be among them. ``sampled`` (n,) int64: each once.
    """

    src: Ids
    dst: Ids
    similarity: Floats
    searched: Ids
    sampled: Ids


@dataclass(frozen=True)
class Share:
    """The share of the items that goes above a threshold: from ``low`` to ``high``, which differ where groups reach
    beyond the pairs that are known; ``deviation`` is the standard error of the sample."""

    threshold: float
    low: float
    high: float
    deviation: float

    @property
    def middle(self) -> float:
        """The estimate."""
        return (self.low + self.high) / 2

    @property
    def margin(self) -> float:
        """How far the truth may be from it: two standard errors, and what is not known."""
        return 2 * self.deviation + (self.high - self.low) / 2


@dataclass(frozen=True)
class _Groups:
    """Of the sampled items: members of the group of each (n,), as far as they are known, and whether it is open."""

    sizes: Ids
    is_open: NDArray[np.bool_]
    beyond: Ids
    """Items that were not searched, in groups that are small and open."""


def share_removed(known: KnownPairs, threshold: float, *, share: float) -> Share:
    """Estimate the share of all items that a threshold removes, where one item of a connected component stays.

    Of an item in a component of s items 1 / s stays; over a uniform sample the mean of 1 / s is an unbiased estimate of
    the share that stays. Of a component that reaches beyond the searched items s is known from below alone: at least
    nothing of its items stays, at most 1 / s of each.

    Args:
        known: the pairs.
        threshold: a pair counts where its similarity, a float32, is above.
        share: of all items that were sampled, for the standard error: a sample of all has none.
    """
    groups = _groups(known, threshold)
    stays = 1 / groups.sizes
    n = max(len(stays), 1)
    least = np.where(groups.is_open, 0.0, stays)
    deviation = float(np.std(stays) * np.sqrt(max(0.0, 1 - share) / n))
    return Share(threshold, float(1 - stays.sum() / n), float(1 - least.sum() / n), deviation)


def items_beyond(known: KnownPairs, thresholds: Iterable[float]) -> Ids:
    """Find the items whose pairs would tell most: not searched, in a small group of a sampled item, ascending."""
    found = [_groups(known, threshold).beyond for threshold in thresholds]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def _groups(known: KnownPairs, threshold: float) -> _Groups:
    n, above = len(known.sampled), known.similarity > np.float32(threshold)
    sizes, is_open = np.ones(n, np.int64), np.zeros(n, bool)
    if not above.any():
        return _Groups(sizes, is_open, np.empty(0, np.int64))
    items, lowest = components(known.src[above], known.dst[above])
    _, groups, counts = np.unique(lowest, return_inverse=True, return_counts=True)
    is_new = ~np.isin(items, known.searched)
    reaches = np.bincount(groups, weights=is_new) > 0
    is_paired = np.isin(known.sampled, items)
    own = groups[np.searchsorted(items, known.sampled[is_paired])]
    sizes[is_paired], is_open[is_paired] = counts[own], reaches[own]
    is_asked = np.zeros(len(counts), bool)
    is_asked[own] = counts[own] < SMALL
    return _Groups(sizes, is_open, items[is_new & is_asked[groups]])
