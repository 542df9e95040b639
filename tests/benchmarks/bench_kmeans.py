"""One Lloyd iteration on Spark, on arrays, in faiss and in scikit-learn, side by side on the same cores.

    python tests/benchmarks/bench_kmeans.py [--sizes A B ...] [--rounds 5] [--json FILE]

The contenders take turns, round by round, so that a machine that is busy for a while is busy for all; what is
compared is the median of the ratios within a round. Set-up (Spark, packing, caching) is printed beside, not counted.
Beside it stands what `equipoise plan` expects of an iteration on Spark, by a rate measured just before.
"""

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median

import faiss
import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from equipoise import __version__, get_session
from equipoise.kernels.lloyd import Step, lloyd
from equipoise.kernels.machines import GIB, Machine, calibrated
from equipoise.kernels.passes import Assignment, pass_seconds
from equipoise.kernels.vectors import ArrayVectors, Vectors
from equipoise.pipeline.spark_vectors import SparkVectors

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
    return lambda: list(lloyd(vectors, Step(0, centroids, float("inf")), iterations=1))


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


def measure(name: str, rounds: int) -> dict[str, object]:
    """Medians of all contenders at one size, and their ratios to faiss."""
    n, dim, k = SIZES[name]
    data = mixture(n, dim)
    centroids = data[np.random.default_rng(1).choice(n, k, replace=False)]
    arrays = ArrayVectors(data)
    began = time.perf_counter()
    with SparkVectors.from_arrays(get_session(), data, np.arange(n)) as vectors:
        on_spark, on_arrays = ours(vectors, centroids), ours(arrays, centroids)
        on_spark()
        set_up = time.perf_counter() - began
        times: dict[str, list[float]] = {"spark": [], "arrays": [], "faiss": [], "scikit-learn": []}
        for _ in range(rounds):
            times["faiss"].append(faiss_iteration(data, centroids))
            times["spark"].append(seconds(on_spark))
            times["arrays"].append(seconds(on_arrays))
            times["scikit-learn"].append(scikit_iteration(data, centroids))
        n_partitions = vectors.n_partitions
        planned = planned_seconds(Assignment(n, k, dim, n_partitions, bytes_per_vector=4 * dim + 8))
    ratios = {
        other: median(mine / theirs for mine, theirs in zip(values, times["faiss"], strict=True))
        for other, values in times.items()
    }
    return {
        "size": name, "n": n, "dim": dim, "k": k, "n_partitions": n_partitions, "set_up_seconds": set_up,
        "seconds": {other: median(values) for other, values in times.items()}, "ratio_to_faiss": ratios,
        "planned_seconds": planned, "ratio_of_plan": planned / median(times["spark"]),
    }  # fmt: skip


def show(results: list[dict]) -> None:
    """One row a size."""
    against = [f"{other} / faiss" for other in ("spark", "arrays", "scikit-learn")]
    table = Table("size", "n", "d", "k", "partitions", "set-up s", "faiss s", *against, "plan / spark")
    for row in results:
        ratios = row["ratio_to_faiss"]
        table.add_row(
            row["size"], f"{row['n']:,}", str(row["dim"]), f"{row['k']:,}", str(row["n_partitions"]),
            f"{row['set_up_seconds']:.1f}", f"{row['seconds']['faiss']:.2f}",
            *(f"{ratios[other]:.2f}" for other in ("spark", "arrays", "scikit-learn")),
            f"{row['ratio_of_plan']:.2f}",
        )  # fmt: skip
    Console(width=140).print(table)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench_kmeans.json"))
    options = parser.parse_args()
    with threadpool_limits(os.cpu_count()):
        faiss.omp_set_num_threads(os.cpu_count())
        results = [measure(name, options.rounds) for name in options.sizes]
    show(results)
    machine = {"date": str(date.today()), "cores": os.cpu_count(), "processor": platform.machine()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"version": __version__, **machine, "results": results}, indent=2))


if __name__ == "__main__":
    main()
