"""Graphs of alike items on the driver: what hangs together, and what a threshold would take apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from equipoise.errors import ConfigError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Ids


def components(src: Ids, dst: Ids) -> tuple[Ids, Ids]:
    """Finds the connected components of an undirected graph.

    Args:
        src, dst: (m,) int64, the ends of every edge; copies, both directions and loops may be among them.

    Returns:
        (n,) the items, ascending, and (n,) the lowest item of the component of each: int64. At its peak some 130 bytes
        an edge are in use, those of the arguments included.
    """
    items, (first, second) = _as_indices(src, dst)
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(items), len(items)))
    count, labels = connected_components(graph, directed=False)
    lowest = np.empty(count, dtype=np.int64)
    lowest[labels[::-1]] = items[::-1]  # of several values for one place the last one stays
    return items, lowest[labels]


def merge_similarities(src: Ids, dst: Ids, similarity: Floats) -> Floats:
    """Finds at which similarities components merge, as the threshold falls: those of a maximum spanning forest.

    As one item stays of every component, each merge takes one item away: a threshold t removes as many items as there
    are values above t.

    Args:
        src, dst: (m,) int64, the ends of every edge.
        similarity: (m,) float32 of every edge.

    Returns:
        (items - components,) float32, descending.

    Source: Kruskal's algorithm (union-find over sorted edges), as scipy has it.
    """
    items, (first, second) = _as_indices(src, dst)
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((-similarity, high, low))
    low, high, similarity = low[order], high[order], similarity[order]
    is_new = np.ones(len(order), dtype=bool)
    is_new[1:] = (np.diff(low) != 0) | (np.diff(high) != 0)
    is_new &= low != high  # the copies of an edge would be added up
    low, high, similarity = low[is_new], high[is_new], similarity[is_new]
    falling = np.argsort(-similarity, kind="stable")
    places = np.empty(len(falling), dtype=np.float64)
    places[falling] = np.arange(1, len(falling) + 1)  # no weight may be 0, which would be no edge
    forest = minimum_spanning_tree(coo_array((places, (low, high)), shape=(len(items), len(items))).tocsr())
    taken = np.sort(forest.data.astype(np.int64)) - 1
    return similarity[falling[taken]]


def threshold_removing(n: int, merges: Floats, *, lowest: float) -> float:
    """Finds the threshold that removes as nearly ``n`` items as any does, fewer where two are as near.

    Args:
        n: items to remove.
        merges: (m,) float32 descending, from 1 down to above ``lowest``, from :func:`merge_similarities`.
        lowest: no threshold below it is looked at.

    Returns:
        In the middle between the last similarity that counts and the first that does not, as a float32 has it.
    """
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(merges)) + 1, [len(merges)]])
    cut = int(cuts[np.argmin(np.abs(cuts - n))])  # equal similarities count together
    above = float(merges[cut - 1]) if cut else 1.0
    below = float(merges[cut]) if cut < len(merges) else lowest
    middle = float(np.float32((above + below) / 2))
    return middle if below <= middle < above else below


def threshold_for(share: float, thresholds: Sequence[float], shares: Sequence[float]) -> float:
    """Interpolates the threshold that removes a share of the items.

    Args:
        share: to remove, 0 to 1.
        thresholds: at least one, in any order.
        shares: what each of them removes, measured.

    Returns:
        Between the two thresholds whose shares lie around it, linearly. Of several that remove the same, the highest.

    Raises:
        ConfigError: it is more than the lowest threshold removes; less than the highest does.
    """
    falling = np.argsort(-np.asarray(thresholds, dtype=np.float64), kind="stable")
    places = np.asarray(thresholds, dtype=np.float64)[falling]
    removed = np.maximum.accumulate(np.asarray(shares, dtype=np.float64)[falling])
    if not removed[0] <= share <= removed[-1]:
        raise ConfigError(
            f"no threshold from {places[-1]:g} to {places[0]:g} removes {share:.1%} of the items: these remove "
            f"{removed[-1]:.1%} to {removed[0]:.1%}: change target_keep, or try thresholds further "
            f"{'down' if share > removed[-1] else 'up'}"
        )
    reached = int(np.searchsorted(removed, share))
    around = slice(max(reached - 1, 0), reached + 1)
    return float(np.interp(share, removed[around], places[around]))


def _as_indices(src: Ids, dst: Ids) -> tuple[Ids, tuple[NDArray[np.intp], NDArray[np.intp]]]:
    items, places = np.unique(np.concatenate([src, dst]), return_inverse=True)
    return items, (places[: len(src)], places[len(src) :])
