"""Pairs of blocks packed into cells, groups of blocks by groups of blocks: a task reads few blocks for many pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.regions import BlockPairs
from equipoise.kernels.vectors import Ids

LEAST_PRODUCTS = 1 << 26
"""Of vectors in a cell, about, for which it is worth a task: a fraction of a second."""
CELLS_PER_CORE = 4


@dataclass(frozen=True)
class Cells:
    """What every task does and reads.

    ``pairs`` (m,) in the order of their cells, the dearest cell first; cell c has those from ``starts[c]`` to
    ``starts[c + 1]``. Block b is in group ``groups[b]`` and goes to the cells ``targets[routes[b] : routes[b + 1]]``.
    """

    pairs: BlockPairs
    starts: Ids
    targets: NDArray[np.int32]
    routes: Ids
    groups: Ids

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.starts) - 1


def products_of(pairs: BlockPairs, sizes: Ids) -> Ids:
    """How many pairs of vectors there are in each pair of blocks: (m,)."""
    products = sizes[pairs.lefts] * sizes[pairs.rights]
    return np.where(pairs.lefts == pairs.rights, (products - sizes[pairs.lefts]) // 2, products)


def groups_wanted(n_products: int, n_rows: int, *, most_rows: int, n_cores: int) -> int:
    """Groups that blocks of ``n_rows`` vectors are put into: as few as keep the memory of a task and all cores busy."""
    by_cores = (2 * CELLS_PER_CORE * n_cores) ** 0.5
    by_work = (2 * n_products / LEAST_PRODUCTS) ** 0.5
    return max(1, -(-n_rows // most_rows), round(min(by_cores, by_work)))


def grouped(sizes: Ids, order: Ids, n_groups: int) -> Ids:
    """The group of every block (b,): blocks (b,) in this order, as many vectors in one group as in another."""
    held = np.cumsum(sizes[order])
    groups = np.empty(len(sizes), dtype=np.int64)
    groups[order] = (held - sizes[order]) * n_groups // max(1, held[-1] if len(held) else 1)
    return groups


def cells_of(pairs: BlockPairs, sizes: Ids, groups: Ids) -> Cells:
    """The cells that have any pairs.

    Args:
        pairs: blocks to hold against each other.
        sizes, groups: (b,) of all blocks.
    """
    some, other = groups[pairs.lefts], groups[pairs.rights]
    keys = np.minimum(some, other) * (int(groups.max(initial=0)) + 1) + np.maximum(some, other)
    _, cell_of_pair = np.unique(keys, return_inverse=True)
    costs = np.bincount(cell_of_pair, weights=products_of(pairs, sizes))
    places = np.empty(len(costs), dtype=np.int64)
    places[np.argsort(-costs, kind="stable")] = np.arange(len(costs))
    cell_of_pair = places[cell_of_pair]
    order = np.argsort(cell_of_pair, kind="stable")
    starts = np.searchsorted(cell_of_pair[order], np.arange(len(costs) + 1))
    targets, routes = _routes(pairs, cell_of_pair, n_blocks=len(sizes), n_cells=len(costs))
    return Cells(BlockPairs(pairs.lefts[order], pairs.rights[order]), starts, targets, routes, groups)


def _routes(pairs: BlockPairs, cell_of_pair: Ids, *, n_blocks: int, n_cells: int) -> tuple[NDArray[np.int32], Ids]:
    visits = np.unique(np.concatenate([side * np.int64(n_cells) + cell_of_pair for side in pairs]))
    blocks, targets = np.divmod(visits, max(1, n_cells))
    return targets.astype(np.int32), np.searchsorted(blocks, np.arange(n_blocks + 1))


def runs_of(numbers: Ids) -> Iterator[slice]:
    """Ascending numbers as slices, one for every run without a gap."""
    ends = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(numbers, ends):
        yield slice(int(run[0]), int(run[-1]) + 1)
