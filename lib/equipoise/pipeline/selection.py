"""Balanced sampling from a clustering that is at hand: what the stage does on tables, for notebooks."""

from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from equipoise.errors import SessionError
from equipoise.pipeline import sampling
from equipoise.pipeline.blocks import assignments_frame
from equipoise.pipeline.hierarchy import Hierarchy
from equipoise.schemas import Col


def select(
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
    """A balanced selection: item_id BIGINT, copies INT, cluster_id BIGINT (level 1), origin STRING.

    Args:
        hierarchy: what :func:`equipoise.fit_hierarchy` returned.
        target: items to select; or
        per_cluster: a fixed number a cluster instead.
        method, within, max_copies, where, level, seed: as in :func:`equipoise.pipeline.sampling.select`.

    Raises:
        ConfigError: an argument outside of what is said there.
        SessionError: arrays were clustered and no Spark session runs.
    """
    spark = _session_of(hierarchy)
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


def _session_of(hierarchy: Hierarchy) -> SparkSession:
    if isinstance(hierarchy.assignments, DataFrame):
        return hierarchy.assignments.sparkSession
    session = SparkSession.getActiveSession()
    if session is None:
        raise SessionError("select samples with Spark and no session runs: call equipoise.get_session() before")
    return session
