"""Pairs of items that are alike, as a histogram of their similarities and those next to a threshold."""

from collections.abc import Mapping

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.quotas import ranked_by
from equipoise.schemas import Col

BINS = 2000
"""Equal steps from -1 to 1 in which pairs are counted: a thousandth each."""
IS_ABOVE = "is_above"
_STEPS_A_BAR = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def similarity_counts(pairs: DataFrame) -> DataFrame:
    """Count pairs by kind and similarity, in steps of :data:`BINS`: rows of those that have pairs.

    Args:
        pairs: kind STRING, similarity FLOAT, what rounding puts beyond -1 and 1 included.

    Returns:
        kind STRING, bucket INT (0 to BINS - 1), n_items BIGINT (pairs).
    """
    step = F.floor((F.col(Col.similarity).cast("double") + 1) / 2 * BINS)
    bucket = F.greatest(F.lit(0), F.least(step, F.lit(BINS - 1))).cast("int")
    return pairs.groupBy(Col.kind, bucket.alias(Col.bucket)).agg(F.count("*").alias(Col.n_items))


def bars(counts: Mapping[int, int], *, most: int) -> tuple[list[float], list[int]]:
    """Join steps to at most so many bars of a round width, from the first that has pairs to the last.

    Args:
        counts: by bucket, as :func:`similarity_counts` has them of one kind.
        most: bars, at least 5.

    Returns:
        The edges of the bars, one more than there are, and their counts; both are empty without pairs.
    """
    if not counts:
        return [], []
    first, last = min(counts), max(counts)
    width = next(steps for steps in _STEPS_A_BAR if last // steps - first // steps < most)
    joined = np.zeros(last // width - first // width + 1, np.int64)
    for bucket, n in counts.items():
        joined[bucket // width - first // width] += n
    edges = (np.arange(len(joined) + 1) + first // width) * width * 2 / BINS - 1
    return np.round(edges, 3).tolist(), joined.tolist()


def pairs_near(pairs: DataFrame, thresholds: Mapping[str, float], n: int) -> DataFrame:
    """Take of every kind the ``n`` pairs above its threshold, and the ``n`` not above it, that lie closest to it.

    Args:
        pairs: kind STRING, src, dst BIGINT, similarity FLOAT.
        thresholds: by kind, at least one; pairs of others are left out.
        n: pairs on a side.

    Returns:
        kind STRING, is_above BOOLEAN, rank INT (1 to n), src, dst BIGINT, similarity DOUBLE; ties go to the lowest ids.
    """
    own = F.coalesce(*(_where(kind, threshold) for kind, threshold in thresholds.items()))
    is_above = (F.col(Col.similarity) > own).alias(IS_ABOVE)
    sided = pairs.where(own.isNotNull()).select(
        Col.kind, is_above, Col.src, Col.dst, Col.similarity, own.alias(Col.value)
    )
    order = F.struct(F.abs(F.col(Col.similarity) - F.col(Col.value)), Col.src)
    ranked = sided.withColumn(Col.rank, F.row_number().over(ranked_by(order, Col.dst, Col.kind, IS_ABOVE)))
    similarity = F.col(Col.similarity).cast("double").alias(Col.similarity)
    first = ranked.where(F.col(Col.rank) <= n)
    return first.select(Col.kind, IS_ABOVE, Col.rank, Col.src, Col.dst, similarity)


def _where(kind: str, threshold: float) -> Column:
    return F.when(F.col(Col.kind) == kind, F.lit(threshold).cast("float"))
