"""Which members of a cluster are its closest."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col


def last_members(labelled: DataFrame, r: int) -> DataFrame:
    """The farthest of the ``r`` closest members of every cluster, and how many they are: one row a cluster."""
    by_distance = ranked_by(F.col(Col.distance_sq), Col.item_id, Col.cluster_id)
    members = labelled.withColumn(Col.rank, F.row_number().over(by_distance)).filter(F.col(Col.rank) <= r)
    last = F.max(F.struct(Col.distance_sq, Col.item_id)).alias("last")
    return (
        members.groupBy(Col.cluster_id)
        .agg(last, F.count("*").alias(Col.n_items))
        .select(Col.cluster_id, f"last.{Col.distance_sq}", f"last.{Col.item_id}", Col.n_items)
    )
