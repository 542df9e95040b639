"""Raw items of a source -> what the pool does not hold yet."""

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from equipoise.config import ImagesSource, Place, TextsSource
from equipoise.errors import InputError
from equipoise.pipeline.content import with_content
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import (
    ALREADY_IN_POOL,
    embedding_rows,
    filter_new,
    filter_without,
    other_ids,
    pool_rows,
    rejects,
    vector_lengths,
    verdict_counts,
    with_finite_vectors,
    with_item_id,
    with_verdict,
)
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col, Slice
from equipoise.sources.reading import nothing_found, raw_items
from equipoise.stages.ingest import Ingestion

# A task reads this many files; beyond the most tasks, more of them.
_FILES_PER_TASK = 1024
_MOST_TASKS = 20_000
OWN, SHARED = "own", "shared"


@dataclass(frozen=True)
class Verdicts:
    """The items of the source with their verdicts, counted by reason; ``since`` is the pool's version before."""

    items: DataFrame
    counts: Mapping[str | None, Row]
    since: int | None

    def count(self, reason: str | None) -> int:
        """Items with a reason; None: those that are new."""
        row = self.counts.get(reason)
        return int(row[Col.n_items]) if row else 0

    @property
    def total(self) -> int:
        """All items."""
        return sum(int(row[Col.n_items]) for row in self.counts.values())


def ingest(context: Context, settings: Ingestion) -> Account:
    """Adds the items of the source that the pool does not hold yet; the unusable go to the rejects.

    Raises:
        InputError: the source cannot be read, has vectors of different lengths, ids that are another source's, or
            nothing that can be used.
    """
    context.progress.message(f"{context.node.name}: listing the source")
    with ExitStack() as stack:
        judged = _judged(context, settings, stack)
        taken, read = judged.items, Counter({reason: judged.count(reason) for reason in judged.counts})
        if settings.encoder_id is None:
            taken, read = _read(context, settings, judged, stack)
        n_out, n_known = read[None], judged.count(ALREADY_IN_POOL)
        n_rejected = judged.total - n_out - n_known
        n_before = n_known if context.is_first_attempt else _n_from_before(context, judged)
        if n_rejected:
            context.append(REJECTS, _refused(context, judged, taken))
        if settings.encoder_id is not None:
            _write_vectors(context, settings, taken, has_new=n_out > 0)
        if n_out:  # it comes last: what the pool holds counts as done when a killed run starts again
            context.insert_new(POOL, pool_rows(taken), since=judged.since)
        if n_out + n_known == 0:
            raise InputError(_nothing_usable(context, settings, judged, taken, read))
    drops = {ALREADY_IN_POOL: n_before} if n_before else {}
    n_taken = n_out + n_known - n_before
    return Account(judged.total, n_taken, n_rejected, drops, n_items=_n_held(context, settings, n_out, judged.since))


def _judged(context: Context, settings: Ingestion, stack: ExitStack) -> Verdicts:
    if not context.is_first_attempt:
        context.workspace.clear(context.own(REJECTS))
    raw = raw_items(context.spark, settings.source, Place(settings.place))
    raw = raw if settings.encoder_id is None else with_finite_vectors(raw)
    items = with_item_id(raw, settings.name, is_own_space=_id_space(settings) == OWN)
    since = context.version(POOL)
    pool = None if since is None else context.workspace.read(POOL, since)
    verdicts = stack.enter_context(persisted(with_verdict(items, pool)))
    judged = Verdicts(verdicts, {row[Col.reason]: row for row in verdict_counts(verdicts).collect()}, since)
    _check(context, settings, judged)
    return judged


def _check(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    place = Place(settings.place)
    if not judged.total:
        raise InputError(nothing_found(settings.source, place))
    n_foreign = sum(int(row[Col.n_clashes]) for row in judged.counts.values())
    if n_foreign and _id_space(settings) == SHARED:
        example = next(row[Col.given_id] for row in judged.counts.values() if row[Col.n_clashes])
        raise InputError(
            f"source {settings.name!r}: {n_foreign:,} of its {judged.total:,} ids are those of another source's items "
            f"in the pool, {example} for one; {place.key('id_space')}: own gives this source a space of its own, "
            "by hashes of source and id"
        )
    if judged.since is not None and judged.count(None) and _id_space(settings) is not None:
        _check_space(context, settings, judged)
    if settings.encoder_id is not None:
        _check_lengths(context, settings, judged)


def _check_space(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    """An item that comes by its other id would be there twice."""
    is_own = _id_space(settings) == OWN
    held = context.workspace.read(context.own(POOL), judged.since)
    n_twice = held.join(other_ids(judged.items, settings.name, is_own_space=is_own), Col.item_id, "left_semi").count()
    if n_twice:
        key = Place(settings.place).key("id_space")
        raise InputError(
            f"source {settings.name!r}: the pool has {n_twice:,} of its items by the ids of {key}: "
            f"{SHARED if is_own else OWN}, and by {OWN if is_own else SHARED} they would be there twice: keep that, "
            "give the source another name, or have its items forgotten and read anew by --force ingest"
        )


def _id_space(settings: Ingestion) -> str | None:
    """Where whole-number ids of the source live; None where its kind has none."""
    return getattr(settings.source, "id_space", None)


def _read(
    context: Context, settings: Ingestion, judged: Verdicts, stack: ExitStack
) -> tuple[DataFrame, Counter[str | None]]:
    """The new items with what their contents say, and how many of them can be used."""
    n_new = judged.count(None)
    context.progress.message(f"{context.node.name}: reading {n_new:,} new items of {judged.total:,}")
    if not n_new:
        return filter_new(judged.items), Counter()
    source = settings.source
    kind = source.kind if isinstance(source, ImagesSource | TextsSource) else None
    keep = isinstance(source, ImagesSource | TextsSource) and source.inline
    n_tasks = min(_MOST_TASKS, max(1, -(-n_new // _FILES_PER_TASK)))
    spread = filter_new(judged.items).repartition(n_tasks, Col.item_id)
    taken = stack.enter_context(persisted(with_content(spread, kind, keep=keep)))
    counts = {row[Col.reason]: int(row[Col.n_items]) for row in verdict_counts(taken).collect()}
    return taken, Counter(counts)


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


def _check_lengths(context: Context, settings: Ingestion, judged: Verdicts) -> None:
    rows = [row for row in judged.counts.values() if row[Col.longest] is not None]
    if not rows:
        return
    place = Place(settings.place)
    who = f"source {settings.name!r}: the vectors of {settings.source.path}"
    shortest, longest = min(row[Col.shortest] for row in rows), max(row[Col.longest] for row in rows)
    if shortest != longest:
        lengths = vector_lengths(judged.items).take(3)
        shown = ", ".join(f"{length} ({count:,} rows)" for length, count in lengths)
        raise InputError(f"{who} differ in length: {shown}; all vectors of a source must come from one encoder")
    if not context.workspace.exists(EMBEDDINGS):
        return
    of_encoder = Slice(EMBEDDINGS, {Col.encoder_id: str(settings.encoder_id)})
    before = context.workspace.read(of_encoder).select(F.size(Col.embedding)).first()
    if before is not None and before[0] != longest:
        n_rows = sum(int(row[Col.n_items]) for row in rows)
        raise InputError(
            f"{who} have length {longest} ({n_rows:,} rows), those from before have {before[0]}; "
            f"where another model made these, name it by {place.key('encoder')}"
        )


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
