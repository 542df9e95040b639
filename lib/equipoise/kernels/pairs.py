"""All pairs of vectors above a cosine: exact, at a fraction of all products.

A cheap bound rules out nearly all pairs (:mod:`equipoise.kernels.bounds`), a tighter one most of the others, and only
what is left is computed, in float64: the same bits for a pair in whatever blocks and order its vectors come.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

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
    first, *widths = cheapest_widths(left, others, threshold)
    columns, least = others.folded(first), _least(left, first, threshold)
    remaining = _Remaining(left, others, (first, *widths), threshold)
    room = np.empty(ROWS_PER_CHUNK * COLUMNS_PER_TILE, dtype=np.float32)
    for start in range(0, len(left), ROWS_PER_CHUNK):
        chunk = left.folded(first, slice(start, start + ROWS_PER_CHUNK))
        for begin in range(start if right is None else 0, len(others), COLUMNS_PER_TILE):
            tile = columns[begin : begin + COLUMNS_PER_TILE]
            bounds = room[: len(chunk) * len(tile)]
            np.matmul(chunk, tile.T, out=bounds.reshape(len(chunk), len(tile)))
            places = np.flatnonzero(bounds >= least)
            for some in range(0, len(places), PAIRS_AT_ONCE):
                at = places[some : some + PAIRS_AT_ONCE]
                i, j = np.divmod(at, len(tile))
                yield from remaining.above(i + start, j + begin, bounds[at], is_triangle=right is None)


class _Remaining:
    """What becomes of pairs that the first bound leaves: by tighter ones and then by the cosine."""

    def __init__(self, left: Projected, right: Projected, widths: tuple[int, ...], threshold: float) -> None:
        self._left, self._right, self._threshold = left, right, threshold
        self._steps = [self._step(narrow, wide) for narrow, wide in itertools.pairwise(widths)]

    def _step(self, narrow: int, wide: int) -> tuple[Floats, Floats, np.float32]:
        mine, theirs = self._left.further(narrow, wide), self._right.further(narrow, wide)
        mine[:, -1] *= -1
        return mine, theirs, _least(self._left, wide, self._threshold)

    def above(self, rows: Ids, columns: Ids, bounds: Floats, *, is_triangle: bool) -> Iterator[Pairs]:
        """Those above the threshold; of a triangle those with row < column."""
        if is_triangle:
            is_upper = rows < columns
            rows, columns, bounds = rows[is_upper], columns[is_upper], bounds[is_upper]
        for mine, theirs, least in self._steps:
            bounds = bounds + np.einsum("ij,ij->i", mine.take(rows, axis=0), theirs.take(columns, axis=0))
            is_left = bounds >= least
            rows, columns, bounds = rows[is_left], columns[is_left], bounds[is_left]
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


def cheapest_widths(left: Projected, right: Projected, threshold: float) -> tuple[int, ...]:
    """Coordinates to look at, of all pairs and then of those that are left: the cheapest chain of bounds.

    What each bound leaves is seen on some rows of either side. The length of the vectors, alone, stands for their
    products.
    """
    dim, widths = left.basis.dim, left.basis.widths
    shares = _shares_left(left, right, threshold)
    if not widths or not len(shares):
        return (dim,)
    cosine = COSINE + COSINE_NUMBER * dim
    chains: list[tuple[float, tuple[int, ...]]] = [(NUMBER * dim + LOOKED_AT + cosine * shares[-1], (dim,))]
    reached: list[tuple[float, tuple[int, ...], float]] = []
    for width, share in zip(widths, shares[:-1], strict=True):
        begun = (NUMBER * (width + 1) + LOOKED_AT, (width,), share)
        ways = [(cost + left_by * _pair_cost(width - way[-1]), (*way, width), share) for cost, way, left_by in reached]
        reached.append(min([begun, *ways]))
        chains.append((reached[-1][0] + share * cosine, reached[-1][1]))
    return min(chains)[1]


def _pair_cost(numbers: int) -> float:
    return PAIR + PAIR_NUMBER * (numbers + 2)


def _shares_left(left: Projected, right: Projected, threshold: float) -> list[float]:
    """The share of pairs that the bound of each width leaves, and at last their product; empty where there are none."""
    i, j = _spread(len(left)), _spread(len(right))
    products = np.zeros((len(i), len(j)), dtype=np.float32)
    if left is right:
        np.fill_diagonal(products, -np.inf)
    n_pairs = np.isfinite(products).sum()
    if not n_pairs:
        return []
    shares, start = [], 0
    for place, width in enumerate(left.basis.widths):
        products += left.coordinates[i, start:width] @ right.coordinates[j, start:width].T
        bounds = products + np.outer(left.rests[i, place], right.rests[j, place])
        shares.append(np.count_nonzero(bounds >= _least(left, width, threshold)) / n_pairs)
        start = width
    exact = left.vectors[i] @ right.vectors[j].T
    is_above = (exact >= _least(left, left.basis.dim, threshold)) & np.isfinite(products)
    return [*shares, np.count_nonzero(is_above) / n_pairs]


def _spread(n: int) -> Ids:
    """Some of n rows, evenly."""
    return np.unique(np.linspace(0, n - 1, min(n, ROWS_LOOKED_AT)).astype(np.int64))


def _least(vectors: Projected, width: int, threshold: float) -> np.float32:
    """The lowest bound that a pair above the threshold may have."""
    return np.float32(threshold - margin(vectors.basis.dim, width) - NORM_MARGIN)
