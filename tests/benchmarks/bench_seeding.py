"""First centroids beside scikit-learn's greedy k-means++ and random ones, on Gaussians of power-law sizes.

    python tests/benchmarks/bench_seeding.py [--sizes small large]

small: 200,000 vectors of 64 numbers around 5,000 means, k = 5,000: the objective after ten iterations, beside greedy
k-means++ on the same vectors. large: a million of 64 around 50,000, k = 50,000, on Spark: what seeding takes beside an
iteration, and how many of the means have a centroid that is nearer to them than to any other. Bounds stand beside what
they bound; the exit code is 1 where one is not kept.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from contenders import ours, seconds
from rich.console import Console
from rich.table import Table
from sklearn.cluster import kmeans_plusplus

from equipoise import get_session
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.seeding import seed_centroids
from equipoise.kernels.vectors import ArrayVectors, Vectors
from equipoise.pipeline.spark_vectors import SparkVectors

DIM, SPREAD, SEED = 64, 6.0, 1
SIZES = {"small": (200_000, 5_000), "large": (1_000_000, 50_000)}
ITERATIONS = 10
OBJECTIVE_BOUND, TIME_BOUND, FOUND_BOUND = 1.01, 3.0, 0.95


@dataclass
class Seeded:
    """What came of some seeds: ``found`` is the share of the means that have a centroid of their own."""

    name: str
    seconds: float
    objective: float
    found: float


def power_law(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, d) around ``k`` means far apart, the i-th with about 1 / i of the largest, none empty; the means."""
    random = np.random.default_rng(0)
    weights = 1 / np.arange(1, k + 1)
    members = np.concatenate([np.arange(k), random.choice(k, n - k, p=weights / weights.sum())])
    means = (SPREAD * random.normal(size=(k, DIM))).astype(np.float32)
    return means[members] + random.normal(size=(n, DIM)).astype(np.float32), means


def seeded(name: str, vectors: Vectors, means: np.ndarray, make: Callable[[], np.ndarray], n_iterations: int) -> Seeded:
    """Times the seeds, iterates from them, and looks which means have a centroid."""
    made: list[np.ndarray] = []
    took = seconds(lambda: made.append(make()))
    last = Iteration(0, made[0], float("inf"))
    for iterated in lloyd(vectors, last, iterations=n_iterations, tolerance=0.0, spherical=False):
        last = iterated
    nearest_mean = ArrayVectors(last.centroids).assignments(means).labels
    return Seeded(name, took, last.objective, len(np.unique(nearest_mean)) / len(means))


def small() -> tuple[list[Seeded], float, list[bool]]:
    """On arrays, beside scikit-learn; an iteration's seconds; which bounds are kept."""
    n, k = SIZES["small"]
    data, means = power_law(n, k)
    vectors = ArrayVectors(data)
    rows = [
        seeded("equipoise", vectors, means, lambda: ours_of(vectors, k), ITERATIONS),
        seeded(
            "scikit-learn, greedy", vectors, means, lambda: kmeans_plusplus(data, k, random_state=SEED)[0], ITERATIONS
        ),
        seeded("random", vectors, means, lambda: seed_centroids(vectors, k, method="random", seed=SEED), ITERATIONS),
    ]
    return rows, seconds(ours(vectors, means)), [rows[0].objective <= OBJECTIVE_BOUND * rows[1].objective]


def large(found_by_greedy: float) -> tuple[list[Seeded], float, list[bool]]:
    """On Spark, two iterations from the seeds; greedy k-means++ takes too long here."""
    n, k = SIZES["large"]
    data, means = power_law(n, k)
    with SparkVectors.from_arrays(get_session({"spark.driver.memory": "8g"}), data, np.arange(n)) as vectors:
        iteration = seconds(ours(vectors, means))
        rows = [
            seeded("equipoise", vectors, means, lambda: ours_of(vectors, k), 2),
            seeded("random", vectors, means, lambda: seed_centroids(vectors, k, method="random", seed=SEED), 2),
        ]
    kept = [rows[0].seconds <= TIME_BOUND * iteration, rows[0].found >= FOUND_BOUND * found_by_greedy]
    return rows, iteration, kept


def ours_of(vectors: Vectors, k: int) -> np.ndarray:
    """Seeds by default."""
    return seed_centroids(vectors, k, method="kmeans++", seed=SEED)


def main() -> int:
    """Prints a table a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--found-by-greedy", type=float, default=1.0, help="where small is not measured")
    options = parser.parse_args()
    found, kept = options.found_by_greedy, []
    for size in options.sizes:
        rows, iteration, bounds = small() if size == "small" else large(found)
        found = rows[1].found if size == "small" else found
        kept += bounds
        n, k = SIZES[size]
        table = Table(
            "seeds", "seconds", "in iterations", "objective", "means found", title=f"{n:,} x {DIM}, k = {k:,}"
        )
        for row in rows:
            parts = (f"{row.seconds:.1f}", f"{row.seconds / iteration:.2f}", f"{row.objective:.4g}", f"{row.found:.1%}")
            table.add_row(row.name, *parts)
        Console().print(table, f"an iteration: {iteration:.1f} s; bounds kept: {bounds}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
