"""Balanced sampling from a cluster tree, as SQL: budgets down the tree, then ranks inside clusters.

Every choice is a function of the seed and the ids, so the same seed gives the same sample whatever the
partitioning, and a smaller target's selection lies inside a larger one's.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.quotas import (
    Checkpoint,
    bucket_of,
    draw_of,
    groups_below,
    is_within,
    last_place,
    ranked_by,
    reached_at,
    rolled_up,
    root_of,
    shared_down,
    unchanged,
    without_levels_above,
)  # fmt: skip
from equipoise.pipeline.rules import Rule, check_at_least_one, check_where
from equipoise.schemas import Col

RANKED_AT_ONCE = 1_000_000  # items of one group that one task sorts without cutting them up first
_ITEM_BUCKET_BITS = 16  # 65,536 buckets: a billion items are ranked 15,000 at a time
_FROM_CLUSTERS = "cluster"
_PART, _PLACE, _SURPLUS = "part", "place", "surplus"
_LAST, _COUNT, _BEFORE, _NEEDED = "last", "n", "before", "needed"


def count_levels(clusters: DataFrame) -> int:
    """Return the highest level of ``clusters`` (level INT), 0 where there is none. Runs a Spark job."""
    highest = clusters.agg(F.max(Col.level).alias(Col.level)).collect()[0]  # one row
    return int(highest[Col.level] or 0)


def available(clusters: DataFrame, *, levels: int, max_copies: int = 1, where: str | None = None) -> DataFrame:
    """Count what a selection can take at most: one row, n_items and copies (n_items x max_copies), BIGINT.

    Args:
        clusters: level, cluster_id, parent_id, n_items, and what ``where`` names.
        levels: height of the tree.
        max_copies: how often an item may be taken.
        where: keeps the clusters for which it is true, as in :func:`select`.
    """
    top = rolled_up(clusters, levels, where=where)[-1]
    n_items = F.coalesce(F.sum(Col.n_items), F.lit(0))
    return top.agg(n_items.alias(Col.n_items), (n_items * max_copies).alias(Col.copies))


def select(
    clusters: DataFrame,
    assignments: DataFrame,
    *,
    levels: int,
    seed: int,
    method: str = "hierarchical",
    within: str = "random",
    target: int | None = None,
    per_cluster: int | None = None,
    max_copies: int = 1,
    where: str | None = None,
    level: int | None = None,
    ranked_at_once: int = RANKED_AT_ONCE,
    checkpoint: Checkpoint = unchanged,
) -> DataFrame:
    """Select items so that clusters are represented evenly. Lazy: runs no Spark job, unless ``checkpoint`` does.

    Args:
        clusters: the tree of one run: level INT (1 = clusters of items), cluster_id BIGINT, parent_id BIGINT (the
            one above; not read at the top), n_items BIGINT (of level 1: its assignments), what ``where`` names.
        assignments: item_id BIGINT, cluster_id BIGINT (level 1), distance_sq FLOAT.
        levels: height of the tree, see :func:`count_levels`; clusters above that level play no part.
        seed: of all draws.
        method, within, target, per_cluster, max_copies, where, level: see :class:`equipoise.pipeline.rules.Rule`.
        ranked_at_once: clusters with more items are ranked in two steps, by salt first, to the same result.
        checkpoint: called with frames of clusters, two a level, whose plan is best cut there: pass
            :func:`cut_plan`, say. Without it, the plan of many levels is slow to make.

    Returns:
        item_id BIGINT, copies INT (at least 1), cluster_id BIGINT (level 1), origin STRING ("cluster").

    Raises:
        ConfigError: an argument outside of what is said there.

    Source: Vo et al. 2024, section 3.3; DESIGN section 3.
    """
    rule = Rule(method, within, target, per_cluster, max_copies, where, level)
    members = _members(clusters, assignments, rule, levels=levels, seed=seed, checkpoint=checkpoint)
    return taken(members, within=within, seed=seed, ranked_at_once=ranked_at_once)


def _members(
    clusters: DataFrame, assignments: DataFrame, rule: Rule, *, levels: int, seed: int, checkpoint: Checkpoint
) -> DataFrame:
    """The assignments of items whose clusters get a share, with what :func:`taken` needs to know of it."""
    check_at_least_one(levels=levels)
    if rule.where is not None:
        check_where(clusters.sparkSession, rule.where)
    lowest = rule.lowest(levels)
    sizes = rolled_up(clusters, levels, where=rule.where, checkpoint=checkpoint)
    if rule.method == "flat":
        sizes = without_levels_above(sizes, lowest)
    if rule.target is None:
        quota = F.least(F.col(Col.n_items) * rule.max_copies, F.lit(rule.per_cluster)).cast("bigint")
        shared = reached_at(sizes, lowest).select(Col.cluster_id, Col.n_items, quota.alias(Col.quota))
    else:
        copies = rule.max_copies
        shared = shared_down(sizes, lowest, target=rule.target, max_copies=copies, seed=seed, checkpoint=checkpoint)
    return assignments.join(groups_below(sizes, shared, lowest), Col.cluster_id, "inner")


def random_items(items: DataFrame, n: int, seed: int) -> DataFrame:
    """Select exactly ``n`` items (all, where there are fewer) at random: what a curated set is compared with.

    Args:
        items: item_id BIGINT, unique.
        n: items to select, not negative.
        seed: of the draws; their purpose is BASELINE, so the choice is independent of any selection's.

    Returns:
        item_id BIGINT.

    Raises:
        ConfigError: ``n`` is negative.
    """
    if n < 0:
        raise ConfigError(f"n is {n}: the number of random items cannot be negative")
    draw = draw_of(seed, Purpose.BASELINE, F.col(Col.item_id))
    return first_items(items.select(Col.item_id, draw.alias(Col.draw)), n)


def first_items(items: DataFrame, n: int) -> DataFrame:
    """Take the ``n`` items (all, where there are fewer) that come first by ``draw``, then by id.

    Args:
        items: item_id BIGINT, unique; draw BIGINT, spread over its whole range: only one of its buckets is sorted.
        n: how many, not negative.

    Returns:
        item_id BIGINT.
    """
    bucket = bucket_of(F.col(Col.draw), _ITEM_BUCKET_BITS).alias(Col.bucket)
    drawn = items.select(Col.item_id, Col.draw, bucket)
    counts = drawn.groupBy(Col.bucket).agg(F.count("*").alias(_COUNT)).crossJoin(F.broadcast(root_of(items)))
    whole = Window.partitionBy(Col.parent_id)
    every = whole.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    earlier = whole.orderBy(Col.bucket).rowsBetween(Window.unboundedPreceding, -1)
    needed = F.least(F.lit(n), F.sum(_COUNT).over(every)).alias(_NEEDED)
    before = F.coalesce(F.sum(_COUNT).over(earlier), F.lit(0)).alias(_BEFORE)
    buckets = counts.select(Col.bucket, _COUNT, needed, before)
    last = buckets.agg(last_place(F.col(_BEFORE), F.col(_COUNT), F.col(_NEEDED)).alias(_LAST))
    reached = drawn.crossJoin(F.broadcast(last)).where(F.col(Col.bucket) <= F.col(f"{_LAST}.{Col.bucket}"))
    place = F.row_number().over(ranked_by(F.col(Col.draw), Col.item_id, Col.bucket))
    ranked = reached.withColumn(Col.rank, place)
    return ranked.where(is_within(_LAST, F.col(Col.rank))).select(Col.item_id)


def taken(members: DataFrame, *, within: str, seed: int, ranked_at_once: int = RANKED_AT_ONCE) -> DataFrame:
    """Turn the quota q of a group of n items into copies: q div n each, one more where rank <= q mod n.

    A group of many items is ranked in parts first. Say q = 2 of n = 6 items, in parts of 3; by their order

        part 0: a1 a4 a5  -> ranks 1 2 3, of which a1 and a4 can be among the first 2 of the group
        part 1: a2 a3 a6  -> ranks 1 2 3, of which a2 and a3 can
        group:  a1 a2 a3 a4 -> ranks 1 2 3 4, and a1 and a2 are taken
    """
    item, size, quota = F.col(Col.item_id), F.col(Col.n_items), F.col(Col.quota)
    order = {
        "random": draw_of(seed, Purpose.WITHIN, item),
        "closest": F.col(Col.distance_sq).asc(),
        "farthest": F.col(Col.distance_sq).desc(),
    }[within]
    each, surplus = F.call_function("div", quota, size), F.col(_SURPLUS)
    part = F.pmod(draw_of(seed, Purpose.SALT, item), F.ceil(size / ranked_at_once))
    in_part = ranked_by(order, Col.item_id, Col.group_id, _PART)
    # Only who is early in its part can be early in its group: the others are left out, each part by itself.
    in_group = ranked_by(order, Col.item_id, Col.group_id, F.when(F.col(Col.rank) > surplus, F.col(_PART)))
    ranked = (
        members.withColumn(Col.copies, each).withColumn(_SURPLUS, F.pmod(quota, size)).withColumn(_PART, part)
        .withColumn(Col.rank, F.row_number().over(in_part))
        .where((F.col(Col.copies) > 0) | (F.col(Col.rank) <= surplus))
        .withColumn(_PLACE, F.greatest(F.col(Col.rank), F.row_number().over(in_group)))
    )  # fmt: skip
    copies = (F.col(Col.copies) + F.when(F.col(_PLACE) <= surplus, 1).otherwise(0)).cast("int")
    origin = F.lit(_FROM_CLUSTERS).alias(Col.origin)
    chosen = ranked.select(Col.item_id, copies.alias(Col.copies), Col.cluster_id, origin)
    return chosen.where(F.col(Col.copies) > 0)
