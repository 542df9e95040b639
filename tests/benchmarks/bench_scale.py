"""What k-means on Spark does with skew, very many clusters, more vectors than memory, and float16.

    python tests/benchmarks/bench_scale.py [splits] [large_k] [out_of_core] [half] [--json FILE]

Each part runs in a process and session of its own, prints what it measured beside its bound, and the whole fails where
a bound is not kept.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from resources import watched

from equipoise import Level, get_session
from equipoise.kernels.draws import Purpose, derived_seed, draws
from equipoise.kernels.levels import KMeans, fit_level
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.placement import goes_straight, split_members
from equipoise.pipeline.blocks import VECTOR_SCHEMA
from equipoise.pipeline.reduction import most_result_bytes
from equipoise.pipeline.routing import routing
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.splits import TASKS_PER_CORE, Inside, split
from equipoise.schemas import Col

GIB = 2**30
SPLIT_BYTES = 64 * 2**20
ROUNDS = 3
Row = dict[str, object]


def blobs(n: int, dim: int, *, shares: np.ndarray, spread: float = 8.0, seed: int = 0) -> np.ndarray:
    """Gaussians of unit variance with the given shares: (n, dim) float32."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(scale=spread, size=(len(shares), dim)).astype(np.float32)
    rows = centres[generator.choice(len(shares), n, p=shares / shares.sum())]
    rows += generator.standard_normal(rows.shape, dtype=np.float32)
    return rows


def seconds(action: Callable[[], object]) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def iteration(vectors: SparkVectors, centroids: np.ndarray) -> float:
    """Seconds of one Lloyd iteration."""
    return seconds(lambda: list(lloyd(vectors, Iteration(0, centroids, math.inf), iterations=1)))


def splits() -> list[Row]:
    """1M x 64 into 200 x 50, balanced, and with half of the vectors in one coarse cluster, above the limit."""
    pools = {"balanced": blobs(1_000_000, 64, shares=np.ones(200))}
    pools["skewed"] = pools["balanced"].copy()
    pools["skewed"][::2] = pools["skewed"][0] + 0.2 * np.random.default_rng(1).standard_normal(
        (500_000, 64), np.float32
    )
    times: dict[str, list[float]] = {name: [] for name in pools}
    largest, held = {}, {}
    for _ in range(1 + ROUNDS):
        for name, data in pools.items():
            with SparkVectors.from_arrays(get_session(), data, np.arange(len(data))) as vectors:
                took, sizes, held[name] = _split_seconds(vectors)
            times[name].append(took)
            largest[name] = sizes.max() / sizes.sum()
    assert 0.45 < largest["skewed"] < 0.55, largest
    ratio = median(mine / theirs for mine, theirs in list(zip(times["skewed"], times["balanced"], strict=True))[1:])
    return [
        {
            "what": f"balanced, largest coarse cluster {largest['balanced']:.1%}: s",
            "value": median(times["balanced"][1:]),
        },
        {"what": f"skewed, largest coarse cluster {largest['skewed']:.1%}: s", "value": median(times["skewed"][1:])},
        {"what": "skewed / balanced", "value": ratio, "bound": 1.6},
        {"what": "vectors that one task gets / limit", "value": max(held.values()), "bound": 1.0},
    ]


def _split_seconds(vectors: SparkVectors) -> tuple[float, np.ndarray, float]:
    """Seconds of a split level, the sizes of its coarse clusters, and the most that a task gets, over the limit."""
    began = time.perf_counter()
    kmeans = KMeans(iterations=20)
    coarse = fit_level(vectors, Level(200), kmeans=kmeans, seed=1)
    with split(vectors, coarse, Inside((50,), kmeans, 1), most_bytes=SPLIT_BYTES) as found:
        assert found.assignments.count() == vectors.count
        took = time.perf_counter() - began
    sizes, most = vectors.assign(coarse).counts, split_members(50, vectors.dim, most_bytes=SPLIT_BYTES)
    routes = routing(sizes, most=most, n_tasks=TASKS_PER_CORE * vectors.spark.sparkContext.defaultParallelism)
    labelled = vectors.assignments(coarse).toPandas()
    labels = labelled[Col.cluster_id].to_numpy()
    is_sent = draws(1, Purpose.SAMPLE, labelled[Col.item_id].to_numpy()) <= routes.limits[labels]
    return took, sizes, np.bincount(routes.tasks[labels[is_sent]]).max() / most


