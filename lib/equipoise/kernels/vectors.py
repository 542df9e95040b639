"""The small interface that the k-means loop sees, and its implementation on arrays.

Where the vectors live is somebody else's business: ``ArrayVectors`` here, ``SparkVectors`` in the pipeline.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import InputError
from equipoise.kernels.backends import Kernel, NumpyKernel
from equipoise.kernels.candidates import ArrayCandidates, Candidates
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.nearest import Floats
from equipoise.kernels.statistics import ROWS_PER_BLOCK, ClusterStats, add_up
from equipoise.kernels.threads import ordered_map

Ids = NDArray[np.int64]
Result = TypeVar("Result")
NUMPY = NumpyKernel()
LARGEST_NORM = 2.0**62


class Vectors(Protocol):
    """Vectors with ids, somewhere. A context manager: leaving it frees what it holds."""

    @property
    def count(self) -> int:
        """Number of vectors."""

    @property
    def dim(self) -> int:
        """Their length."""

    def sample(self, n: int, *, seed: int) -> Floats:
        """``n`` vectors (n, d), uniform, without replacement, in the order of their ids."""

    def candidates(self) -> Candidates:
        """Candidates for centroids, none so far."""

    def assign(self, centroids: Floats) -> ClusterStats:
        """Sums, counts and costs of the clusters around ``centroids`` (k, d)."""

    def farthest(self, centroids: Floats, clusters: Ids) -> Floats:
        """The member of each of ``clusters`` that lies farthest from its centroid: (len(clusters), d)."""

    def closest(self, centroids: Floats, r: int) -> "Vectors":
        """The ``r`` members of every cluster that lie closest to its centroid (all where there are fewer)."""

    def assignments(self, centroids: Floats) -> Any:
        """Item id, label and squared distance of every vector, where the vectors are: arrays or a DataFrame."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...


class Assignments(NamedTuple):
    """Where every item belongs: ``distances_sq`` are squared Euclidean."""

    item_ids: Ids
    labels: Ids
    distances_sq: Floats


