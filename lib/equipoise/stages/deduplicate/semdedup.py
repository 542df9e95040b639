"""Vectors -> what SemDeDup leaves: rounds, each of which clusters what remains and looks for pairs inside clusters."""

from dataclasses import replace
from functools import partial

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import EqualVectorsError, NoVectorsError
from equipoise.evaluation.names import N_REMAINING, THRESHOLD
from equipoise.pipeline.blocks import is_zero
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.hierarchy import fit_hierarchy
from equipoise.pipeline.means import distances_to_means, one_cluster
from equipoise.pipeline.neighbours import ZEROS_ALONE, neighbour_pairs_within
from equipoise.pipeline.rounds import Round, Schedule, Steps, check_target, in_rounds
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.search import Search
from equipoise.pipeline.semdedup import SEMDEDUP, grouped, ranked
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import DUPLICATE_EDGES, METRICS, Col
from equipoise.stages.deduplicate import Rounds
from equipoise.stages.deduplicate.other_run import Given, clusters_given
from equipoise.stages.deduplicate.rows import POOL, edge_rows, metric_rows, write_duplicates

DROPPED = "dropped:"
"""Of the links that a round writes down, each from what goes to what it goes for; the round's number follows."""


def check(context: Context, settings: Rounds) -> None:
    """Looks whether there can be rounds over the items, before those that were are replaced.

    Raises:
        ConfigError: more are to be kept than there are.
        InputError: the run whose clusters are used has not all of the items.
    """
    check_target(settings.rule.target_keep, context.n_items())
    if settings.rule.clusters:
        clusters_given(context, settings.rule.clusters.run)


def drop(context: Context, settings: Rounds) -> Account:
    """Writes what every round drops as it ends, so that a run that was killed goes on after it; then what stays.

    Raises:
        ConfigError: more are to be kept than there are.
        InputError: the run whose clusters are used has not all of the items.
        NoVectorsError: all vectors are zeros.
    """
    n_items, rule = context.n_items(), settings.rule
    assert context.node.seed is not None
    n_zeros = context.vectors().where(is_zero(Col.embedding)).count()
    if n_zeros == n_items:
        raise NoVectorsError(ZEROS_ALONE)
    given = clusters_given(context, rule.clusters.run) if rule.clusters else None
    schedule = Schedule(
        rule.rounds, rule.k or 1, rule.smallest_mean, rule.target_keep, seed=context.node.seed, n_apart=n_zeros
    )
    schedule = replace(schedule, k_given=given.k if given else None)
    rows, rounds = in_rounds(
        context.vectors().select(Col.item_id),
        n_items,
        schedule,
        steps=_steps(context, settings, given),
        done=_done(context, schedule, n_items),
        ended=partial(_written, context, settings),
        told=context.progress.message,
    )
    drops = write_duplicates(context, rows)
    curve = [(N_REMAINING, f"round={one.number}", float(one.n_after)) for one in rounds]
    context.write(METRICS, metric_rows(context, [(THRESHOLD, POOL, settings.threshold), *curve], drops))
    return Account(n_items, n_items - sum(drops.values()), drops=drops)


def _steps(context: Context, settings: Rounds, given: Given | None) -> Steps:
    components = partial(connected_components, checkpoint=cut_plan)
    rule = settings.rule
    vectors = context.vectors().where(~is_zero(Col.embedding))  # without a direction: like none, and in no cluster

    def of(remaining: DataFrame) -> DataFrame:
        return vectors.join(remaining.select(Col.item_id), Col.item_id, "left_semi")

    def cluster(remaining: DataFrame, k: int, seed: int) -> DataFrame:
        return _clustered(of(remaining), k, seed=seed, iterations=rule.iterations)

    def placed(remaining: DataFrame, k: int, seed: int) -> DataFrame:
        assert given is not None, "there are clusters"
        members = given.clusters.join(remaining.select(Col.item_id), Col.item_id, "left_semi")
        return cut_plan(distances_to_means(members, of(remaining)))

    def pairs(remaining: DataFrame, assignments: DataFrame) -> DataFrame:
        search = Search(settings.threshold, seed=int(context.node.seed or 0))
        with neighbour_pairs_within(of(remaining), assignments, search) as found:
            return cut_plan(found)

    def decide(edges: DataFrame, assignments: DataFrame, seed: int) -> DataFrame:
        if rule.form == "groups":
            return grouped(edges, assignments, components=components)
        return ranked(edges, assignments, components=components, order=rule.order, seed=seed)

    return Steps(cluster, pairs, decide, components, cut_plan, cluster_first=placed if given else None)


def _clustered(vectors: DataFrame, k: int, *, seed: int, iterations: int) -> DataFrame:
    """Assignments to k clusters; to one where vectors are all equal, as those are."""
    if k == 1:
        return cut_plan(one_cluster(vectors))
    try:
        fitted = fit_hierarchy(vectors, [k], metric="cosine", seed=seed, iterations=iterations)
    except EqualVectorsError:
        return cut_plan(one_cluster(vectors))
    assert isinstance(fitted.assignments, DataFrame), "a DataFrame was clustered"
    assignments = cut_plan(fitted.assignments)
    fitted.unpersist()  # else those of all rounds are held
    return assignments


def _written(context: Context, settings: Rounds, one: Round) -> Round:
    links = one.dropped.select(
        F.col(Col.item_id).alias(Col.src), F.col(Col.kept_id).alias(Col.dst), F.col(Col.similarity)
    )
    kind = f"{DROPPED}{one.number}"
    context.append(DUPLICATE_EDGES, edge_rows(context, links, encoder_id=settings.encoder_id, kind=kind))
    return replace(one, dropped=_links(context, one.number))


def _links(context: Context, number: int) -> DataFrame:
    """What a round dropped, as it was written down."""
    written = context.workspace.read(context.own(DUPLICATE_EDGES)).where(F.col(Col.kind) == f"{DROPPED}{number}")
    return written.select(
        F.col(Col.src).alias(Col.item_id),
        F.col(Col.dst).alias(Col.kept_id),
        Col.similarity,
        F.lit(f"{SEMDEDUP}:{number}").alias(Col.method),
    )


def _done(context: Context, schedule: Schedule, n_items: int) -> list[Round]:
    """The rounds that an attempt which was broken off wrote down; one that is not there dropped nothing."""
    if context.is_first_attempt:
        return []
    written = context.workspace.read(context.own(DUPLICATE_EDGES)).groupBy(Col.kind).count()
    counts = {int(row[Col.kind].removeprefix(DROPPED)): row["count"] for row in written.collect()}  # a row a round
    rounds: list[Round] = []
    for number in range(1, max(counts, default=0) + 1):
        n_before = rounds[-1].n_after if rounds else n_items
        k, seed, n_dropped = schedule.k_of(number, n_before), schedule.seed_of(number), counts.get(number, 0)
        rounds.append(Round(number, k, seed, n_before, n_dropped, _links(context, number)))
    return rounds
