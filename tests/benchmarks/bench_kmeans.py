"""k-means on Spark and on arrays beside faiss, scikit-learn and Spark's MLlib, on the same cores.

    python tests/benchmarks/bench_kmeans.py [--sizes A B ...] [--rounds 5] [--only iterations mllib seeding simulation]

One Lloyd iteration at four sizes; one of MLlib at size A; seeding at size A; the papers' 2-D simulation.

The contenders take turns, round by round, so that a machine that is busy for a while is busy for all; what is
compared is the median of the ratios within a round. Set-up (Spark, packing, caching) is printed beside, not counted.
Beside it stands what `equipoise plan` expects of an iteration on Spark, by a rate measured just before. Bounds stand
beside what they bound; the exit code is 1 where one is not kept.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import faiss
import numpy as np
from contenders import (
    SIZES,
    faiss_iteration,
    interleaved,
    mixture,
    ours,
    planned_seconds,
    ratio,
    scikit_iteration,
    seconds,
)
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from equipoise import Level, __version__, fit_hierarchy, get_session
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.seeding import seed_centroids
from equipoise.kernels.vectors import ArrayVectors
from equipoise.papers.simulation import kl_to_uniform, simulation_points
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.planning.passes import Assignment

BOUNDS: dict[str, dict[str, float]] = {
    "spark / faiss": {"A": 1.4, "B": 1.2, "C": 1.2, "D": 1.1},
    "arrays / best": {"A": 1.3, "B": 1.1, "C": 1.1},
}
MLLIB_BOUND, SEEDING_BOUND, OBJECTIVE_BOUND, SIMULATION_BOUND, KL_BOUND = 0.25, 0.25, 1.01, 8.0, 0.06
TIE = 1e-5
"""Two centroids are as close, in float32, where their squared distances differ by this share of the vector's length."""
WARM_UP = 10
"""Iterations before the first that counts: the JVM compiles what it runs often, and a k-means takes some fifty."""


def measure(name: str, rounds: int) -> dict[str, object]:
    """Medians of all contenders at one size, and their ratios to faiss."""
    n, dim, k = SIZES[name]
    data = mixture(n, dim)
    centroids = data[np.random.default_rng(1).choice(n, k, replace=False)]
    arrays = ArrayVectors(data)
    began = time.perf_counter()
    with SparkVectors.from_arrays(get_session(), data, np.arange(n)) as vectors:
        on_spark, on_arrays = ours(vectors, centroids), ours(arrays, centroids)
        for _ in range(WARM_UP):
            on_spark()
        set_up = time.perf_counter() - began
        contenders: dict[str, Callable[[], float]] = {
            "faiss": lambda: faiss_iteration(data, centroids),
            "spark": lambda: seconds(on_spark),
            "arrays": lambda: seconds(on_arrays),
            "scikit-learn": lambda: scikit_iteration(data, centroids),
        }
        times = interleaved(contenders, rounds)
        n_partitions = vectors.n_partitions
        planned = planned_seconds(Assignment(n, k, dim, n_partitions, bytes_per_vector=4 * dim + 8))
    best = [min(pair) for pair in zip(times["faiss"], times["scikit-learn"], strict=True)]
    return {
        "labels_that_differ": labels_that_differ(arrays, centroids),
        "size": name, "n": n, "dim": dim, "k": k, "n_partitions": n_partitions, "set_up_seconds": set_up,
        "seconds": {other: median(values) for other, values in times.items()},
        "ratio_to_faiss": {other: ratio(values, times["faiss"]) for other, values in times.items()},
        "arrays_to_best": ratio(times["arrays"], best),
        "planned_seconds": planned, "ratio_of_plan": planned / median(times["spark"]),
    }  # fmt: skip


