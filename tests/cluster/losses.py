"""K-means on two executors of their own that are killed, or let go, on the way: prints what came out, as JSON.

    python losses.py killed | released

``killed``: an executor dies in an iteration whose sums go straight to the driver, in one whose sums are scattered, and
in a split. ``released``: dynamic allocation takes away executors that hold blocks and wait. Every run is told by
its objectives and a hash of all its bits, after an unbroken run of the same kind.
"""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import psutil
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from equipoise import get_session
from equipoise.kernels import placement
from equipoise.kernels.levels import KMeans
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.splits import Inside, split
from equipoise.schemas import Col

SETTINGS = {
    "spark.master": "local-cluster[2,1,2048]",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.sql.shuffle.partitions": "4",
    "spark.task.maxFailures": "4",
    "spark.locality.wait": "0s",
}
RELEASED = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.timeout": "2s",
    "spark.dynamicAllocation.executorIdleTimeout": "2s",
    "spark.dynamicAllocation.cachedExecutorIdleTimeout": "2s",
    "spark.decommission.enabled": "true",
    "spark.storage.decommission.enabled": "true",
    "spark.storage.decommission.rddBlocks.enabled": "true",
    "spark.storage.decommission.shuffleBlocks.enabled": "true",
}
N, DIM, K, PARTITIONS = 120_000, 16, 200, 12
Found = tuple[list[float], str]


def executors() -> list[psutil.Process]:
    """The processes of the executors."""
    return [process for process in psutil.Process().children(recursive=True) if _is_executor(process)]


def _is_executor(process: psutil.Process) -> bool:
    try:
        return process.name() == "java" and any("CoarseGrainedExecutorBackend" in word for word in process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended, or is about to
        return False


@contextmanager
def executor_killed(spark: SparkSession) -> Iterator[list[int]]:
    """Kills one executor once a stage has finished a task and works on others; what it had done is gone."""
    dead: list[int] = []
    tracker = spark.sparkContext.statusTracker()

    def kill() -> None:
        while not dead:
            for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
                if stage and stage.numCompletedTasks and stage.numActiveTasks and not dead:
                    victim = executors()[0]
                    victim.kill()
                    dead.append(victim.pid)
            time.sleep(0.005)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    yield dead
    thread.join(60)
    assert dead, "an executor was killed"


def hashed(*arrays: np.ndarray) -> str:
    """A hash of the bits."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def iterations(vectors: SparkVectors, centroids: np.ndarray) -> Found:
    """Three iterations."""
    steps = list(lloyd(vectors, Iteration(0, centroids, float("inf")), iterations=3))
    return [step.objective for step in steps], hashed(steps[-1].centroids)


def splitting(vectors: SparkVectors, centroids: np.ndarray) -> Found:
    """Twenty coarse clusters, eight in each."""
    with split(vectors, centroids[:20], Inside((8,), KMeans(iterations=4), seed=1)) as found:
        fine = np.stack(found.centroids().orderBy(Col.cluster_id).toPandas()[Col.centroid].to_list())
        labels = found.assignments.orderBy(Col.item_id).toPandas()
        objective = found.assignments.agg(F.sum(Col.distance_sq)).collect()[0][0]  # one row
    return [round(objective, 3)], hashed(fine, *(labels[name].to_numpy() for name in labels))


def with_losses(spark: SparkSession, vectors: SparkVectors, centroids: np.ndarray) -> Iterator[dict[str, object]]:
    """Every kind of work unbroken, and with an executor killed."""
    kinds: dict[str, Callable[[SparkVectors, np.ndarray], Found]] = {
        "straight": iterations,
        "scattered": iterations,
        "split": splitting,
    }
    for name, work in kinds.items():
        if name == "scattered":
            placement.MOST_STRAIGHT_BYTES, placement.BYTES_PER_SHARD = 0, 50_000
        unbroken = work(vectors, centroids)
        with executor_killed(spark) as dead:
            broken = work(vectors, centroids)
        yield {"work": name, "unbroken": unbroken, "broken": broken, "n_lost": len(dead)}


def with_releases(vectors: SparkVectors, centroids: np.ndarray) -> Iterator[dict[str, object]]:
    """Iterations, then a wait until the executors that held the blocks are gone, and the same iterations again."""
    unbroken = iterations(vectors, centroids)
    before = {process.pid for process in executors()}
    until = time.monotonic() + 90
    while (left := before & {process.pid for process in executors()}) and time.monotonic() < until:
        time.sleep(0.5)
    broken = iterations(vectors, centroids)
    yield {"work": "released", "unbroken": unbroken, "broken": broken, "n_lost": len(before - left)}


def main(what: str) -> None:
    """Prints a line of JSON for every kind of work."""
    spark = get_session({**SETTINGS, **(RELEASED if what == "released" else {})}, name="losses")
    data = np.random.default_rng(0).normal(size=(N, DIM)).astype(np.float32)
    embeddings = vectors_frame(spark, np.arange(N), data)
    with SparkVectors.from_embeddings(embeddings, partitions=PARTITIONS) as vectors:
        kinds = with_releases(vectors, data[:K]) if what == "released" else with_losses(spark, vectors, data[:K])
        for row in kinds:
            print(json.dumps(row), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
