"""The items of a source -> vectors, in chunks, so that a killed run goes on where it was."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError, RunError
from equipoise.pipeline.embedding import vectors, with_chunk
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import embedding_rows, filter_without, rejects
from equipoise.pipeline.told import told_by_workers
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import EMBEDDINGS, REJECTS, Col
from equipoise.stages.embed import Embedding

COMPARED = -1
"""No version: another run wrote to the table, so all chunks that follow are compared with what it has."""
ALREADY_EMBEDDED = "already_embedded"


@dataclass(frozen=True)
class Todo:
    """What is to be embedded: ``n_items`` go in, ``n_fresh`` of them were not there when the run began with it.

    ``since`` is the version of the embeddings that ``items`` were held against.
    """

    items: DataFrame
    n_items: int
    n_fresh: int
    n_rejected: int
    since: int | None


def embed(context: Context, settings: Embedding) -> Account:
    """Embeds the items of the source that this encoder has not embedded before.

    Raises:
        ConfigError: the encoder or its model is not to be had on the executors.
        InputError: not one item could be embedded.
        RunError: another run removed vectors meanwhile.
    """
    todo = _todo(context)
    n_refused, since = _embed_chunks(context, settings, todo)
    if since == COMPARED:
        _check_complete(context)
    n_rejected = todo.n_rejected + n_refused
    if n_rejected == todo.n_items:
        raise InputError(_nothing_embedded(context, settings, todo.n_items))
    n_before = todo.n_items - todo.n_fresh
    drops = {ALREADY_EMBEDDED: n_before} if n_before else {}
    return Account(todo.n_items, todo.n_fresh - n_rejected, n_rejected, drops, n_items=todo.n_items - n_rejected)


def _todo(context: Context) -> Todo:
    """What has no vector; of an attempt that was broken off also counts what it did, as of its beginning."""
    items = context.items().select(Col.item_id, Col.key, Col.uri, Col.content, Col.n_bytes)
    own = context.own(EMBEDDINGS)
    since = context.version(EMBEDDINGS)  # what comes later is compared by its keys
    if since is None and context.is_first_attempt:
        return Todo(items, n := context.n_items(), n, 0, None)
    fresh = filter_without(items, context.workspace.read(own, since))
    if context.is_first_attempt:
        return Todo(fresh, context.n_items(), fresh.count(), 0, since)
    refused = context.workspace.read(context.own(REJECTS))
    began = context.pins.get(EMBEDDINGS.name)
    n_fresh = filter_without(items, context.workspace.read(own, began)).count() if began is not None else None
    n_items = context.n_items()
    todo = filter_without(fresh, refused)
    return Todo(todo, n_items, n_items if n_fresh is None else n_fresh, refused.count(), since)


def _embed_chunks(context: Context, settings: Embedding, todo: Todo) -> tuple[int, int | None]:
    """Embeds and writes chunk by chunk; returns how many items were refused, and the version that it stands on."""
    # From the counts at the start of the run, so that a run that goes on cuts the same chunks.
    n_chunks, n_refused = -(-todo.n_fresh // settings.items_per_commit), 0
    since = todo.since
    if not n_chunks:
        return 0, since
    for items, size, n_before in _chunks(todo, n_chunks):
        context.progress.count(context.node.name, n_before, todo.n_fresh)
        encoded = vectors(
            items,
            settings.encoder,
            settings.options,
            wanted_id=settings.encoder_id,
            n_items=-(-todo.n_fresh // n_chunks),
            batch_size=settings.batch_size,
            tasks_per_gpu=settings.tasks_per_gpu,
        )
        refused, since = _write(context, settings, encoded, since)
        n_refused += refused
        context.progress.count(context.node.name, n_before + size, todo.n_fresh)
    return n_refused, since


def _check_complete(context: Context) -> None:
    """Looks whether what others wrote to the slice was more than what they added."""
    vectors = context.workspace.read(context.own(EMBEDDINGS), context.version(EMBEDDINGS))
    refused = context.workspace.read(context.own(REJECTS))
    n_gone = filter_without(filter_without(context.items(), vectors), refused).count()
    if n_gone:
        raise RunError(
            f"{n_gone:,} vectors that were there when {context.node.name} began are gone: another run replaced them "
            "by --force; start this run again, and it makes them"
        )


def _chunks(todo: Todo, n_chunks: int) -> Iterator[tuple[DataFrame, int, int]]:
    """The chunks that are to be done: their items, how many they are, and how many were done before.

    All items, with their contents, are read as often as there are groups of chunks, and of a group as often as it has
    chunks: the square root of their number each, in place of all items for every chunk.
    """
    if n_chunks == 1:
        yield todo.items, todo.n_fresh, 0
        return
    chunked = with_chunk(todo.items, n_chunks)
    counted = chunked.groupBy(Col.chunk).count().collect()  # a row a chunk
    sizes = sorted((int(chunk), int(size)) for chunk, size in counted)
    n_done = todo.n_fresh - sum(size for _, size in sizes)
    n_together = math.isqrt(n_chunks - 1) + 1
    for first in range(0, len(sizes), n_together):
        group = sizes[first : first + n_together]
        with persisted(chunked.where(F.col(Col.chunk).isin([chunk for chunk, _ in group]))) as items:
            for chunk, size in group:
                yield items.where(F.col(Col.chunk) == chunk), size, n_done
                n_done += size


def _write(context: Context, settings: Embedding, encoded: DataFrame, since: int | None) -> tuple[int, int | None]:
    """Writes a chunk: the refused, then the vectors; returns how many were refused, and the version that it made."""
    with persisted(encoded) as outcome:
        n_refused, n_encoded = _counts(outcome)
        if n_refused:
            context.append(REJECTS, rejects(outcome, run_id=context.run_id, stage=context.node.name))
        if n_encoded:
            rows = embedding_rows(outcome, settings.encoder_id, settings.source)
            version = context.insert_new(EMBEDDINGS, rows, since=since)
            is_alone = version == (0 if since is None else since + 1)
            since = version if is_alone else COMPARED
    return n_refused, since


def _counts(outcome: DataFrame) -> tuple[int, int]:
    """Items without and with a vector; the look is what runs the encoder.

    Raises:
        ConfigError: the workers found an option or a model wrong: the user can mend that.
    """
    is_refused = F.col(Col.reason).isNotNull()
    with told_by_workers():
        n_refused, n = outcome.agg(F.count(F.when(is_refused, 1)), F.count(F.lit(1))).collect()[0]  # one row
    return n_refused, n - n_refused


def _nothing_embedded(context: Context, settings: Embedding, n_in: int) -> str:
    example = context.workspace.read(context.own(REJECTS)).first()
    cause = "the pool holds none" if example is None else f"for example: {example[Col.reason]}: {example[Col.detail]}"
    return f"source {settings.source!r}: no item could be embedded, of {n_in:,} in the pool; {cause}"
