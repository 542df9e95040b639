"""What the torch kernel needs beside its arithmetic: copies to the device, equal rows, memory and precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.errors import InputError

Vectors = NDArray[np.floating[Any]] | Tensor
NUMBERS_PER_CHUNK = 2**24
"""Bounds what a chunk takes (64 MiB in float32) by the shape alone: free memory would differ from run to run."""


def rows_per_chunk(dim: int) -> int:
    """How many vectors of this length are taken at a time, at most."""
    return max(NUMBERS_PER_CHUNK // dim, 1)


def to_device(vectors: Vectors, device: str | torch.device) -> Tensor:
    """Vectors (n, d) on the device: float16 stays float16, other arrays become float32.

    Arrays go through page-locked memory, from which the device copies while the CPU goes on.
    """
    if isinstance(vectors, Tensor):
        return vectors.to(device)
    staged = torch.empty(vectors.shape, dtype=_kind(vectors), pin_memory=torch.device(device).type == "cuda")
    staged.numpy()[...] = vectors
    return staged.to(device, non_blocking=True)


def resident(vectors: NDArray[np.floating[Any]], device: str | torch.device) -> Tensor:
    """Vectors (n, d) of any number on the device, for many assignments: copied in chunks, so little memory is locked.

    Raises:
        InputError: the device's memory does not hold them.
    """
    n, dim = vectors.shape
    with enough_memory(f"{n} vectors of {dim} numbers"):
        placed = torch.empty(n, dim, dtype=_kind(vectors), device=device)
        for rows in _slices(placed):
            placed[rows] = to_device(vectors[rows], device)
        return placed


def first_of_equals(centroids: Tensor) -> Tensor | None:
    """The lowest index of a row equal to each, (k,) int64, or None where no two of (k, d) float32 are equal.

    Equal rows could get unequal scores in two tiles, so ties between them are settled here. They are found by a hash of
    their bits, a sum of integers, the same in any order of addition; what has the same hash is then compared.
    """
    hashes = _hashes(centroids)
    ascending, order = torch.sort(hashes, stable=True)
    _, group, sizes = torch.unique_consecutive(ascending, return_inverse=True, return_counts=True)
    if len(sizes) == len(centroids):
        return None
    first = torch.empty_like(order)
    first[order] = order[(sizes.cumsum(0) - sizes)[group]]
    own = torch.arange(len(centroids), device=centroids.device)
    for rows in _slices(centroids):
        is_equal = (centroids[rows] == centroids[first[rows]]).all(dim=1)
        first[rows] = torch.where(is_equal, first[rows], own[rows])
    return first


@contextmanager
def enough_memory(task: str) -> Iterator[None]:
    """Turns torch's report of a full device into one that says what ``task`` filled it.

    Raises:
        InputError: the device's memory is full.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise InputError(
            f"the GPU's memory does not hold {task} ({str(error).splitlines()[0]}): ask for a smaller k or for splits, "
            "let fewer tasks share a GPU, or compute on the CPU (backend: numpy)"
        ) from error


@contextmanager
def matmul_precision(allow_tf32: bool) -> Iterator[None]:
    """Says for this task alone whether TF32 may be used: other code in the process may want it otherwise."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if allow_tf32 else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _kind(vectors: NDArray[np.floating[Any]]) -> torch.dtype:
    return torch.float16 if vectors.dtype == np.float16 else torch.float32


def _slices(rows: Tensor) -> Iterator[slice]:
    step = rows_per_chunk(rows.shape[1])
    return (slice(start, start + step) for start in range(0, len(rows), step))


def _hashes(centroids: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    factors = torch.randint(-(2**62), 2**62, (centroids.shape[1],), generator=generator).to(centroids.device)
    hashes = torch.empty(len(centroids), dtype=torch.int64, device=centroids.device)
    for rows in _slices(centroids):
        bits = (centroids[rows] + 0.0).view(torch.int32)  # -0.0 equals 0.0: adding makes it that
        hashes[rows] = (bits * factors).sum(dim=1)
    return hashes
