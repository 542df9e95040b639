"""Rejected items by reason."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col


def rejected_examples(rejects: DataFrame, n: int) -> DataFrame:
    """Count rejects by stage and reason, and take the first ``n`` of each by item_id.

    Args:
        rejects: rows of the table of that name, of one run.
        n: examples a reason.

    Returns:
        stage, reason STRING, n_items BIGINT (of the reason), rank INT, item_id BIGINT, uri STRING (the key where an
        item has none), detail STRING.
    """
    keys = [Col.stage, Col.reason]
    rank = F.row_number().over(ranked_by(F.col(Col.item_id), Col.key, *keys))
    first = rejects.withColumn(Col.rank, rank).where(F.col(Col.rank) <= n)
    totals = rejects.groupBy(*keys).agg(F.count("*").alias(Col.n_items))
    name = F.coalesce(Col.uri, Col.key).alias(Col.uri)
    joined = first.join(F.broadcast(totals), keys, "inner")
    return joined.select(*keys, Col.n_items, Col.rank, Col.item_id, name, Col.detail)
