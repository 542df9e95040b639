"""Raw items of a source -> what the pool does not hold yet."""

from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.pipeline.content import with_content
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import (
    ALREADY_IN_POOL,
    embedding_rows,
    filter_new,
    filter_without,
    pool_rows,
    rejects,
    verdict_counts,
    with_item_id,
    with_usable_vectors,
    with_verdict,
)
from equipoise.pipeline.told import told_by_workers
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col, Slice
from equipoise.sources.reading import passed_inside, passed_over, raw_items, read_carefully
from equipoise.sources.surveying import shown
from equipoise.stages.ingest import Ingestion
from equipoise.stages.ingest.blocking import blocked, tell_blocked
from equipoise.stages.ingest.changes import CHANGED_SINCE, is_replacing, other_contents, tell_changes
from equipoise.stages.ingest.verdicts import OWN, Verdicts, check, common_length, id_space

# A task reads this many files; beyond the most tasks, more of them.
_FILES_PER_TASK = 1024
_MOST_TASKS = 20_000


def ingest(context: Context, settings: Ingestion) -> Account:
    """Adds the items of the source that the pool does not hold yet; the unusable go to the rejects.

    Raises:
        InputError: the source cannot be read, has vectors of several lengths of which none is common, ids that are
            another source's, or nothing that can be used.
    """
    context.progress.message(f"{context.node.name}: listing the source")
    with ExitStack() as stack:
        judged = read_carefully(settings.source, partial(_judged, context, settings, stack))
        taken, read = judged.items, Counter({reason: judged.count(reason) for reason in judged.counts})
        n_anew = judged.n_changed if is_replacing(settings) else 0
        if settings.encoder_id is None:
            taken, read, n_anew = _read(context, settings, judged, stack)
        n_out, n_known = read[None], judged.count(ALREADY_IN_POOL)
        n_rejected = judged.total - n_out - n_known
        n_before = n_known if context.is_first_attempt else _n_from_before(context, judged)
        if n_rejected:
            context.append(REJECTS, _refused(context, judged, taken))
        if settings.encoder_id is not None:
            _write_vectors(context, settings, taken, has_new=n_out > 0)
        if n_out:  # it comes last: what the pool holds counts as done when a killed run starts again
            _add(context, settings, judged, taken)
        if n_out + n_known == 0:
            raise InputError(_nothing_usable(context, settings, judged, taken, read))
    n_changed = 0 if is_replacing(settings) else judged.n_changed
    drops = {ALREADY_IN_POOL: n_before - n_changed, CHANGED_SINCE: n_changed}
    n_held = _n_held(context, settings, n_out, judged.since)
    tell_changes(context, settings, n_changed=n_changed or n_anew, n_gone=n_held - n_out - n_known)
    some = {reason: count for reason, count in drops.items() if count}
    return Account(judged.total, n_out + n_known - n_before, n_rejected, some, n_items=n_held)


def _judged(context: Context, settings: Ingestion, stack: ExitStack, is_careful: bool) -> Verdicts:
    if not context.is_first_attempt:
        context.workspace.clear(context.own(REJECTS))
    raw = raw_items(context.spark, settings.source, Place(settings.place), is_careful=is_careful)
    raw = blocked(context, settings, raw, stack)
    passed = passed_over(context.spark, settings.source, Place(settings.place))
    if settings.encoder_id is None:
        judged = _verdicts(context, settings, raw, stack)
    else:
        judged = _verdicts(context, settings, with_usable_vectors(raw), stack)
        length = common_length(settings, judged)
        if length is not None:  # once more, lest one of another length stands in for a good one of the same id
            judged = _verdicts(context, settings, with_usable_vectors(raw, length=length), stack)
    judged = replace(judged, passed=passed + passed_inside(judged.items))
    if judged.passed:
        told = shown(judged.passed)
        context.progress.message(f"{context.node.name}: not looked at below {settings.source.path}: {told}")
    tell_blocked(context, settings, judged)
    check(context, settings, judged)
    return judged


def _verdicts(context: Context, settings: Ingestion, raw: DataFrame, stack: ExitStack) -> Verdicts:
    items = with_item_id(raw, settings.name, is_own_space=id_space(settings) == OWN)
    since = context.version(POOL)
    pool = None if since is None else context.workspace.read(POOL, since)
    judged = with_verdict(items, pool, vectors=_own_vectors(context, settings), takes_changed=is_replacing(settings))
    verdicts = stack.enter_context(persisted(judged))
    with told_by_workers():
        counts = {row[Col.reason]: row for row in verdict_counts(verdicts).collect()}  # a row a reason
    return Verdicts(verdicts, counts, since)


def _own_vectors(context: Context, settings: Ingestion) -> DataFrame | None:
    """Those that items of the source have already; None where they bring none, or there are none yet."""
    since = context.version(EMBEDDINGS) if settings.encoder_id is not None else None
    return None if since is None else context.workspace.read(context.own(EMBEDDINGS), since)


