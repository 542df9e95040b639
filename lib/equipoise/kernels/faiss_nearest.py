"""The assignment kernel in faiss: a flat index of the centroids, on a GPU where the installed build has that.

Vectors and centroids are shifted by the centroids' mean, as in the other backends: faiss computes distances from
norms and products, which lose what decides where the data are far from the origin.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from equipoise.kernels.nearest import Floats, first_of_equals

ROWS_PER_CHUNK = 16384


@dataclass(frozen=True)
class FaissCentroids:
    """The index of the shifted centroids; ``first`` (k,) int64: the lowest index of an equal centroid."""

    centroids: Floats
    mean: Floats
    first: NDArray[np.int64]
    index: Any

    @property
    def k(self) -> int:
        """Number of centroids."""
        return len(self.centroids)

    @property
    def dim(self) -> int:
        """Their length."""
        return int(self.centroids.shape[1])


def n_gpus() -> int:
    """How many GPUs this build of faiss can use: 0 for faiss-cpu."""
    return int(faiss.get_num_gpus()) if hasattr(faiss, "StandardGpuResources") else 0


def prepare(centroids: Floats, gpu: int | None = None) -> FaissCentroids:
    """Builds the index.

    Args:
        centroids: (k, d) float32.
        gpu: number of the device; None for the CPU.
    """
    exact = np.ascontiguousarray(centroids, dtype=np.float32)
    mean = exact.mean(axis=0, dtype=np.float64).astype(np.float32)
    index = _empty_index(exact.shape[1], gpu)
    index.add(exact - mean)
    return FaissCentroids(exact, mean, first_of_equals(exact), index)


def nearest(vectors: NDArray[np.floating[Any]], prepared: FaissCentroids) -> tuple[NDArray[np.int64], Floats]:
    """The nearest centroid and the squared Euclidean distance to it.

    Args:
        vectors: (n, d) float32 or float16.
        prepared: what :func:`prepare` made of (k, d) centroids.

    Returns:
        Labels (n,) int64, the lowest index among equals, and squared distances (n,) float32, computed from the
        differences and not as faiss gives them.
    """
    labels = np.empty(len(vectors), dtype=np.int64)
    distances_sq = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), ROWS_PER_CHUNK):
        rows = slice(start, min(start + ROWS_PER_CHUNK, len(vectors)))
        chunk = vectors[rows].astype(np.float32)
        found = prepared.index.search(chunk - prepared.mean, 1)[1][:, 0]
        best = prepared.first[np.maximum(found, 0)]  # -1: not a number; its distance says so
        difference = chunk - prepared.centroids[best]
        labels[rows] = best
        np.einsum("ij,ij->i", difference, difference, out=distances_sq[rows])
    return labels, distances_sq


def _empty_index(dim: int, gpu: int | None) -> Any:
    if gpu is None:
        return faiss.IndexFlatL2(dim)
    config = faiss.GpuIndexFlatConfig()
    config.device = gpu
    return faiss.GpuIndexFlatL2(_gpu_resources(gpu), dim, config)


@cache
def _gpu_resources(gpu: int) -> Any:
    """Scratch memory on a device: gigabytes, so once a process and not once an index."""
    return faiss.StandardGpuResources()
