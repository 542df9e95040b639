"""Pairs that are stored -> which items are copies, of what, and which of them stay."""

from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.evaluation.names import STORED_ABOVE, THRESHOLD
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import against_sets, duplicates, filter_above
from equipoise.pipeline.keeping import Keep
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.thresholds import threshold_leaving
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import DUPLICATE_EDGES, EMBEDDINGS, METRICS, Col
from equipoise.stages.deduplicate import Groups
from equipoise.stages.deduplicate.rows import AGAINST, COPIES, POOL, metric_rows, write_duplicates


def group(context: Context, settings: Groups) -> Account:
    """Writes what is copied, of what, and what stays. Reads no vector, unless the one that stays is told by them.

    Raises:
        ConfigError: no threshold leaves so many items.
        InputError: the attribute that tells which item stays has no value.
    """
    edges, is_of_set = context.rows(DUPLICATE_EDGES), F.col(Col.kind).startswith(AGAINST)
    if not isinstance(settings.keep, str):
        _check_filled(context, settings.keep.attribute)
    n_items, own = context.n_items(), edges.where(~is_of_set)
    threshold = _threshold(settings, own, n_items)
    if settings.target_keep is not None:
        context.progress.message(f"{context.node.name}: threshold {threshold:.6g}, for target_keep")
    copies = own.where(F.col(Col.kind) == COPIES)  # whatever the threshold
    rows = _rows(context, settings, copies.unionByName(filter_above(own.where(F.col(Col.kind) == POOL), threshold)))
    if settings.against:
        near = filter_above(edges.where(is_of_set), settings.against.threshold)
        rows = against_sets(rows, near.withColumn(Col.source, F.expr(f"substring({Col.kind}, {len(AGAINST) + 1})")))
    drops = write_duplicates(context, rows)
    context.write(METRICS, metric_rows(context, [(THRESHOLD, POOL, threshold)], drops))
    return Account(n_items, n_items - sum(drops.values()), drops=drops)


def check(context: Context, settings: Groups) -> None:
    """Looks whether groups can be made of the pairs that are stored, before others that were made of them are replaced.

    Raises:
        ConfigError: pairs are stored from above the threshold on, or no threshold leaves so many items.
        InputError: the attribute that tells which item stays has no value.
    """
    _check_stored(context, settings)
    if not isinstance(settings.keep, str):
        _check_filled(context, settings.keep.attribute)
    own = context.rows(DUPLICATE_EDGES).where(~F.col(Col.kind).startswith(AGAINST))
    _threshold(settings, own, context.n_items() if settings.target_keep else 0)


def _threshold(settings: Groups, own: DataFrame, n_items: int) -> float:
    """The one of the config, or that above it which leaves so many of the items; ``own``: pairs of the pool."""
    if settings.target_keep is None:
        return settings.threshold
    always = F.when(F.col(Col.kind) == COPIES, F.lit(float("inf")).cast("float")).otherwise(F.col(Col.similarity))
    edges = own.withColumn(Col.similarity, always)
    return threshold_leaving(edges, settings.target_keep, n_items=n_items, lowest=settings.threshold)


def _rows(context: Context, settings: Groups, edges: DataFrame) -> DataFrame:
    by_attribute = None if isinstance(settings.keep, str) else settings.keep.attribute
    keep = Keep(attribute=by_attribute) if by_attribute else Keep(str(settings.keep))
    has_vectors = any(part.table is EMBEDDINGS for part in context.node.needs)
    return duplicates(
        edges,
        components=partial(connected_components, checkpoint=cut_plan, told=context.progress.message),
        keep=keep,
        items=context.items(),
        vectors=context.vectors() if has_vectors else None,
    )


def _check_filled(context: Context, attribute: str) -> None:
    """An attribute that no item has would leave the lowest ids, which nobody asked for. Some items may lack it."""
    value = F.col(Col.attributes).getItem(F.lit(attribute))
    if context.items().where(value.isNotNull()).isEmpty():
        raise InputError(
            f"deduplicate.keep.attribute: no item has a value of {attribute!r}, so that it cannot tell which "
            "one stays: check the source's data, or take another rule"
        )


def _check_stored(context: Context, settings: Groups) -> None:
    """Pairs below what is stored were never looked for."""
    wanted = {POOL: settings.threshold}
    wanted |= (
        {f"{AGAINST}{name}": settings.against.threshold for name in settings.against.sources}
        if settings.against
        else {}
    )
    rows = context.rows(METRICS).where(F.col(Col.name) == STORED_ABOVE).collect()  # a row a kind of pairs
    stored = {row[Col.group]: row[Col.value] for row in rows}
    for kind, threshold in wanted.items():
        if threshold < stored[kind]:
            what = "threshold" if kind == POOL else "against.threshold"
            raise ConfigError(
                f"deduplicate.{what}: {threshold:g} is below {stored[kind]:g}, from where on pairs are stored: raise "
                "it, or have them looked for again by --force deduplicate"
            )
