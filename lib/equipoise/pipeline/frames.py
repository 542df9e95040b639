"""Frames that are used more than once, plans for frames of few rows, and the names of jobs."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession


@contextmanager
def persisted(rows: DataFrame) -> Iterator[DataFrame]:
    """``rows``, kept on the executors' disks as long as the context lasts: computed once, used often."""
    kept = rows.persist(StorageLevel.DISK_ONLY)
    try:
        yield kept
    finally:
        kept.unpersist()


FEW_ROWS = 200_000
"""Up to so many rows a query is one task's work, and all that Spark does around it is overhead."""
FOR_FEW_ROWS = {
    "spark.sql.adaptive.enabled": "false",  # a job for every exchange, to look at sizes that do not matter
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.autoBroadcastJoinThreshold": "-1",  # a job for every side that is sent
    "spark.sql.optimizer.disableHints": "true",
}


@contextmanager
def for_few_rows(spark: SparkSession, n_rows: int, *, few: int = FEW_ROWS) -> Iterator[None]:
    """Queries are planned for one task where the rows are few: a job each. The same rows come out."""
    before = {key: spark.conf.get(key, None) for key in FOR_FEW_ROWS} if n_rows <= few else {}
    for key in before:
        spark.conf.set(key, FOR_FEW_ROWS[key])
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                spark.conf.unset(key)
            else:
                spark.conf.set(key, value)


@contextmanager
def grouped_jobs(spark: SparkSession, name: str) -> Iterator[None]:
    """The jobs of the context have a name in Spark's pages and logs."""
    spark.sparkContext.setJobGroup(name, name)
    try:
        yield
    finally:
        for key in ("spark.jobGroup.id", "spark.job.description"):
            spark.sparkContext.setLocalProperty(key, None)  # type: ignore[arg-type]
