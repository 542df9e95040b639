"""The stage ``ingest``: the user's data -> the pool; ready-made vectors -> the embeddings too."""

from collections import Counter
from contextlib import ExitStack

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import EmbeddingsSource
from equipoise.encoders import given_encoder_id
from equipoise.errors import InputError
from equipoise.pipeline.content import with_content
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import (
    ALREADY_IN_POOL,
    embedding_rows,
    filter_new,
    pool_rows,
    reason_counts,
    rejects,
    vector_lengths,
    with_finite_vectors,
    with_item_id,
    with_verdict,
)
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from equipoise.sources import content_kind, keeps_content, raw_items

STAGE = "ingest"
# A task reads this many files; beyond the most tasks, more of them.
_FILES_PER_TASK = 1024
_MOST_TASKS = 20_000


def ingest(context: StageContext) -> Account:
    """Adds the items of the source that the pool does not hold yet; the unusable go to the rejects.

    Raises:
        InputError: the source cannot be read, has vectors of different lengths, or nothing that can be used.
    """
    has_vectors = isinstance(context.config.pool_source, EmbeddingsSource)
    context.progress.message("ingest: listing the source")
    with ExitStack() as stack:
        judged = stack.enter_context(persisted(_judged(context, has_vectors)))
        found = _counts(judged)
        if has_vectors:
            _check_lengths(context, judged)
            taken = filter_new(judged)
        else:
            context.progress.message(f"ingest: reading {found[None]:,} new items of {found.total():,}")
            taken = stack.enter_context(persisted(_read(context, judged, found[None])))
        n_out = _counts(taken)[None]
        _write(context, judged, taken)
        if n_out + found[ALREADY_IN_POOL] == 0:
            raise InputError(_nothing_usable(context, judged, taken))
    drops = {ALREADY_IN_POOL: found[ALREADY_IN_POOL]} if found[ALREADY_IN_POOL] else {}
    return Account(found.total(), n_out, found.total() - n_out - sum(drops.values()), drops)


def _judged(context: StageContext, has_vectors: bool) -> DataFrame:
    source = context.config.pool_source
    raw = raw_items(context.spark, source)
    items = with_item_id(with_finite_vectors(raw) if has_vectors else raw, source.source_name)
    return with_verdict(items, context.read(POOL))


def _read(context: StageContext, judged: DataFrame, n_items: int) -> DataFrame:
    source = context.config.pool_source
    n_tasks = min(_MOST_TASKS, max(1, -(-n_items // _FILES_PER_TASK)))
    spread = filter_new(judged).repartition(n_tasks, Col.item_id)
    return with_content(spread, content_kind(source), keep=keeps_content(source))


def _write(context: StageContext, judged: DataFrame, taken: DataFrame) -> None:
    """The pool comes last: what it holds counts as done when a killed run starts again."""
    source = context.config.pool_source
    refused = _refused(context, judged, taken)
    if not refused.isEmpty():
        context.workspace.insert_new(REJECTS, refused)
    if filter_new(taken).isEmpty():
        return
    if isinstance(source, EmbeddingsSource):
        name = given_encoder_id(source.source_name)
        context.workspace.insert_new(EMBEDDINGS, embedding_rows(taken, name), within={Col.encoder_id: name})
    context.workspace.insert_new(POOL, pool_rows(taken))


def _refused(context: StageContext, judged: DataFrame, taken: DataFrame) -> DataFrame:
    read, listed = (rejects(items, run_id=context.run_id, stage=STAGE) for items in (taken, judged))
    return read.unionByName(listed)


def _counts(items: DataFrame) -> Counter[str | None]:
    return Counter({reason: count for reason, count in reason_counts(items).collect()})


def _check_lengths(context: StageContext, judged: DataFrame) -> None:
    source = context.config.pool_source
    lengths = [tuple(row) for row in vector_lengths(judged).take(3)]
    if len(lengths) > 1:
        shown = ", ".join(f"{length} ({count:,} rows)" for length, count in lengths)
        raise InputError(
            f"source {source.source_name!r}: the vectors of {source.path} differ in length: {shown}; "
            "all vectors of a source must come from one encoder"
        )
    mine = F.col(Col.encoder_id) == given_encoder_id(source.source_name)
    before = context.read(EMBEDDINGS).where(mine).select(F.size(Col.embedding)).first()
    if lengths and before is not None and before[0] != lengths[0][0]:
        raise InputError(
            f"source {source.source_name!r}: the vectors of {source.path} have length {lengths[0][0]} "
            f"({lengths[0][1]:,} rows), those from before have {before[0]}; give these another source.name"
        )


def _nothing_usable(context: StageContext, judged: DataFrame, taken: DataFrame) -> str:
    source = context.config.pool_source
    causes = _counts(judged) + _counts(taken)
    del causes[None]
    shown = ", ".join(f"{reason} ({count:,})" for reason, count in causes.most_common())
    first = _refused(context, judged, taken).first()
    example = "no rows at all" if first is None else first[Col.detail]
    return (
        f"source {source.source_name!r}: no item of {source.path} can be used: {shown or 'it is empty'}; "
        f"for example: {example}; the table rejects names each item"
    )