class ArrayVectors:
    """Vectors in memory. Blocks of fixed size on all cores, added up in order: the same bits on any machine size."""

    def __init__(self, vectors: ArrayLike, item_ids: ArrayLike | None = None, *, kernel: Kernel = NUMPY) -> None:
        """Takes vectors (n, d), kept as float32 in the order of their ids (0 to n - 1 where none are given).

        ``kernel`` assigns: numpy on all cores, or another that takes all vectors at once, on the GPU where it has one.

        Raises:
            InputError: the array is not two-dimensional, is empty, or holds what :func:`check_numbers` refuses.
        """
        array = np.asarray(vectors, dtype=np.float32)
        if array.ndim != 2 or array.size == 0:
            raise InputError(f"vectors have the shape {array.shape}; k-means needs (n, d) with at least one of each")
        ids = np.arange(len(array)) if item_ids is None else np.asarray(item_ids, dtype=np.int64)
        if ids.shape != (len(array),):
            raise InputError(f"{len(array)} vectors came with item ids of the shape {ids.shape}; give one id a vector")
        check_numbers(array, ids)
        if (np.diff(ids) < 0).any():
            order = np.argsort(ids, kind="stable")
            array, ids = array[order], ids[order]
        self.vectors, self.item_ids, self.kernel = np.ascontiguousarray(array), ids, kernel
        self._resident: Any = None

    @property
    def count(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.vectors.shape[1])

    def sample(self, n: int, *, seed: int) -> Floats:
        """``n`` vectors, uniform, without replacement, in the order of their ids."""
        return self.vectors[np.sort(smallest_draws(self.item_ids, n, seed=seed))]

    def candidates(self) -> ArrayCandidates:
        """Candidates for centroids, none so far."""
        return ArrayCandidates(self)

    def assign(self, centroids: Floats) -> ClusterStats:
        """Sums, counts and costs of the clusters around ``centroids`` (k, d)."""
        prepared = self.kernel.prepare(centroids)
        partials = self._mapped(lambda block: self.kernel.block_stats(block, prepared))
        return add_up(partials, k=prepared.k, dim=self.dim)

    def farthest(self, centroids: Floats, clusters: Ids) -> Floats:
        """The member of each of ``clusters`` that lies farthest from its centroid."""
        _, labels, distances_sq = self.assignments(centroids)
        return self.vectors[farthest_members(labels, distances_sq, clusters)]

    def closest(self, centroids: Floats, r: int) -> "ArrayVectors":
        """The ``r`` members of every cluster that lie closest to its centroid."""
        _, labels, distances_sq = self.assignments(centroids)
        order = np.lexsort((self.item_ids, distances_sq, labels))
        chosen = np.sort(order[_ranks(labels[order]) < r])
        return ArrayVectors(self.vectors[chosen], self.item_ids[chosen], kernel=self.kernel)

    def assignments(self, centroids: Floats) -> Assignments:
        """Item id, label and squared distance of every vector."""
        prepared = self.kernel.prepare(centroids)
        parts = list(self._mapped(lambda block: self.kernel.nearest(block, prepared)))
        labels, distances_sq = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Assignments(self.item_ids, labels, distances_sq)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Frees what the kernel holds."""
        self._resident = None

    def _mapped(self, function: Callable[[Any], Result]) -> Iterator[Result]:
        """Blocks on all cores for numpy; all vectors, kept where it works, for a kernel with its own threads."""
        if self.kernel.backend == "numpy":
            starts = range(0, self.count, ROWS_PER_BLOCK)
            return ordered_map(function, [self.vectors[start : start + ROWS_PER_BLOCK] for start in starts])
        if self._resident is None:
            self._resident = self.kernel.resident(self.vectors)
        return iter([function(self._resident)])


def largest_value(dim: int) -> float:
    """How large a number of a vector (dim,) may be, so that squares, products and distances stay finite in float32.

    Two vectors of norms up to 2^62 are at most 2^63 apart, and 2^126 is below the largest float32, 2^128.
    """
    return float(LARGEST_NORM / np.sqrt(max(1, dim)))


def check_numbers(vectors: NDArray[np.floating], item_ids: Ids) -> None:
    """Checks that the vectors (n, d) of these items (n,) can be squared and added up in float32.

    Raises:
        InputError: one holds NaN or infinity, or a number beyond :func:`largest_value`; names the first such item.
    """
    if not vectors.size:
        return
    with np.errstate(invalid="ignore"):  # NaN goes through, and is told below
        largest = np.maximum(vectors.max(axis=1), -vectors.min(axis=1))
    finite, limit = np.isfinite(largest), largest_value(vectors.shape[1])
    if not finite.all():
        raise InputError(f"the vector of item {item_ids[~finite][0]} is not finite; leave such items out")
    too_large = np.flatnonzero(largest > limit)
    if len(too_large):
        raise InputError(
            f"the vector of item {item_ids[too_large[0]]} holds {largest[too_large[0]]:.3g}, too large to square in "
            f"float32 (at most {limit:.3g}): leave such items out, or scale the vectors"
        )


def unit_length(vectors: NDArray[np.floating]) -> Floats:
    """The rows (n, d) divided by their L2 norms, as float32; zero rows stay zero."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    return (vectors / np.where(norms == 0, 1, norms)).astype(np.float32)


def smallest_draws(item_ids: Ids, n: int, *, seed: int) -> Ids:
    """Positions of the ``n`` items with the smallest draws: the same items however they are spread."""
    return np.lexsort((item_ids, draws(seed, Purpose.SAMPLE, item_ids)))[:n]


def farthest_members(labels: Ids, distances_sq: Floats, clusters: Ids) -> Ids:
    """Positions of the farthest member of each of ``clusters``, all of which have members; the first among equals."""
    order = np.lexsort((-distances_sq, labels))
    return order[np.searchsorted(labels[order], clusters)]


def _ranks(sorted_labels: Ids) -> Ids:
    """The rank of every row among the rows of its label, from 0; ``sorted_labels`` ascend."""
    starts = np.flatnonzero(np.diff(sorted_labels, prepend=sorted_labels[0] - 1))
    return np.arange(len(sorted_labels)) - np.repeat(starts, np.diff(starts, append=len(sorted_labels)))
