"""Balanced sampling from a clustering that is at hand: what the stage does on tables, for notebooks."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from equipoise.pipeline import sampling
from equipoise.pipeline.blocks import assignments_frame
from equipoise.pipeline.hierarchy import Hierarchy
from equipoise.schemas import Col


def select(
    spark: SparkSession,
    hierarchy: Hierarchy,
    *,
    target: int | None = None,
    per_cluster: int | None = None,
    method: str = "hierarchical",
    within: str = "random",
    max_copies: int = 1,
    where: str | None = None,
    level: int | None = None,
    seed: int = 0,
) -> DataFrame:
    """A balanced selection; the arguments are those of :func:`equipoise.select`, which judges them."""
    assignments = hierarchy.assignments
    return sampling.select(
        cluster_rows(spark, hierarchy),
        assignments if isinstance(assignments, DataFrame) else assignments_frame(spark, assignments),
        levels=len(hierarchy.levels),
        seed=seed,
        method=method,
        within=within,
        target=target,
        per_cluster=per_cluster,
        max_copies=max_copies,
        where=where,
        level=level,
    )


def cluster_rows(spark: SparkSession, hierarchy: Hierarchy) -> DataFrame:
    """The cluster tree as rows of the table ``centroids``, without run and vectors."""
    frames = [level.frame(spark, number) for number, level in enumerate(hierarchy.levels, start=1)]
    return reduce(DataFrame.unionByName, frames).drop(Col.centroid)
