"""Balanced sampling from a clustering that is at hand: what the stage does on tables, for notebooks."""

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from equipoise.errors import SessionError
from equipoise.pipeline import sampling
from equipoise.pipeline.blocks import arrays_frame, labelled_frame
from equipoise.pipeline.hierarchy import Hierarchy
from equipoise.schemas import CENTROIDS, Col


def select(
    hierarchy: Hierarchy,
    *,
    target: int | None = None,
    per_cluster: int | None = None,
    method: str = "hierarchical",
    within: str = "random",
    max_copies: int = 1,
    where: str | None = None,
    seed: int = 0,
) -> DataFrame:
    """A balanced selection: item_id BIGINT, copies INT, cluster_id BIGINT (level 1), origin STRING.

    Args:
        hierarchy: what :func:`equipoise.fit_hierarchy` returned.
        target: items to select; or
        per_cluster: a fixed number a cluster instead.
        method, within, max_copies, where, seed: as in :func:`equipoise.pipeline.sampling.select`.

    Raises:
        ConfigError: an argument outside of what is said there.
        SessionError: arrays were clustered and no Spark session runs.
    """
    spark = _session_of(hierarchy)
    assignments = hierarchy.assignments
    return sampling.select(
        cluster_rows(spark, hierarchy),
        assignments if isinstance(assignments, DataFrame) else labelled_frame(spark, assignments),
        levels=len(hierarchy.levels),
        seed=seed,
        method=method,
        within=within,
        target=target,
        per_cluster=per_cluster,
        max_copies=max_copies,
        where=where,
    )


def cluster_rows(spark: SparkSession, hierarchy: Hierarchy) -> DataFrame:
    """The cluster tree as rows of the table ``centroids``, without run and vectors."""
    names = (Col.level, Col.cluster_id, Col.parent_id, Col.n_children, Col.n_items, Col.mean_distance_sq)
    parts = [level.columns(number) for number, level in enumerate(hierarchy.levels, start=1)]
    columns = {name: pa.concat_arrays([pa.array(part[name]) for part in parts]) for name in names}
    return arrays_frame(spark, columns, StructType([CENTROIDS.schema[name] for name in names]))


def _session_of(hierarchy: Hierarchy) -> SparkSession:
    if isinstance(hierarchy.assignments, DataFrame):
        return hierarchy.assignments.sparkSession
    session = SparkSession.getActiveSession()
    if session is None:
        raise SessionError("select samples with Spark and no session runs: call equipoise.get_session() before")
    return session