def _add(context: Context, settings: Ingestion, judged: Verdicts, taken: DataFrame) -> None:
    """What is new goes to the pool; what is taken anew in the place of what was there, after its vectors went."""
    if not (is_replacing(settings) and judged.n_changed):
        context.insert_new(POOL, pool_rows(taken), since=judged.since)
        return
    if settings.encoder_id is None:
        # What cannot be read by now stays as it was, its vectors included; so do those of contents that are the same.
        others = other_contents(filter_new(taken), context.workspace.read(POOL, judged.since))
        context.workspace.delete_items(Slice(EMBEDDINGS, {Col.source: settings.name}), others)
    context.replace_rows(POOL, pool_rows(taken))


def _read(
    context: Context, settings: Ingestion, judged: Verdicts, stack: ExitStack
) -> tuple[DataFrame, Counter[str | None], int]:
    """The new items with what their contents say, how many of them can be used, and of these, were there otherwise."""
    n_new = judged.count(None)
    context.progress.message(f"{context.node.name}: reading {n_new:,} new items of {judged.total:,}")
    if not n_new:
        return filter_new(judged.items), Counter(), 0
    source = settings.source
    n_tasks = min(_MOST_TASKS, max(1, -(-n_new // _FILES_PER_TASK)))
    spread = filter_new(judged.items).repartition(n_tasks, Col.item_id)
    taken = stack.enter_context(persisted(with_content(spread, source.content_kind, keep=source.is_kept_inline)))
    found = {row[Col.reason]: row for row in verdict_counts(taken).collect()}  # a row a reason
    n_anew = int(found[None][Col.n_changed]) if None in found else 0
    return taken, Counter({reason: int(row[Col.n_items]) for reason, row in found.items()}), n_anew


def _write_vectors(context: Context, settings: Ingestion, items: DataFrame, *, has_new: bool) -> None:
    """Adds those that are not there: an item may have come with another encoder.

    A new item's vector may be there, too: of a run that was killed before the pool had it, and of a file that may have
    changed since.
    """
    since = context.version(EMBEDDINGS)
    vectors = embedding_rows(items, str(settings.encoder_id), settings.name)
    if since is None:
        context.insert_new(EMBEDDINGS, vectors, since=None)
        return
    there = context.workspace.read(context.own(EMBEDDINGS), since)
    of_new = embedding_rows(filter_new(items), str(settings.encoder_id), settings.name)
    left = of_new.join(there.select(Col.item_id), Col.item_id, "left_semi")
    if has_new and not left.isEmpty():
        context.replace_rows(EMBEDDINGS, left)
    added = filter_without(vectors, there)
    if not added.isEmpty():
        context.insert_new(EMBEDDINGS, added, since=since)


def _n_from_before(context: Context, judged: Verdicts) -> int:
    """Of the items that the pool holds those that it held when the run began with them: the others are its own."""
    began = context.pins.get(POOL.name)
    if began is None:
        return 0
    known = judged.items.where(F.col(Col.reason) == ALREADY_IN_POOL)
    return known.join(context.workspace.read(POOL, began).select(Col.item_id), Col.item_id, "left_semi").count()


def _refused(context: Context, judged: Verdicts, taken: DataFrame) -> DataFrame:
    frames = [judged.items] if taken is judged.items else [taken, judged.items]
    first, *rest = (rejects(items, run_id=context.run_id, stage=context.node.name) for items in frames)
    for more in rest:
        first = first.unionByName(more)
    return first


def _n_held(context: Context, settings: Ingestion, n_out: int, since: int | None) -> int:
    """Items of the source in the pool; of ready-made vectors, those that have one."""
    if since is None:
        return n_out
    items = context.workspace.read(context.own(POOL), context.version(POOL))
    if settings.encoder_id is None:
        return items.count()
    vectors = context.workspace.read(context.own(EMBEDDINGS), context.version(EMBEDDINGS))
    return vectors.join(items.select(Col.item_id), Col.item_id, "left_semi").count()


def _nothing_usable(
    context: Context, settings: Ingestion, judged: Verdicts, taken: DataFrame, read: Counter[str | None]
) -> str:
    causes = read + Counter({reason: judged.count(reason) for reason in judged.counts if reason is not None})
    if taken is judged.items:
        causes = read
    causes.pop(None, None)
    shown = ", ".join(f"{reason} ({count:,})" for reason, count in causes.most_common())
    first = _refused(context, judged, taken).first()
    example = "no rows at all" if first is None else first[Col.detail]
    return (
        f"source {settings.name!r}: no item of {settings.source.path} can be used: {shown or 'it is empty'}; "
        f"for example: {example}; the table rejects names each item"
    )
