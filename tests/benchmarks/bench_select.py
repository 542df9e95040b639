"""Time of balanced sampling on a synthetic tree: ``python tests/benchmarks/bench_select.py --items 1e7``.

Level-1 sizes follow a power law; parents are drawn by hash. Every row of the table is one whole selection,
read from Parquet and summed up; the first is the window over all clusters that DESIGN section 3 avoids.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from equipoise.pipeline.sampling import select
from equipoise.session import get_session


def synthetic(spark: SparkSession, n_items: int, ks: list[int]) -> tuple[DataFrame, DataFrame]:
    """Return clusters and assignments of ``n_items`` items below ``ks[0]`` clusters with power-law sizes."""
    share = F.pmod(F.xxhash64("id"), F.lit(1 << 30)) / (1 << 30)
    assignments = spark.range(n_items).select(
        F.col("id").alias("item_id"),
        F.floor(F.lit(ks[0]) * F.pow(share, 2)).cast("bigint").alias("cluster_id"),
        share.cast("float").alias("distance_sq"),
    )
    sizes = assignments.groupBy("cluster_id").agg(F.count("*").alias("n_items"))
    levels = []
    for level, (k, above) in enumerate(zip(ks, [*ks[1:], 1], strict=True), 1):
        ids = spark.range(k).select(F.lit(level).alias("level"), F.col("id").alias("cluster_id"))
        parent = F.pmod(F.xxhash64("cluster_id"), F.lit(above)).alias("parent_id")
        levels.append(ids.select("*", parent))
    level_1 = levels[0].join(sizes, "cluster_id", "left").select("level", "cluster_id", "parent_id", "n_items")
    clusters = level_1.na.fill(0, ["n_items"])
    for upper in levels[1:]:
        clusters = clusters.unionByName(upper.withColumn("n_items", F.lit(0).cast("bigint")))
    return clusters, assignments


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def keep(clusters: DataFrame) -> DataFrame:
    return clusters.localCheckpoint()


def one_window(clusters: DataFrame) -> DataFrame:
    """What one window over all level-1 clusters would be, in a single partition: for comparison only."""
    ranked = clusters.where("level = 1").withColumn("place", F.row_number().over(Window.orderBy("n_items")))
    return ranked.agg(F.max("place"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=float, default=1e6)
    parser.add_argument("--ks", default="100000,5000,500", help="clusters by level, lowest first")
    parser.add_argument("--master", default="local[2]")
    options = parser.parse_args()
    ks, n_items = [int(float(k)) for k in options.ks.split(",")], int(options.items)
    spark = get_session({"spark.master": options.master, "spark.driver.memory": "4g"}, name="bench-select")
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("clusters", "assignments")]
        for rows, path in zip(synthetic(spark, n_items, ks), paths, strict=True):
            rows.write.parquet(path)
        clusters, assignments = (spark.read.parquet(path) for path in paths)
        print(f"{n_items:,} items, clusters by level {ks}")
        print(f"{'selection':<46}{'seconds':>9}")
        print(f"{'(one window over the level-1 clusters)':<46}{seconds(one_window(clusters).collect):>9.1f}")
        third = {"target": n_items // 3}
        selections: dict[str, dict[str, Any]] = {
            "hierarchical, a third": third,
            "hierarchical, a third, kept by level": {**third, "keep": keep},
            "flat, a third, closest, kept by level": {
                **third, "method": "flat", "within": "closest", "keep": keep,
            },
            "per_cluster 5, kept by level": {"per_cluster": 5, "keep": keep},
        }  # fmt: skip
        for name, rules in selections.items():
            selected = partial(select, clusters, assignments, levels=len(ks), seed=0, **rules)
            taken = seconds(lambda made=selected: made().agg(F.sum("copies")).collect())
            print(f"{name:<46}{taken:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
