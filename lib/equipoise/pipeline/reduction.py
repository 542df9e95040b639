"""How the statistics of all partitions reach the driver: straight, or added up on the way by shards of clusters."""

import gc
from collections.abc import Iterable, Iterator

import numpy as np
from pyspark import RDD
from pyspark.sql import SparkSession

from equipoise.kernels.placement import shards_for
from equipoise.kernels.statistics import PartialStats, combined


def most_result_bytes(spark: SparkSession) -> int:
    """`spark.driver.maxResultSize`; 0 is no limit."""
    given = spark.sparkContext.getConf().get("spark.driver.maxResultSize", "1g")
    jvm = spark.sparkContext._jvm
    assert jvm is not None, "the session runs"
    return int(jvm.org.apache.spark.network.util.JavaUtils.byteStringAsBytes(given))


def free_shuffles(spark: SparkSession) -> None:
    """Lets Spark delete what was shuffled: it does when its JVM finds it unused, which looks every half an hour."""
    gc.collect()
    if spark.sparkContext._jvm is not None:
        spark.sparkContext._jvm.System.gc()


def scattered(partials: "RDD[PartialStats]", *, count: int, k: int, dim: int) -> list[PartialStats]:
    """Reduce-scatter: every shard of clusters is added up by one task, in the order of the partitions that touch it.

    Source: DESIGN section 2; the order makes the bits those of sums on the driver.
    """
    n_shards = shards_for(partials.getNumPartitions(), count, k=k, dim=dim)
    size = -(-k // n_shards)

    def cut(index: int, found: Iterable[PartialStats]) -> Iterator[tuple[int, tuple[int, PartialStats]]]:
        for partial in found:
            starts = np.searchsorted(partial.touched, np.arange(n_shards + 1) * size)
            for shard in np.flatnonzero(np.diff(starts)).tolist():
                part = slice(starts[shard], starts[shard + 1])
                yield shard, (index, PartialStats(*(column[part] for column in partial.columns)))

    def added(pieces: Iterable[tuple[int, tuple[int, PartialStats]]]) -> Iterator[PartialStats]:
        ordered = sorted((piece for _, piece in pieces), key=lambda piece: piece[0])
        yield combined((partial for _, partial in ordered), dim=dim)

    return partials.mapPartitionsWithIndex(cut).partitionBy(n_shards, int).mapPartitions(added).collect()
