"""The assignment kernel in torch, for CUDA devices; on a CPU it computes the same and serves the tests.

As in ``nearest``, ``argmin |x - c|^2 = argmax (x - m) . (c - m) - |c - m|^2 / 2``: one matrix product a chunk of rows
and tile of centroids, with the bias in its epilogue, then the maximum of every row of the tile. Only that maximum and
its place are kept, so n x k is never stored. Here the vectors are shifted too, so that TF32 works far
from the origin.

The bits of a result depend on the shapes, the device's model and the libraries, on nothing else: chunks have sizes
that follow from the shapes (not from the memory that happens to be free), and nothing is added up by atomics.

Imports nothing but numpy and torch, so that it runs on a machine that has no more than those.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.kernels.torch_tensors import (
    Vectors,
    enough_memory,
    first_of_equals,
    matmul_precision,
    rows_per_chunk,
    to_device,
)


@dataclass(frozen=True)
class Tiling:
    """At most so many ``rows`` of vectors at a time, against so many ``centroids``: scores for one tile are stored."""

    rows: int
    centroids: int


CUDA_TILING = Tiling(rows=16384, centroids=4096)
CPU_TILING = Tiling(rows=512, centroids=2048)


@dataclass(frozen=True)
class TorchCentroids:
    """Centroids on their device, float32: ``centroids`` (k, d), ``shifted`` by their ``mean`` (d,), ``bias`` (k,).

    ``first`` (k,) int64 is the lowest index of an equal centroid, or None where no two are equal.
    """

    centroids: Tensor
    shifted: Tensor
    mean: Tensor
    bias: Tensor
    first: Tensor | None
    tiling: Tiling
    allow_tf32: bool

    @property
    def k(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    @property
    def dim(self) -> int:
        """Their length."""
        return self.centroids.shape[1]

    @property
    def device(self) -> torch.device:
        """Where they are, and where the vectors go."""
        return self.centroids.device


class TorchStats(NamedTuple):
    """Clusters with members: ``touched`` (m,) int64, sums (m, d) float64, counts (m,) int64, costs (m,) float64."""

    touched: NDArray[np.int64]
    sums: NDArray[np.float64]
    counts: NDArray[np.int64]
    costs: NDArray[np.float64]


def prepare(
    centroids: NDArray[np.float32] | Tensor,
    device: str = "cpu",
    *,
    tiling: Tiling | None = None,
    allow_tf32: bool = False,
) -> TorchCentroids:
    """Takes centroids to the device and shifts them by their mean.

    Args:
        centroids: (k, d) float32.
        device: as torch names it: ``cpu`` or ``cuda:0``.
        tiling: what is computed at a time; by default what suits the device.
        allow_tf32: let the matrix product round its factors to 11 bits: faster, and a vector about equally far from
            two centroids may go to the wrong one. Distances stay exact.

    Raises:
        InputError: the device's memory does not hold the centroids.
    """
    with enough_memory(f"{len(centroids)} centroids of {centroids.shape[1]} numbers"):
        placed = to_device(centroids, device).to(torch.float32)
        mean = placed.mean(dim=0, dtype=torch.float64).to(torch.float32)
        shifted = placed - mean
        bias = (-0.5 * shifted.square().sum(dim=1, dtype=torch.float64)).to(torch.float32)
        first = first_of_equals(placed)
    default = CUDA_TILING if placed.is_cuda else CPU_TILING
    return TorchCentroids(placed, shifted, mean, bias, first, tiling or default, allow_tf32)


def nearest(vectors: Vectors, prepared: TorchCentroids) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest centroid and the squared Euclidean distance to it.

    Args:
        vectors: (n, d) float32 or float16, an array or a tensor (best on the device: ``torch_tensors.resident``).
        prepared: what :func:`prepare` made of (k, d) centroids.

    Returns:
        Labels (n,) int64, the lowest index among equals, and squared distances (n,) float32, computed from the
        differences.

    Raises:
        InputError: the device's memory does not hold a chunk.
    """
    with matmul_precision(prepared.allow_tf32), enough_memory(_task(prepared)):
        labels = torch.empty(len(vectors), dtype=torch.int64, device=prepared.device)
        distances_sq = torch.empty(len(vectors), dtype=torch.float32, device=prepared.device)
        start = 0
        for chunk in _chunks(vectors, prepared):
            rows = slice(start, start + len(chunk))
            labels[rows], distances_sq[rows] = _assigned(chunk, prepared)
            start = rows.stop
        return labels.cpu().numpy(), distances_sq.cpu().numpy()


