"""What a source blocks: the first line of its funnel, before a byte of an item is read."""

from contextlib import ExitStack

from pyspark.sql import DataFrame

from equipoise.config import Place
from equipoise.pipeline.blocking import with_blocked
from equipoise.pipeline.reasons import BLOCKED_DOMAIN, BLOCKED_URL
from equipoise.runs.context import Context
from equipoise.schemas import Col
from equipoise.sources.block_lists import block_lists, list_states
from equipoise.stages.ingest import Ingestion
from equipoise.stages.ingest.verdicts import Verdicts


def states(context: Context, settings: Ingestion) -> dict[str, int | None]:
    """The state of the lists, by path: what was made with others is not gone on with."""
    return {} if settings.source.blocks is None else list_states(settings.source.blocks)


def blocked(context: Context, settings: Ingestion, raw: DataFrame, stack: ExitStack) -> DataFrame:
    """Raw items with the verdict of the source's lists, where it has some and they have addresses of pages."""
    if settings.source.blocks is None or Col.url not in raw.columns:
        return raw
    lists = block_lists(context.spark, settings.source.blocks, Place(settings.place))
    stack.callback(lists.destroy)
    return with_blocked(raw, lists)


def tell_blocked(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    """Tells how many items the lists took out, none included."""
    if settings.source.blocks is not None:
        counts = ", ".join(f"{judged.count(reason):,} {reason}" for reason in (BLOCKED_DOMAIN, BLOCKED_URL))
        context.progress.message(f"{context.node.name}: by its lists, of {judged.total:,} items: {counts}")
