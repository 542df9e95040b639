"""The clusters of another run of the workspace: whether they are there, of what vectors, and of which items.

It is read outside of the graph, which has the nodes of its own run alone: the state of that clustering is part of the
fingerprint, so that what was made of it is refused, or made again, where it was replaced.
"""

from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError, RunError
from equipoise.pipeline.blocks import is_zero
from equipoise.runs.context import Context
from equipoise.runs.record import Event, Record
from equipoise.runs.run import read_record
from equipoise.schemas import ASSIGNMENTS, EMBEDDINGS, Col, Slice, Table, slice_of
from equipoise.stages.deduplicate import Rounds

KEY = "deduplicate.semdedup.clusters.run"
_DIGITS = 15
"""Of a fingerprint that a BIGINT holds."""


@dataclass(frozen=True)
class Given:
    """``clusters`` (item_id, cluster_id BIGINT), ``k`` of them."""

    clusters: DataFrame
    k: int


def check(context: Context, settings: Rounds) -> None:
    """Looks whether the run is there, is clustered, and by vectors of the same encoder.

    Raises:
        RunError: it is not.
    """
    if settings.rule.clusters is None:
        return
    run_id = settings.rule.clusters.run
    if run_id == context.run_id:
        raise RunError(f"{KEY}: {run_id!r} is this run itself, whose clusters come later: name another, or give k")
    record = read_record(context.workspace, run_id)
    if not record.events:
        raise RunError(f"{KEY}: workspace {context.workspace.given!r} has no run {run_id!r}: check the name, or give k")
    event = _clustering(record)
    if event is None:
        raise RunError(f"{KEY}: run {run_id!r} has not finished its clustering: go on with it, or give k")
    encoders = _encoders(record, event)
    if settings.encoder_id not in encoders:
        raise RunError(
            f"{KEY}: run {run_id!r} clustered vectors of {', '.join(sorted(encoders))}, not of {settings.encoder_id}, "
            "of which copies are looked for: name another run, or give k"
        )


def states(context: Context, settings: Rounds) -> dict[str, int | None]:
    """Which clustering it is, as a number."""
    if settings.rule.clusters is None:
        return {}
    run_id = settings.rule.clusters.run
    event = _clustering(read_record(context.workspace, run_id))
    return {f"clusters of run {run_id}": int(event.fingerprint[:_DIGITS], 16) if event else None}


def clusters_given(context: Context, run_id: str) -> Given:
    """The clusters of the items of a finished run; runs a job.

    Raises:
        InputError: it lacks some of this run's items. Vectors of zeros are in no cluster, and not missed.
    """
    rows = context.workspace.read(Slice(ASSIGNMENTS).of_run(run_id)).select(Col.item_id, Col.cluster_id)
    wanted = context.vectors().where(~is_zero(Col.embedding)).select(Col.item_id)
    lacking = F.min(F.when(F.col(Col.cluster_id).isNull(), F.col(Col.item_id)))
    counts = F.count("*"), F.count(Col.cluster_id), F.count_distinct(F.col(Col.cluster_id)), lacking
    n_items, n_placed, k, example = wanted.join(rows, Col.item_id, "left").agg(*counts).collect()[0]  # one row
    if n_placed < n_items:
        raise InputError(
            f"{KEY}: run {run_id!r} clustered {n_placed:,} of these {n_items:,} items, and not item {example}: "
            "name a run over the same sources that dropped none of them, or give k"
        )
    return Given(rows, int(k))


def _clustering(record: Record) -> Event | None:
    """The finished step that put items into clusters."""
    return next((one for one in record.events if record.is_done(one.stage) and _made(one, ASSIGNMENTS)), None)


def _encoders(record: Record, clustering: Event) -> set[str]:
    """The ids of the encoders whose vectors were clustered."""
    makers = filter(None, map(record.get, clustering.stands_on))
    return {str(part.where[Col.encoder_id]) for maker in makers for part in _made(maker, EMBEDDINGS)}


def _made(event: Event, table: Table) -> list[Slice]:
    return [part for part in map(slice_of, event.made) if part is not None and part.table is table]
