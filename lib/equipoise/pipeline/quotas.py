"""Sharing budgets among the children of many clusters at once: the SQL of :mod:`equipoise.kernels.quotas`.

No window holds all clusters in one partition: the cut needs the histogram of the children's sizes only, and
who gets one of the remainder is found by counting buckets of the draw: buckets are sorted, never a level.
"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from equipoise.kernels.draws import Purpose
from equipoise.schemas import Col

_BUCKET_BITS = 6  # 64 buckets: 10M children of one parent are ranked 160,000 at a time, histograms stay small
_SIZE, _COUNT, _LARGER, _FILLED, _REST = "size", "n", "n_larger", "filled", "rest"
_CUT, _REMAINDER, _BEFORE, _LAST = "cut", "remainder", "before", "last"

Checkpoint = Callable[[DataFrame], DataFrame]


def unchanged(rows: DataFrame) -> DataFrame:
    """Cut nothing: return ``rows`` as they are."""
    return rows


def draw_of(seed: int, purpose: Purpose, *keys: Column) -> Column:
    """Return a BIGINT draw, the same bits as :func:`equipoise.kernels.draws.draws`.

    Args:
        seed: the user's seed, within 64 bits.
        purpose: what the draw is for.
        keys: what it is drawn for: an item's id, a cluster's level and id; cast to BIGINT here.
    """
    return F.xxhash64(*(key.cast("bigint") for key in (F.lit(seed), F.lit(int(purpose)), *keys)))


def bucket_of(draw: Column, bits: int) -> Column:
    """Return the leading ``bits`` of a draw: 2^bits buckets, BIGINT, in the order of the draws."""
    return F.shiftright(draw, 64 - bits)


def last_place(before: Column, count: Column, needed: Column) -> Column:
    """Aggregate buckets into the one where the ``needed``-th place lies, and how many of it are to be taken.

    Args:
        before: rows in the buckets before this one.
        count: rows in this bucket.
        needed: how many rows to take, not above the rows of all buckets.

    Returns:
        STRUCT (bucket BIGINT, n BIGINT); with nothing needed, n is 0.
    """
    taken = F.struct(F.col(Col.bucket), (needed - before).alias(_COUNT))
    return F.min(F.when(before + count >= needed, taken))


def is_within(last: str, rank: Column) -> Column:
    """Tell whether a row is within the last place: in an earlier bucket, or early enough in the same one."""
    bucket = F.col(Col.bucket)
    boundary = F.col(f"{last}.{Col.bucket}")
    return (bucket < boundary) | ((bucket == boundary) & (rank <= F.col(f"{last}.{_COUNT}")))


def ranked_by(order: Column, tie: str, *keys: str | Column) -> WindowSpec:
    """Return the window inside ``keys`` where row_number counts from the first by ``order``, then ``tie``."""
    ordered = Window.partitionBy(*keys).orderBy(order, tie)
    return ordered.rowsBetween(Window.unboundedPreceding, Window.currentRow)


def root_of(nodes: DataFrame) -> DataFrame:
    """Return one row, parent_id: above all ``nodes``. Windows keyed by a literal would have no key at all."""
    return nodes.sparkSession.range(1).select(F.col("id").alias(Col.parent_id))


def quotas(
    nodes: DataFrame, budgets: DataFrame, *, level: int, seed: int, max_copies: int = 1, is_top: bool = False
) -> DataFrame:
    """Share the budget of every parent among its children: ``min(size, cut)`` each, then one more by draw.

    Args:
        nodes: clusters of one level: cluster_id, parent_id, n_items (BIGINT); the size: n_items x max_copies.
        budgets: parent_id, budget (BIGINT); children of other parents are dropped.
        level: the children's level, part of their draws.
        seed: the user's seed.
        max_copies: how often an item may be taken.
        is_top: all nodes have one parent: its limits are sent to them, or all would meet in one partition.

    Returns:
        cluster_id, n_items, quota (BIGINT, 1 to the size); children that get nothing are dropped.

    Source: DESIGN section 3; the array twin is :func:`equipoise.kernels.quotas.quotas`.
    """
    size = F.col(Col.n_items) * max_copies
    draw = draw_of(seed, Purpose.REMAINDER, F.lit(level), F.col(Col.cluster_id))
    bucket = bucket_of(draw, _BUCKET_BITS).alias(Col.bucket)
    children = nodes.select(Col.cluster_id, Col.parent_id, Col.n_items, draw.alias(Col.draw), bucket)
    histogram = children.groupBy(Col.parent_id, size.alias(_SIZE), Col.bucket).agg(F.count("*").alias(_COUNT))
    limits = _limits(_with_cuts(histogram.join(budgets, Col.parent_id, "inner")))
    is_larger = size > F.col(_CUT)
    place = F.row_number().over(ranked_by(F.col(Col.draw), Col.cluster_id, Col.parent_id, Col.bucket, is_larger))
    extra = F.when(is_larger & is_within(_LAST, place), 1).otherwise(0)
    limited = children.join(F.broadcast(limits) if is_top else limits, Col.parent_id, "inner")
    quota = (F.least(size, F.col(_CUT)) + extra).alias(Col.quota)
    return limited.select(Col.cluster_id, Col.n_items, quota).where(F.col(Col.quota) > 0)


def rolled_up(
    clusters: DataFrame, levels: int, *, where: str | None = None, checkpoint: Checkpoint = unchanged
) -> list[DataFrame]:
    """Roll items up, without what ``where`` excludes: cluster_id, parent_id, n_items by level, lowest first.

    Clusters below an excluded one stay here: no budget reaches them, as their parent has no row.
    """
    kept = clusters if where is None else clusters.where(where)
    rolled = [checkpoint(kept.where(F.col(Col.level) == 1).select(Col.cluster_id, Col.parent_id, Col.n_items))]
    for level in range(2, levels + 1):
        parent = F.col(Col.parent_id).alias(Col.cluster_id)
        below = rolled[-1].groupBy(parent).agg(F.sum(Col.n_items).alias(Col.n_items))
        above = kept.where(F.col(Col.level) == level).select(Col.cluster_id, Col.parent_id)
        rolled.append(checkpoint(above.join(below, Col.cluster_id, "inner")))
    return rolled


def shared_down(
    sizes: list[DataFrame], lowest: int, *, target: int, max_copies: int, seed: int, checkpoint: Checkpoint = unchanged
) -> DataFrame:
    """Share ``target`` down the tree to level ``lowest``: cluster_id, n_items, quota."""
    root = root_of(sizes[-1])
    budgets = root.select(Col.parent_id, F.lit(target).cast("bigint").alias(Col.budget))
    shared = top = sizes[-1].drop(Col.parent_id).crossJoin(F.broadcast(root))
    for level in range(len(sizes), lowest - 1, -1):
        is_top = level == len(sizes)
        nodes = top if is_top else sizes[level - 1]
        shared = checkpoint(quotas(nodes, budgets, level=level, seed=seed, max_copies=max_copies, is_top=is_top))
        budgets = shared.select(F.col(Col.cluster_id).alias(Col.parent_id), F.col(Col.quota).alias(Col.budget))
    return shared


def reached_at(sizes: list[DataFrame], lowest: int) -> DataFrame:
    """Return what level ``lowest`` has with items and with nothing excluded above: cluster_id, n_items."""
    reached = sizes[-1]
    for level in range(len(sizes) - 1, lowest - 1, -1):
        above = reached.select(F.col(Col.cluster_id).alias(Col.parent_id))
        reached = sizes[level - 1].join(above, Col.parent_id, "left_semi")
    return reached.where(F.col(Col.n_items) > 0).select(Col.cluster_id, Col.n_items)


def without_levels_above(sizes: list[DataFrame], lowest: int) -> list[DataFrame]:
    """Return the sizes up to level ``lowest``, of which those clusters stay that nothing above excludes."""
    if lowest == len(sizes):
        return sizes
    reached = reached_at(sizes, lowest).select(Col.cluster_id)
    return [*sizes[: lowest - 1], sizes[lowest - 1].join(reached, Col.cluster_id, "left_semi")]


def groups_below(sizes: list[DataFrame], shared: DataFrame, lowest: int) -> DataFrame:
    """Return the level-1 clusters below ``shared``, whose ids become group_id; n_items and quota stay."""
    groups = shared.withColumn(Col.group_id, F.col(Col.cluster_id))
    for level in range(lowest - 1, 0, -1):
        above = groups.withColumn(Col.parent_id, F.col(Col.cluster_id)).drop(Col.cluster_id)
        below = sizes[level - 1].select(Col.cluster_id, Col.parent_id)
        groups = below.join(above, Col.parent_id, "inner").drop(Col.parent_id)
    return groups.select(Col.cluster_id, Col.group_id, Col.n_items, Col.quota)


def _with_cuts(histogram: DataFrame) -> DataFrame:
    """Add every parent's cut and remainder to its histogram (parent_id, size, bucket, n, budget)."""
    size, count, budget = F.col(_SIZE), F.col(_COUNT), F.col(Col.budget)
    parent = Window.partitionBy(Col.parent_id)
    whole = parent.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    smaller = parent.orderBy(_SIZE).rangeBetween(Window.unboundedPreceding, -1)
    within = F.least(budget, F.sum(size * count).over(whole))
    filled = F.coalesce(F.sum(size * count).over(smaller), F.lit(0))
    rest = F.sum(count).over(whole) - F.coalesce(F.sum(count).over(smaller), F.lit(0))
    keys = [Col.parent_id, _SIZE, Col.bucket, _COUNT]
    known = histogram.select(*keys, within.alias(Col.budget), filled.alias(_FILLED), rest.alias(_REST))
    share = F.call_function("div", F.greatest(budget - F.col(_FILLED), F.lit(0)), F.col(_REST))
    cuts = known.select(*keys, Col.budget, F.max(F.least(size, share)).over(whole).alias(_CUT))
    remainder = budget - F.sum(F.least(size, F.col(_CUT)) * count).over(whole)
    return cuts.select(*keys, _CUT, remainder.alias(_REMAINDER))


def _limits(histogram: DataFrame) -> DataFrame:
    """Return parent_id, cut, last: the place among the larger children, by draw, where the remainder ends."""
    larger = F.when(F.col(_SIZE) > F.col(_CUT), F.col(_COUNT)).otherwise(0)
    earlier = Window.partitionBy(Col.parent_id).orderBy(Col.bucket).rowsBetween(Window.unboundedPreceding, -1)
    buckets = (
        histogram.groupBy(Col.parent_id, Col.bucket, _CUT, _REMAINDER)
        .agg(F.sum(larger).alias(_LARGER))
        .withColumn(_BEFORE, F.coalesce(F.sum(_LARGER).over(earlier), F.lit(0)))
    )
    last = last_place(F.col(_BEFORE), F.col(_LARGER), F.col(_REMAINDER))
    return buckets.groupBy(Col.parent_id, _CUT).agg(last.alias(_LAST))
