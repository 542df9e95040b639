"""A few items of a few clusters, and what people see of them."""

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels.draws import Purpose
from equipoise.pipeline.content import with_content
from equipoise.pipeline.quotas import draw_of, ranked_by
from equipoise.schemas import Col

EXAMPLES = ("closest", "random", "farthest")

Preview = Callable[[bytes], tuple[bytes | None, str | None]]


def members_of(assignments: DataFrame, cluster_ids: Sequence[int]) -> DataFrame:
    """Keep the items of a few level-1 clusters (a few thousand at most): item_id, cluster_id, distance_sq."""
    shown = assignments.sparkSession.createDataFrame([(one,) for one in cluster_ids], f"{Col.cluster_id} bigint")
    kept = assignments.join(F.broadcast(shown), Col.cluster_id, "left_semi")
    return kept.select(Col.item_id, Col.cluster_id, Col.distance_sq)


def examples(members: DataFrame, *, n: int, seed: int) -> DataFrame:
    """Take the ``n`` closest, ``n`` random and ``n`` farthest items of every cluster; an item may be of all three.

    Args:
        members: item_id BIGINT, cluster_id BIGINT, distance_sq FLOAT; read three times, so best persisted.
        n: items of each kind and cluster.
        seed: of the random ones.

    Returns:
        example STRING, cluster_id, rank INT (1 to n), item_id, distance_sq.
    """
    orders = {
        "closest": F.col(Col.distance_sq).asc(),
        "random": draw_of(seed, Purpose.PICTURE, F.col(Col.item_id)).asc(),
        "farthest": F.col(Col.distance_sq).desc(),
    }

    def first(kind: str) -> DataFrame:
        rank = F.row_number().over(ranked_by(orders[kind], Col.item_id, Col.cluster_id))
        ranked = members.withColumn(Col.rank, rank).where(F.col(Col.rank) <= n)
        kinds = F.lit(kind).alias(Col.example)
        return ranked.select(kinds, Col.cluster_id, Col.rank, Col.item_id, Col.distance_sq)

    return reduce(DataFrame.unionByName, (first(kind) for kind in EXAMPLES))


def previews(items: DataFrame, make: Preview) -> DataFrame:
    """Read the contents of items and keep of each what ``make`` makes of it: contents stay on the executors.

    Args:
        items: rows of the pool.
        make: content -> (thumbnail or None, snippet or None); pickled to the workers.

    Returns:
        item_id BIGINT, key, label, uri STRING, thumbnail BINARY, snippet STRING; null where there is nothing to see.
    """
    schema = t.StructType([t.StructField(Col.thumbnail, t.BinaryType()), t.StructField(Col.snippet, t.StringType())])
    seen = F.udf(lambda content: None if content is None else make(bytes(content)), schema)
    blank = F.lit(None).cast("string")
    unread = items.drop(Col.content_hash, Col.width, Col.height).withColumns({Col.reason: blank, Col.detail: blank})
    read = with_content(unread, None, keep=True)
    made = read.select(Col.item_id, Col.key, Col.label, Col.uri, seen(Col.content).alias(Col.content))
    parts = [F.col(f"{Col.content}.{name}").alias(name) for name in (Col.thumbnail, Col.snippet)]
    return made.select(Col.item_id, Col.key, Col.label, Col.uri, *parts)