def block_stats(vectors: Vectors, prepared: TorchCentroids) -> TorchStats:
    """Assigns vectors (n, d) and sums them up by cluster, in float64, on the device."""
    return stats([vectors], prepared)


def stats(blocks: Iterable[Vectors], prepared: TorchCentroids) -> TorchStats:
    """The same for several blocks in one: only the sums of all, (k, d) at most, come back from the device.

    Raises:
        InputError: the device's memory does not hold the sums, (k, d) float64, or a chunk.
    """
    with matmul_precision(prepared.allow_tf32), enough_memory(_task(prepared)):
        totals = torch.zeros(prepared.k, prepared.dim + 1, dtype=torch.float64, device=prepared.device)
        counts = torch.zeros(prepared.k, dtype=torch.int64, device=prepared.device)
        for block in blocks:
            for chunk in _chunks(block, prepared):
                _add_chunk(chunk, _assigned(chunk, prepared), (totals, counts))
        touched = counts.nonzero()[:, 0]
        found = totals[touched].cpu().numpy()
        sums = np.ascontiguousarray(found[:, :-1])
        return TorchStats(touched.cpu().numpy(), sums, counts[touched].cpu().numpy(), found[:, -1].copy())


def _chunks(vectors: Vectors, prepared: TorchCentroids) -> Iterator[Tensor]:
    """Chunks (rows, d) float32 on the device."""
    rows = min(prepared.tiling.rows, rows_per_chunk(prepared.dim))
    for start in range(0, len(vectors), rows):
        yield to_device(vectors[start : start + rows], prepared.device).to(torch.float32)


def _assigned(chunk: Tensor, prepared: TorchCentroids) -> tuple[Tensor, Tensor]:
    """Labels (rows,) int64 and squared distances (rows,) float32, on the device."""
    labels = _best_centroids(chunk - prepared.mean, prepared)
    if prepared.first is not None:
        labels = prepared.first[labels]
    return labels, (chunk - prepared.centroids[labels]).square_().sum(dim=1)


def _best_centroids(shifted: Tensor, prepared: TorchCentroids) -> Tensor:
    """The place of the highest score of every row, the first among equals: so does ``max`` along one axis, by contract.

    A tile costs two launches, product and maximum; the best of all tiles is found once, at the end.
    """
    rows, width = len(shifted), min(prepared.k, prepared.tiling.centroids)
    starts = range(0, prepared.k, width)
    scores = torch.empty(rows * width, device=shifted.device)
    highest = torch.empty(len(starts), rows, device=shifted.device)
    places = torch.empty(len(starts), rows, dtype=torch.int64, device=shifted.device)
    for tile, start in enumerate(starts):
        part = slice(start, min(start + width, prepared.k))
        # A narrower last tile takes a contiguous part of the buffer: only then is the bias added by the product itself.
        target = scores[: rows * (part.stop - start)].view(rows, part.stop - start)
        torch.addmm(prepared.bias[part], shifted, prepared.shifted[part].T, out=target)
        torch.max(target, dim=1, out=(highest[tile], places[tile]))
    best = highest.max(dim=0, keepdim=True).indices
    return (places.gather(0, best) + best * width)[0]


def _add_chunk(chunk: Tensor, assigned: tuple[Tensor, Tensor], into: tuple[Tensor, Tensor]) -> None:
    """Adds sums and costs (k, d + 1), counts (k,) of a chunk: sorted by label, every segment summed in its order.

    Not ``index_add_``, whose atomics on CUDA add in another order, and so to other bits, every time.
    """
    labels, distances_sq = assigned
    totals, counts = into
    ascending, order = torch.sort(labels, stable=True)
    touched, lengths = torch.unique_consecutive(ascending, return_counts=True)
    rows = torch.empty(len(chunk), totals.shape[1], dtype=torch.float64, device=chunk.device)
    rows[:, :-1] = chunk[order]
    rows[:, -1] = distances_sq[order]
    totals[touched] += torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=True)
    counts[touched] += lengths


def _task(prepared: TorchCentroids) -> str:
    return f"an assignment to {prepared.k} centroids of {prepared.dim} numbers"