def labels_that_differ(arrays: ArrayVectors, centroids: np.ndarray) -> int:
    """Vectors whose cluster is not faiss', although their two distances are no tie."""
    _, labels, distances_sq = arrays.assignments(centroids)
    index = faiss.IndexFlatL2(arrays.dim)
    index.add(centroids)
    theirs_sq, theirs = (found[:, 0] for found in index.search(arrays.vectors, 1))
    scale = np.einsum("nd,nd->n", arrays.vectors, arrays.vectors)
    return int(((labels != theirs) & (np.abs(distances_sq - theirs_sq) > TIE * scale)).sum())


def against_mllib(rounds: int) -> dict[str, object]:
    """One iteration at size A, of ours and of MLlib's block solver: the difference of fits of 1 and of 3 iterations."""
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.functions import array_to_vector

    n, dim, k = SIZES["A"]
    data = mixture(n, dim)
    spark = get_session()
    embeddings = vectors_frame(spark, np.arange(n), data)
    rows = embeddings.select(array_to_vector("embedding").alias("features")).repartition(4).persist()
    rows.count()

    def fit(iterations: int) -> float:
        kmeans = KMeans(k=k, maxIter=iterations, tol=0.0, initMode="random", seed=0, solver="block")
        return seconds(lambda: kmeans.fit(rows))

    fit(1)
    with SparkVectors.from_arrays(spark, data, np.arange(n)) as vectors:
        start = Iteration(0, data[:k].copy(), float("inf"))

        def lloyd_fit(iterations: int) -> float:
            return seconds(lambda: list(lloyd(vectors, start, iterations=iterations)))

        lloyd_fit(WARM_UP)
        contenders = {
            "mllib": lambda: (fit(3) - fit(1)) / 2,
            "spark": lambda: (lloyd_fit(3) - lloyd_fit(1)) / 2,
        }
        times = interleaved(contenders, rounds)
    rows.unpersist()
    return {
        "seconds": {name: median(found) for name, found in times.items()},
        "ratio": ratio(times["spark"], times["mllib"]),
    }


def against_seeding(rounds: int) -> dict[str, object]:
    """Seeding at size A beside scikit-learn's greedy k-means++ on all vectors; the objectives after ten iterations."""
    from sklearn.cluster import kmeans_plusplus

    n, dim, k = SIZES["A"]
    data = mixture(n, dim)
    arrays = ArrayVectors(data)
    makers = {
        "scikit-learn, all": lambda seed: kmeans_plusplus(data, k, random_state=seed)[0],
        **{name: partial(seed_with, arrays, k, name) for name in ("kmeans++", "kmeans||", "random")},
    }
    times: dict[str, list[float]] = {name: [] for name in makers}
    objectives: dict[str, list[float]] = {name: [] for name in makers}
    for seed in range(rounds):
        for name, maker in makers.items():
            began = time.perf_counter()
            centroids = np.ascontiguousarray(maker(seed))
            times[name].append(time.perf_counter() - began)
            steps = lloyd(arrays, Iteration(0, centroids, float("inf")), iterations=10)
            objectives[name].append(list(steps)[-1].objective)
    reference = "scikit-learn, all"
    return {
        "seconds": {name: median(found) for name, found in times.items()},
        "ratio": {name: ratio(found, times[reference]) for name, found in times.items()},
        "objective": {name: fmean(found) / fmean(objectives[reference]) for name, found in objectives.items()},
    }


def seed_with(arrays: ArrayVectors, k: int, method: str, seed: int) -> np.ndarray:
    """First centroids by one of our methods."""
    return seed_centroids(arrays, k, method=method, seed=seed)


def simulation(rounds: int) -> dict[str, object]:
    """The 2-D simulation of Vo et al., three levels with resampling, on arrays: seconds and divergence by seed."""
    levels = [Level(k, rounds=10, points=2) for k in (3000, 1000, 300)]
    found = []
    for seed in range(rounds):
        points = simulation_points(seed)
        began = time.perf_counter()
        centroids = fit_hierarchy(points, levels, seed=seed).levels[-1].centroids
        found.append((time.perf_counter() - began, kl_to_uniform(centroids)))
    return {"seconds": median(took for took, _ in found), "kl": fmean(kl for _, kl in found)}


