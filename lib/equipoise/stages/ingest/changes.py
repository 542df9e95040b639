"""Items of the pool that are others by now, or gone: counted, told, and taken anew where the config says."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import Place
from equipoise.runs.context import Context
from equipoise.schemas import Col
from equipoise.stages.ingest import Ingestion

CHANGED_SINCE = "in_pool_but_changed_since"
REPLACE = "replace"


def is_replacing(settings: Ingestion) -> bool:
    """Whether changed items are taken anew."""
    return settings.source.changed == REPLACE


def other_contents(items: DataFrame, pool: DataFrame) -> DataFrame:
    """The ids (item_id) of changed items whose contents are others: a file may have another time and be the same."""
    changed = items.where(F.col(Col.is_changed)).select(Col.item_id, Col.content_hash)
    before = pool.select(Col.item_id, Col.content_hash)
    return changed.join(before, [Col.item_id, Col.content_hash], "left_anti").select(Col.item_id)


def tell_changes(context: Context, settings: Ingestion, *, n_changed: int, n_gone: int) -> None:
    """Tells the user, a line each; nothing where nothing changed.

    Args:
        context: of the node.
        settings: of the source.
        n_changed: items with another time, size, content or vector than the pool's.
        n_gone: items of the source in the pool that the source no longer has, or that can no longer be used.
    """
    name = context.node.name
    if n_changed and is_replacing(settings):
        context.progress.message(f"{name}: {n_changed:,} items changed since the pool took them: they are taken anew")
    elif n_changed:
        context.progress.message(
            f"{name}: {n_changed:,} items changed since the pool took them, and their old contents and vectors are "
            f"used: {Place(settings.place).key('changed')}: {REPLACE} takes them anew"
        )
    if n_gone > 0:
        context.progress.message(
            f"{name}: {n_gone:,} items of the pool are no longer in the source, or cannot be used by now, and stay in "
            f"the pool: --force {name} in the run that took them leaves them out"
        )
