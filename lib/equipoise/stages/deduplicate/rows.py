"""What the nodes of the stage write: kinds of pairs, rows that decide, metrics."""

from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.evaluation.names import N_DROPPED
from equipoise.pipeline.duplicates import AGAINST as AGAINST
from equipoise.pipeline.duplicates import dropped_counts
from equipoise.pipeline.frames import persisted
from equipoise.runs.context import Context
from equipoise.schemas import DUPLICATE_EDGES, DUPLICATES, METRICS, POOL_NAME, Col

COPIES, POOL = "copies", "pool"
"""Pairs with equal contents; of two items of the pool. Those with a set have the set's name after AGAINST."""


def edge_rows(context: Context, pairs: DataFrame, *, encoder_id: str, kind: str) -> DataFrame:
    """Rows of the table of pairs, from src, dst and similarity."""
    columns = {
        Col.run_id: F.lit(context.run_id),
        Col.stage: F.lit(context.node.name),
        Col.encoder_id: F.lit(encoder_id),
        Col.kind: F.lit(kind),
    }
    return pairs.select(*(columns.get(name, F.col(name)).alias(name) for name in DUPLICATE_EDGES.columns))


def write_duplicates(context: Context, rows: DataFrame) -> Mapping[str, int]:
    """Writes what stays and what goes; returns how many go, by method."""
    own = {Col.run_id: F.lit(context.run_id), Col.stage: F.lit(context.node.name)}
    with persisted(rows) as found:
        dropped = {row[Col.method]: int(row[Col.n_items]) for row in dropped_counts(found).collect()}  # a row a method
        for is_kept in (True, False):
            some = found.where(F.col(Col.is_kept) == is_kept)
            context.write(
                DUPLICATES,
                some.select(*(own.get(name, F.col(name)).alias(name) for name in DUPLICATES.columns)),
                **{Col.is_kept: is_kept},
            )
    return dropped


def metric_rows(
    context: Context, values: Iterable[tuple[str, str, float]], drops: Mapping[str, int] | None = None
) -> DataFrame:
    """Rows of the table of metrics about the pool, from (name, group, value) and what goes by method."""
    counted = ((N_DROPPED, method, float(count)) for method, count in (drops or {}).items())
    rows = [
        (context.run_id, context.node.name, POOL_NAME, name, group, float(value))
        for name, group, value in (*values, *counted)
    ]
    return context.spark.createDataFrame(rows, METRICS.schema)