def show(results: list[dict[str, Any]], console: Console) -> bool:
    """One row a size; whether all bounds are kept."""
    against = [f"{other} / faiss" for other in ("spark", "arrays", "scikit-learn")]
    headings = ("size", "n", "d", "k", "partitions", "set-up s", "faiss s", *against, "arrays / best")
    table, are_kept = Table(*headings, "other labels", "plan / spark"), True
    for row in results:
        ratios = row["ratio_to_faiss"]
        bounded = {"spark / faiss": ratios["spark"], "arrays / best": row["arrays_to_best"]}
        bounds = {name: BOUNDS[name].get(row["size"]) for name in bounded}
        shown = {name: f"{found:.2f}" + _told(bounds[name]) for name, found in bounded.items()}
        are_kept &= all(bound is None or bounded[name] <= bound for name, bound in bounds.items())
        are_kept &= row["labels_that_differ"] == 0
        table.add_row(
            row["size"], f"{row['n']:,}", str(row["dim"]), f"{row['k']:,}", str(row["n_partitions"]),
            f"{row['set_up_seconds']:.1f}", f"{row['seconds']['faiss']:.2f}", shown["spark / faiss"],
            f"{ratios['arrays']:.2f}", f"{ratios['scikit-learn']:.2f}", shown["arrays / best"],
            str(row["labels_that_differ"]), f"{row['ratio_of_plan']:.2f}",
        )  # fmt: skip
    console.print(table)
    return are_kept


def _told(bound: float | None) -> str:
    return "" if bound is None else f" ({bound})"


def show_others(found: dict[str, Any], console: Console) -> bool:
    """What was compared at size A alone, and the simulation; whether all bounds are kept."""
    are_kept = True
    if "mllib" in found:
        took, share = found["mllib"]["seconds"]["mllib"], found["mllib"]["ratio"]
        console.print(f"size A, spark / MLlib: {share:.3f} ({MLLIB_BOUND}; MLlib {took:.2f} s an iteration)")
        are_kept &= share <= MLLIB_BOUND
    for name, share in found.get("seeding", {}).get("ratio", {}).items():
        objective, took = (found["seeding"][key][name] for key in ("objective", "seconds"))
        console.print(
            f"size A, seeding {name}: {took:.2f} s, ratio {share:.3f} ({SEEDING_BOUND}), "
            f"objective after 10: {objective:.4f} ({OBJECTIVE_BOUND})"
        )
        are_kept &= name != "kmeans++" or (share <= SEEDING_BOUND and objective <= OBJECTIVE_BOUND)
    if "simulation" in found:
        took, kl = (found["simulation"][key] for key in ("seconds", "kl"))
        console.print(f"simulation: {took:.2f} s ({SIMULATION_BOUND}; median), KL {kl:.4f} ({KL_BOUND}; mean)")
        are_kept &= took <= SIMULATION_BOUND and kl <= KL_BOUND
    return are_kept


PARTS = {"mllib": against_mllib, "seeding": against_seeding, "simulation": simulation}


def main() -> int:
    """Measures and prints; 1 where a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--only", nargs="+", choices=["iterations", *PARTS], default=["iterations", *PARTS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench_kmeans.json"))
    options = parser.parse_args()
    with threadpool_limits(os.cpu_count()):
        faiss.omp_set_num_threads(os.cpu_count())
        sizes = options.sizes if "iterations" in options.only else []
        results = [measure(name, options.rounds) for name in sizes]
        found = {
            name: part(min(options.rounds, 3) if name == "seeding" else options.rounds)
            for name, part in PARTS.items()
            if name in options.only
        }
    console = Console(width=160, highlight=False)
    are_kept = show(results, console) if results else True
    are_kept &= show_others(found, console)
    machine = {"date": str(date.today()), "cores": os.cpu_count(), "processor": platform.machine()}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    everything = {"version": __version__, **machine, "results": results, **found}
    options.json.write_text(json.dumps(everything, indent=2))
    return int(not are_kept)


if __name__ == "__main__":
    sys.exit(main())
