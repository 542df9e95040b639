"""Items and their vectors -> pairs that are alike, each once, with their cosine."""

from contextlib import ExitStack
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.evaluation.names import N_PAIRS, PAIR_RECALL, STORED_ABOVE
from equipoise.pipeline.duplicates import copy_edges
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.hashes import with_decoded_hash
from equipoise.pipeline.items import filter_without
from equipoise.pipeline.neighbour_lists import nearest_pairs, recall_on_sample
from equipoise.pipeline.neighbours import neighbour_pairs, neighbour_pairs_between
from equipoise.pipeline.search import Search
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import DUPLICATE_EDGES, EMBEDDINGS, METRICS, Col
from equipoise.stages.deduplicate import Pairs
from equipoise.stages.deduplicate.rows import AGAINST, COPIES, POOL, edge_rows, metric_rows


def find(context: Context, settings: Pairs) -> Account:
    """Writes the pairs of the pool, and those with the sets that it is held against. Drops nothing.

    Exact copies come first: of these the one with the lowest id alone is held against others.

    Raises:
        InputError: no vectors but zeros, of the pool or of a set, or too many for the memory of a task.
    """
    if not context.is_first_attempt:
        context.workspace.clear(context.own(DUPLICATE_EDGES))
    n_items = context.n_items()
    with ExitStack() as stack:
        copies = stack.enter_context(persisted(copies_of(context, settings)))
        vectors = filter_without(context.vectors(*settings.pool), copies.select(F.col(Col.dst).alias(Col.item_id)))
        alike = _alike(context, settings, vectors, stack)
        partly = _partly(context, settings, n_items)
        alike |= {kind: stack.enter_context(persisted(alike[kind])) for kind in partly}
        nearest = {kind: nearest_pairs(pairs, settings.neighbours) for kind, pairs in alike.items()}
        stored = {COPIES: copies, **nearest}
        rows = [edge_rows(context, pairs, encoder_id=settings.encoder_id, kind=kind) for kind, pairs in stored.items()]
        context.write(DUPLICATE_EDGES, reduce(DataFrame.unionByName, rows))
        recall = [_recall(context, settings, kind, vectors, alike[kind]) for kind in partly]
    context.write(METRICS, metric_rows(context, [*_measured(context, settings), *recall]))
    return Account(n_items, n_items)


def _measured(context: Context, settings: Pairs) -> list[tuple[str, str, float]]:
    """How many pairs of each kind are stored, and from where on."""
    stored = context.workspace.read(context.own(DUPLICATE_EDGES)).groupBy(Col.kind).count()
    counted = {row[Col.kind]: float(row["count"]) for row in stored.collect()}  # a row a kind
    floors = {POOL: settings.floor, **{f"{AGAINST}{name}": settings.against_floor for name in settings.against}}
    values = [(STORED_ABOVE, kind, floor) for kind, floor in floors.items()]
    return values + [(N_PAIRS, kind, counted.get(kind, 0.0)) for kind in (COPIES, *floors)]


def _partly(context: Context, settings: Pairs, n_items: int) -> list[str]:
    """The kinds of pairs that are looked for in neighbouring clusters alone."""
    counts = {POOL: n_items, **{f"{AGAINST}{name}": context.counted(EMBEDDINGS, name) for name in settings.against}}
    search = search_of(context, settings, settings.floor)
    return [kind for kind, count in counts.items() if not search.is_exact(n_items, count)]


def _recall(
    context: Context, settings: Pairs, kind: str, vectors: DataFrame, pairs: DataFrame
) -> tuple[str, str, float]:
    name = kind.removeprefix(AGAINST)
    others = None if kind == POOL else context.vectors(name)
    search = search_of(context, settings, settings.floor if others is None else settings.against_floor)
    found = recall_on_sample(vectors, pairs, search, others=others)
    context.progress.message(
        f"{context.node.name}: {found.share:.2%} of the pairs of {found.n_items:,} items "
        f"{'' if others is None else f'with {name!r} '}found"
    )
    return PAIR_RECALL, kind, found.share


def copies_of(context: Context, settings: Pairs) -> DataFrame:
    """Pairs of items with equal contents, each copy in one."""
    items = context.items()
    if settings.exact_copies == "none":
        return copy_edges(items.limit(0))
    return copy_edges(with_decoded_hash(items) if settings.exact_copies == "contents" else items)


def _alike(context: Context, settings: Pairs, vectors: DataFrame, stack: ExitStack) -> dict[str, DataFrame]:
    """The pairs by kind: lazy, as long as the stack is open."""
    found = {POOL: stack.enter_context(neighbour_pairs(vectors, search_of(context, settings, settings.floor)))}
    for name in settings.against:
        search = search_of(context, settings, settings.against_floor)
        between = neighbour_pairs_between(vectors, context.vectors(name), search)
        try:
            found[f"{AGAINST}{name}"] = stack.enter_context(between)
        except InputError as error:
            error.add_note(f"the pool was held against {name!r} of deduplicate.against.sources")
            raise
    return found


def search_of(context: Context, settings: Pairs, threshold: float) -> Search:
    """What is sought above a threshold."""
    assert context.node.seed is not None
    return Search(
        threshold,
        seed=context.node.seed,
        exact_limit=settings.exact_limit,
        probes=settings.probes,
        task_bytes=settings.task_bytes,
        say=lambda text: context.progress.message(f"{context.node.name}: {text}"),
    )
