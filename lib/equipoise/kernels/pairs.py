"""All pairs of vectors above a cosine: exact, at a fraction of all products.

A cheap bound rules out nearly all pairs (:mod:`equipoise.kernels.bounds`), a tighter one most of the others, and only
what is left is computed, in float64: the same bits for a pair in whatever blocks and order its vectors come.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.bounds import Projected, margin
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Ids

ROWS_PER_CHUNK = 512
COLUMNS_PER_TILE = 1024
PAIRS_AT_ONCE = 2048
"""Whose vectors are brought together: they stay in the cache."""
ROWS_LOOKED_AT = 64
"""Of either side, to see how many pairs a bound leaves."""
NORM_MARGIN = 2.0**-20
"""Over what the vectors' norms are from 1, and what a similarity loses as float32."""
NUMBER, LOOKED_AT, PAIR, PAIR_NUMBER, COSINE, COSINE_NUMBER = 0.022, 0.25, 25.0, 0.3, 60.0, 0.8
"""Nanoseconds of a number in a product of matrices, of looking at a product, of a pair that is brought together and
each number of it, and of a cosine and each number of it. They decide how fast pairs are found, never which."""


class Pairs(NamedTuple):
    """``rows`` (m,) of one block, ``columns`` (m,) of the other, both int64, and ``similarities`` (m,) float32."""

    rows: Ids
    columns: Ids
    similarities: Floats


class Steps(NamedTuple):
    """Coordinates of the bound of all pairs, and of that of the pairs which it leaves.

    The length of the vectors stands for the product itself; where both are the same there is no second bound.
    """

    first: int
    second: int


def pairs_above(left: Projected, right: Projected | None, threshold: float) -> Iterator[Pairs]:
    """Pairs with a cosine above ``threshold``: of ``left`` and ``right``, or, without that, of rows i < j of ``left``.

    A similarity is the cosine in float64, rounded to float32; it is that which is compared, strictly. Zero vectors
    have no direction and are in no pair.

    Args:
        left: vectors of unit length (or zero).
        right: such vectors on the same basis.
        threshold: between -1 and 1.

    Yields:
        What is found, some pairs at a time; together every pair once, in no particular order.
    """
    others = left if right is None else right
    if not len(left) or not len(others):
        return
    steps = cheapest_steps(left, others, threshold)
    columns, least = others.folded(steps.first), _least(left, steps.first, threshold)
    room = np.empty(ROWS_PER_CHUNK * COLUMNS_PER_TILE, dtype=np.float32)
    remaining = _Remaining(left, others, steps.second if steps.second > steps.first else None, threshold)
    for start in range(0, len(left), ROWS_PER_CHUNK):
        chunk = left.folded(steps.first, slice(start, start + ROWS_PER_CHUNK))
        for begin in range(start if right is None else 0, len(others), COLUMNS_PER_TILE):
            tile = columns[begin : begin + COLUMNS_PER_TILE]
            products = np.matmul(chunk, tile.T, out=room[: len(chunk) * len(tile)].reshape(len(chunk), len(tile)))
            i, j = np.divmod(np.flatnonzero(products >= least), len(tile))
            i, j = i + start, j + begin
            if right is None:
                i, j = i[i < j], j[i < j]
            for some in range(0, len(i), PAIRS_AT_ONCE):
                yield from remaining.above(i[some : some + PAIRS_AT_ONCE], j[some : some + PAIRS_AT_ONCE])


class _Remaining:
    """What becomes of pairs that the first bound leaves."""

    def __init__(self, left: Projected, right: Projected, width: int | None, threshold: float) -> None:
        self._left, self._right, self._threshold, self._width = left, right, threshold, width
        if width is not None:
            self._tighter = left.folded(width), left.folded(width) if left is right else right.folded(width)
            self._least = _least(left, width, threshold)

    def above(self, rows: Ids, columns: Ids) -> Iterator[Pairs]:
        """Those above the threshold."""
        if self._width is not None:
            bounds = np.einsum("ij,ij->i", self._tighter[0].take(rows, axis=0), self._tighter[1].take(columns, axis=0))
            is_left = bounds >= self._least
            rows, columns = rows[is_left], columns[is_left]
        similarities = cosines(self._left, self._right, rows, columns)
        is_above = similarities > self._threshold
        if is_above.any():
            yield Pairs(rows[is_above], columns[is_above], similarities[is_above])


def cosines(left: Projected, right: Projected, rows: Ids, columns: Ids) -> Floats:
    """The cosines (m,) of pairs, from float64, as float32; -inf where a vector is zero."""
    # The sum of a row's products: the same bits for a pair, wherever it stands, and 1 for equal vectors.
    products = left.vectors.take(rows, axis=0).astype(np.float64)
    products *= right.vectors.take(columns, axis=0)
    scale = np.sqrt(left.norms_sq[rows] * right.norms_sq[columns])
    found = np.divide(products.sum(axis=1), scale, out=np.full(len(rows), -np.inf), where=scale > 0)
    return np.minimum(found, 1).astype(np.float32)


def cheapest_steps(left: Projected, right: Projected, threshold: float) -> Steps:
    """How many coordinates to look at, from the share of pairs that each bound leaves of some rows of either side."""
    dim, widths = left.basis.dim, left.basis.widths
    i, j = _spread(len(left)), _spread(len(right))
    is_pair = i[:, None] != j if left is right else np.ones((len(i), len(j)), dtype=bool)
    if not widths or not is_pair.any():
        return Steps(dim, dim)
    shares = np.array([_share_left(left, right, (i, j), is_pair, width, threshold) for width in (*widths, dim)])
    numbers = np.array([*(width + 1 for width in widths), dim])
    looking = NUMBER * numbers + LOOKED_AT
    exact = COSINE + COSINE_NUMBER * dim
    costs = looking[:, None] + shares[:, None] * (PAIR + PAIR_NUMBER * numbers) + shares * exact
    costs[np.tril_indices(len(numbers))] = np.inf
    np.fill_diagonal(costs, looking + shares * exact)
    costs[:, -1] = [*([np.inf] * len(widths)), costs[-1, -1]]  # the second is a bound: the product is the cosine's
    first, second = np.unravel_index(costs.argmin(), costs.shape)
    ladder = (*widths, dim)
    return Steps(ladder[first], ladder[second])


def _share_left(
    left: Projected, right: Projected, rows: tuple[Ids, Ids], is_pair: NDArray[np.bool_], width: int, threshold: float
) -> float:
    bounds = left.folded(width, rows[0]) @ right.folded(width, rows[1]).T
    return float((bounds[is_pair] >= _least(left, width, threshold)).mean())


def _spread(n: int) -> Ids:
    """Some of n rows, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, ROWS_LOOKED_AT)).astype(np.int64))


def _least(vectors: Projected, width: int, threshold: float) -> np.float32:
    """The lowest bound that a pair above the threshold may have."""
    return np.float32(threshold - margin(vectors.basis.dim, width) - NORM_MARGIN)
