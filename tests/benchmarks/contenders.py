"""The contenders of bench_kmeans.py: one Lloyd iteration of each, on the same vectors and cores."""

import math
import os
import time
from collections.abc import Callable
from statistics import median

import faiss
import numpy as np

from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.vectors import Vectors
from equipoise.planning.machines import GIB, Machine, calibrated
from equipoise.planning.passes import Assignment, pass_seconds

SIZES = {"A": (200_000, 256, 1000), "B": (100_000, 768, 2000), "C": (1_000_000, 64, 1000), "D": (100_000, 256, 8192)}


def mixture(n: int, dim: int, *, seed: int = 0, n_blobs: int = 500) -> np.ndarray:
    """Gaussians of unit variance with long-tailed weights (power law, exponent 1): (n, dim) float32."""
    generator = np.random.default_rng(seed)
    weights = 1 / np.arange(1, n_blobs + 1)
    blobs = generator.choice(n_blobs, size=n, p=weights / weights.sum())
    centres = generator.normal(scale=2, size=(n_blobs, dim)).astype(np.float32)
    return centres[blobs] + generator.normal(size=(n, dim)).astype(np.float32)


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def ours(vectors: Vectors, centroids: np.ndarray) -> Callable[[], object]:
    """One iteration of our loop."""
    return lambda: list(lloyd(vectors, Iteration(0, centroids, float("inf")), iterations=1))


def faiss_iteration(data: np.ndarray, centroids: np.ndarray) -> float:
    """Seconds of one iteration of faiss, without its set-up, on all points (it samples 256 a centroid by itself)."""
    k, dim = centroids.shape
    kmeans = faiss.Kmeans(dim, k, niter=1, max_points_per_centroid=len(data), min_points_per_centroid=1)
    kmeans.train(data, init_centroids=centroids)
    return kmeans.iteration_stats[0]["time"]


def scikit_iteration(data: np.ndarray, centroids: np.ndarray) -> float:
    """Seconds of one Lloyd iteration of scikit-learn: what two more iterations cost, halved."""
    from sklearn.cluster import KMeans

    def fit(iterations: int) -> float:
        kmeans = KMeans(len(centroids), init=centroids, n_init=1, max_iter=iterations, tol=0, algorithm="lloyd")
        return seconds(lambda: kmeans.fit(data))

    return (fit(3) - fit(1)) / 2


def planned_seconds(work: Assignment) -> float:
    """What the plan expects of one iteration on this machine; the sizes of its memory play no part here."""
    cores = os.cpu_count() or 1
    machine = Machine(
        executors=1, cores=cores, memory_bytes=16 * GIB, heap_bytes=6 * GIB, driver_memory_bytes=10 * GIB,
        network_bytes_per_second=math.inf, max_result_bytes=2 * GIB,
    )  # fmt: skip
    return pass_seconds(work, calibrated(machine, dim=work.dim, k=work.k)).total


def interleaved(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, round by round."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            times[name].append(contender())
    return times


def ratio(mine: list[float], theirs: list[float]) -> float:
    """The median of the ratios within a round."""
    return median(one / other for one, other in zip(mine, theirs, strict=True))
