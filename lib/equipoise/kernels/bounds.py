"""Inner products bounded from above at a fraction of their cost, never below the true value.

After a rotation that brings most of the vectors' length into the first coordinates (principal directions),

    <a, b> = <a', b'> + <a_rest, b_rest> <= <a', b'> + |a_rest| |b_rest|    (Cauchy-Schwarz)

where ' are the first ``width`` coordinates. The norm of the rest is one more coordinate, so the bound of all pairs is
one matrix product of ``width + 1`` numbers: for the most similar of many (the highest products) as for all above a
threshold. Whoever is ruled out by the bound, and :func:`margin` for what float32 loses, needs no other look.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from equipoise.kernels.nearest import Floats

WIDTHS = (8, 16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""How many coordinates a bound may have: more make it tighter and dearer."""
WIDEST_SHARE = 0.5
"""Of a vector's length: what a rotation of more coordinates costs is not earned back."""
_HALF_ULP = 2.0**-24
_ROWS_AT_ONCE = 2048


@dataclass(frozen=True)
class Basis:
    """``directions`` (d, m) float32: orthonormal columns, the one with most of the vectors' length first.

    ``widths`` ascend and end with m; there are none, and no directions, where vectors are too short to be bounded.
    """

    directions: Floats
    widths: tuple[int, ...]

    @property
    def dim(self) -> int:
        """The length of the vectors, d."""
        return len(self.directions)


@dataclass(frozen=True)
class Projected:
    """Vectors (n, d) float32 and what bounds their products.

    ``coordinates`` (n, m) along the basis' directions, ``rests`` (n, number of widths) the norms of what is not within
    the first so many of them, rounded up, ``norms_sq`` (n,) float64 of the vectors.
    """

    vectors: Floats
    basis: Basis
    coordinates: Floats
    rests: Floats
    norms_sq: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.vectors)

    def folded(self, width: int, rows: slice | NDArray[np.int64] = slice(None)) -> Floats:
        """What to multiply: ``folded(w) @ others.folded(w).T`` is the bound of all products.

        Args:
            width: one of the basis' widths, for (n, width + 1): coordinates and the norm of the rest; or d, for the
                vectors as they are.
            rows: those wanted.
        """
        if width == self.basis.dim:
            return self.vectors[rows]
        rests = self.rests[rows, self.basis.widths.index(width)]
        return np.hstack([self.coordinates[rows, :width], rests[:, None]])

    def further(self, narrow: int, wide: int) -> Floats:
        """What takes a bound from one width to another: (n, wide - narrow + 2).

        ``left.further(n, w)`` with its last column negated, times ``right.further(n, w)``, is what the bound of width
        w has over that of width n: the coordinates between, the norms of the rest, and those of the rest before.
        """
        before, after = (self.rests[:, self.basis.widths.index(width)] for width in (narrow, wide))
        return np.hstack([self.coordinates[:, narrow:wide], after[:, None], before[:, None]])

    def take(self, rows: slice | NDArray[np.int64]) -> "Projected":
        """The same of these rows; of a slice without a copy."""
        return Projected(self.vectors[rows], self.basis, self.coordinates[rows], self.rests[rows], self.norms_sq[rows])


def fit_basis(sample: NDArray[np.floating]) -> Basis:
    """The principal directions of a sample (n, d), about the origin: products, not differences, are bounded.

    The better the sample the tighter the bound; it holds for all vectors, whatever the sample.
    """
    dim = sample.shape[1]
    widths = tuple(width for width in WIDTHS if width <= WIDEST_SHARE * dim)
    if not widths:
        return Basis(np.empty((dim, 0), dtype=np.float32), ())
    exact = sample.astype(np.float64)
    _, directions = eigh(exact.T @ exact, subset_by_index=[dim - widths[-1], dim - 1])
    return Basis(np.ascontiguousarray(directions[:, ::-1], dtype=np.float32), widths)


def project(vectors: NDArray[np.floating], basis: Basis) -> Projected:
    """Coordinates and norms of vectors (n, d), finite, of any length."""
    plain = np.ascontiguousarray(vectors, dtype=np.float32)
    norms_sq = np.empty(len(plain))
    coordinates = np.empty((len(plain), basis.directions.shape[1]), dtype=np.float32)
    rests = np.empty((len(plain), len(basis.widths)), dtype=np.float32)
    for start in range(0, len(plain), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        norms_sq[rows] = np.square(plain[rows].astype(np.float64)).sum(axis=1)
        np.matmul(plain[rows], basis.directions, out=coordinates[rows])
        rests[rows] = _rests(coordinates[rows], norms_sq[rows], basis)
    return Projected(plain, basis, coordinates, rests, norms_sq)


def _rests(coordinates: Floats, norms_sq: NDArray[np.float64], basis: Basis) -> Floats:
    rests = np.empty((len(coordinates), len(basis.widths)), dtype=np.float32)
    within, start = np.zeros(len(coordinates)), 0
    for place, width in enumerate(basis.widths):
        within += np.square(coordinates[:, start:width].astype(np.float64)).sum(axis=1)
        # A projection that is too long by the error of its coordinates would leave too little.
        rest_sq = norms_sq * (1 + 3 * _lost(basis.dim, width)) - within
        rests[:, place] = np.nextafter(np.sqrt(np.maximum(rest_sq, 0)).astype(np.float32), np.float32(np.inf))
        start = width
    return rests


def margin(dim: int, width: int) -> float:
    """By how much a float32 bound of ``width`` (``dim``: a plain product) may be below <a, b>, over |a| |b|.

    A bound may have been taken from width to width: every step adds two numbers below 1 that cancel out.

    Source: Higham 2002, section 3.1: an inner product of n numbers, added up in any order, is off by at most
    n u / (1 - n u) |a| |b|, u = 2^-24.
    """
    if width == dim:
        return 1.02 * (dim + 1) * _HALF_ULP
    n_steps = len(WIDTHS)
    return 3 * _lost(dim, width) + 1.02 * (1 + 2 * n_steps) * (width + 3 * n_steps) * _HALF_ULP


def _lost(dim: int, width: int) -> float:
    """The norm of the error of so many float32 coordinates, at most, over that of the vector."""
    return 1.01 * (dim + 2) * _HALF_ULP * float(np.sqrt(width))