def large_k() -> list[Row]:
    """k = 100,000, and how the time of an iteration grows with n and with k."""
    data = blobs(1_000_000, 64, shares=1 / np.arange(1, 2001))
    times = {}
    with watched() as peak:
        for n in (250_000, 500_000, 1_000_000):
            with SparkVectors.from_arrays(get_session(), data[:n], np.arange(n)) as vectors:
                iteration(vectors, data[:1000])
                for k in (25_000,) if n > 250_000 else (25_000, 50_000, 100_000):
                    times[n, k] = iteration(vectors, data[:k])
                if n == len(data):
                    largest = iteration(vectors, data[:100_000])
                    is_straight = goes_straight(
                        vectors.n_partitions, 100_000, 64, most_result_bytes=most_result_bytes(get_session())
                    )
    in_n = _exponent([(n, took) for (n, k), took in times.items() if k == 25_000])
    in_k = _exponent([(k, took) for (n, k), took in times.items() if n == 250_000])
    way = "straight to the driver" if is_straight else "scattered"
    return [
        {"what": f"n = 1M, d = 64, k = 100k, sums {way}: seconds an iteration", "value": largest},
        {"what": "peak resident memory, all processes: GiB", "value": peak.bytes / GIB, "bound": 12.0},
        {"what": "exponent in n", "value": in_n, "bound": 1.1, "least": 0.9},
        {"what": "exponent in k", "value": in_k, "bound": 1.1, "least": 0.9},
    ]


def _exponent(points: list[tuple[int, float]]) -> float:
    sizes, times = np.log(np.array(points)).T
    return float(np.polyfit(sizes, times, 1)[0])


def out_of_core() -> list[Row]:
    """10M x 64 float32 with 2 GiB of storage memory: the rest is on disk."""
    spark = get_session({"spark.driver.memory": "4g", "spark.memory.fraction": "0.54"})
    n, dim = 10_000_000, 64

    def made(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            ids = batch.column(0).to_numpy()
            generator = np.random.default_rng(derived_seed(0, Purpose.SIMULATION, int(ids[0])))
            numbers = pa.array(generator.standard_normal(len(ids) * dim, dtype=np.float32))
            vectors = pa.FixedSizeListArray.from_arrays(numbers, dim).cast(pa.list_(pa.float32()))
            yield pa.RecordBatch.from_arrays([batch.column(0), vectors], VECTOR_SCHEMA.names)

    with watched() as peak:
        embeddings = spark.range(0, n, 1, 64).mapInArrow(made, VECTOR_SCHEMA)
        with SparkVectors.from_embeddings(embeddings) as vectors:
            centroids = vectors.sample(100, seed=0)
            steps = list(lloyd(vectors, Iteration(0, centroids, math.inf), iterations=3))
            stored = spark.sparkContext._jsc.sc().getRDDStorageInfo()[0]
            in_memory, on_disk = stored.memSize() / GIB, stored.diskSize() / GIB
    assert on_disk > 0, "it spilled"
    return [
        {"what": "blocks in memory: GiB", "value": in_memory, "bound": 2.0},
        {"what": "blocks on disk: GiB", "value": on_disk},
        {"what": "seconds an iteration, k = 100, after the first", "value": steps[-1].seconds},
        {"what": "peak resident memory, all processes: GiB", "value": peak.bytes / GIB, "bound": 8.0},
    ]


def half() -> list[Row]:
    """float16 blocks: what is stored, and the objective after ten iterations."""
    data = blobs(300_000, 128, shares=1 / np.arange(1, 501), spread=2.0)
    spark = get_session()
    from equipoise.pipeline.blocks import vectors_frame

    embeddings = vectors_frame(spark, np.arange(len(data)), data).persist()
    objectives, stored = {}, {}
    for is_half in (False, True):
        with SparkVectors.from_embeddings(embeddings, half=is_half) as vectors:
            start = Iteration(0, data[:500].copy(), math.inf)
            objectives[is_half] = list(lloyd(vectors, start, iterations=10))[-1].objective
            mine = vectors._packed.id()
            infos = [info for info in spark.sparkContext._jsc.sc().getRDDStorageInfo() if info.id() == mine]
            stored[is_half] = infos[0].memSize() + infos[0].diskSize()
    return [
        {"what": "bytes stored, float16 / float32", "value": stored[True] / stored[False], "bound": 0.55},
        {
            "what": "objective, |float16 / float32 - 1|",
            "value": abs(objectives[True] / objectives[False] - 1),
            "bound": 1e-3,
        },
    ]


PARTS = {"splits": splits, "large_k": large_k, "out_of_core": out_of_core, "half": half}


def main() -> int:
    """Runs the parts, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    parser.add_argument("--json", type=Path, default=Path("artifacts/bench_scale.json"))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(PARTS[options.parts[0]](), default=float))
        return 0
    results = {part: _elsewhere(part) for part in options.parts}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"cores": os.cpu_count(), "results": results}, indent=2))
    rows = [row for part in results.values() for row in part]
    return int(not all(row.get("least", 0) <= row["value"] <= row.get("bound", math.inf) for row in rows))


def _elsewhere(part: str) -> list[Row]:
    command = [sys.executable, __file__, part, "--here"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows: list[Row] = json.loads(answer.splitlines()[-1])
    for row in rows:
        least = f"at least {row['least']}, " if "least" in row else ""
        bound = f"  ({least}at most {row['bound']})" if "bound" in row else ""
        print(f"{part}: {row['what']}: {row['value']:.4g}{bound}", flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
