"""SemDeDup in rounds: each clusters what remains anew and drops some of it. Knows neither clustering nor pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, derived_seed
from equipoise.pipeline.components import Components, Told, silent
from equipoise.pipeline.duplicates import rerooted
from equipoise.pipeline.items import filter_without
from equipoise.pipeline.quotas import Checkpoint
from equipoise.pipeline.rules import check_at_least_one
from equipoise.pipeline.sampling import first_items
from equipoise.pipeline.semdedup import SEMDEDUP
from equipoise.schemas import Col

_SHARPEST = 2.0**62
"""Times this, similarities as floats become integers in the same order."""
LINKS = (Col.item_id, Col.kept_id, Col.similarity, Col.method)

Cluster = Callable[[DataFrame, int, int], DataFrame]
"""(remaining: item_id; k; seed) -> assignments: item_id, cluster_id, distance_sq."""
Pairs = Callable[[DataFrame, DataFrame], DataFrame]
"""(remaining, assignments) -> edges inside clusters above the threshold: src, dst, similarity."""
Decide = Callable[[DataFrame, DataFrame, int], DataFrame]
"""(edges, assignments, seed) -> rows of ``duplicates``: :func:`equipoise.pipeline.semdedup.grouped` or ``ranked``."""


@dataclass(frozen=True)
class Schedule:
    """How often, and how far down.

    Attributes:
        rounds: at most.
        k: clusters of the first round; 1: no clustering, all items are one cluster.
        smallest_mean: items a cluster, on average, below which k falls with what remains; absent: it never does.
        target_keep: items that are to remain; absent: as many as all rounds leave.
        seed: every round has one of its own from it.
        n_apart: items that are in no cluster, and never go: vectors of zeros.
        k_given: clusters of the first round, where they are there already, however many.

    Raises:
        ConfigError: one is below 1.
    """

    rounds: int
    k: int
    smallest_mean: int | None = None
    target_keep: int | None = None
    seed: int = 0
    n_apart: int = 0
    k_given: int | None = None

    def __post_init__(self) -> None:
        check_at_least_one(rounds=self.rounds, k=self.k, smallest_mean=self.smallest_mean, target_keep=self.target_keep)

    def clusters_of(self, n_items: int) -> int:
        """The k of a round over so many items: never more than there are to cluster."""
        return max(1, min(self.k, (n_items - self.n_apart) // (self.smallest_mean or 1)))

    def k_of(self, number: int, n_items: int) -> int:
        """The k of a round, from 1, over so many items."""
        return self.k_given if number == 1 and self.k_given is not None else self.clusters_of(n_items)

    def seed_of(self, number: int) -> int:
        """The seed of a round, from 1."""
        return derived_seed(self.seed, Purpose.SEMDEDUP, number)


@dataclass(frozen=True)
class Round:
    """What a round did; ``dropped`` (:data:`LINKS`): each item with the one that stayed for it in that round."""

    number: int
    k: int
    seed: int
    n_before: int
    n_dropped: int
    dropped: DataFrame

    @property
    def n_after(self) -> int:
        """Items that remain."""
        return self.n_before - self.n_dropped

    def text(self) -> str:
        """As a line for the user."""
        return f"semdedup: round {self.number}, k = {self.k:,}: {self.n_dropped:,} dropped, {self.n_after:,} remain"


@dataclass(frozen=True)
class Steps:
    """What the rounds are made of; see the types for what each takes and gives."""

    cluster: Cluster
    pairs: Pairs
    decide: Decide
    components: Components
    checkpoint: Checkpoint
    cluster_first: Cluster | None = None
    """In the first round, where that is another."""


def in_rounds(
    items: DataFrame,
    n_items: int,
    schedule: Schedule,
    *,
    steps: Steps,
    done: Sequence[Round] = (),
    ended: Callable[[Round], Round] = lambda one: one,
    told: Told = silent,
) -> tuple[DataFrame, list[Round]]:
    """Run rounds until there are enough of them or little enough remains. Runs the jobs of the steps.

    They also end when a round over all items as one cluster drops nothing: no later one would. The round that would
    leave fewer than ``target_keep`` drops only so many that exactly those remain, the most similar first (of equals the
    lowest id): groups may stay in part.

    Args:
        items: item_id BIGINT, unique.
        n_items: how many.
        schedule: how often, and how far down.
        steps: what a round does. ``checkpoint`` is called with what a round drops and with what remains.
        done: the rounds that a run which was broken off had finished, in order.
        ended: called with every new round; gives back the round as it is used from then on: where a caller writes down
            what it dropped, with that as it is read back.
        told: called with a line a round.

    Returns:
        Rows as :data:`equipoise.pipeline.duplicates.ROWS` (component: what goes, directly or over items that went
        later, for one item; the similarity is that of the round in which it went; the method "semdedup:" and its
        number), and all rounds: the curve of what remains.

    Raises:
        ConfigError: ``target_keep`` is above the items that there are.

    Source: "Less is More?" (2025), section 4: N rounds, each of which clusters what the one before left.
    """
    check_target(schedule.target_keep, n_items)
    rounds, remaining = list(done), items.select(Col.item_id)
    if rounds:
        remaining = steps.checkpoint(filter_without(remaining, _dropped_in(rounds)))
    while not _is_enough(rounds, n_items, schedule):
        n_before = rounds[-1].n_after if rounds else n_items
        rounds.append(ended(_round(remaining, n_before, len(rounds) + 1, schedule=schedule, steps=steps)))
        remaining = steps.checkpoint(filter_without(remaining, rounds[-1].dropped))
        told(rounds[-1].text())
    return rerooted(_dropped_in(rounds), components=steps.components), rounds


def check_target(target_keep: int | None, n_items: int) -> None:
    """Checks that no more items are to remain than there are.

    Raises:
        ConfigError: more are.
    """
    if target_keep is not None and target_keep > n_items:
        raise ConfigError(f"target_keep is {target_keep:,} and the pool has {n_items:,} items: lower it")


def _dropped_in(rounds: Sequence[Round]) -> DataFrame:
    return reduce(DataFrame.unionByName, [one.dropped.select(*LINKS) for one in rounds])


def _is_enough(rounds: Sequence[Round], n_items: int, schedule: Schedule) -> bool:
    if not rounds:
        return False
    last = rounds[-1]
    is_settled = last.k == 1 and not last.n_dropped
    return len(rounds) >= schedule.rounds or last.n_after <= (schedule.target_keep or 0) or is_settled


def _round(remaining: DataFrame, n_before: int, number: int, *, schedule: Schedule, steps: Steps) -> Round:
    k, seed = schedule.k_of(number, n_before), schedule.seed_of(number)
    cluster = steps.cluster_first if steps.cluster_first and number == 1 else steps.cluster
    assignments = cluster(remaining, k, seed)
    rows = steps.decide(steps.pairs(remaining, assignments), assignments, seed)
    method = F.lit(f"{SEMDEDUP}:{number}").alias(Col.method)
    dropped = steps.checkpoint(rows.where(~F.col(Col.is_kept)).select(Col.item_id, Col.kept_id, Col.similarity, method))
    found = Round(number, k, seed, n_before, dropped.count(), dropped)
    surplus = (schedule.target_keep or 0) - found.n_after
    if surplus <= 0:
        return found
    n_wanted = found.n_dropped - surplus
    closest = _most_similar(dropped, n_wanted)
    return replace(found, n_dropped=n_wanted, dropped=steps.checkpoint(closest))


def _most_similar(dropped: DataFrame, n: int) -> DataFrame:
    """The ``n`` most similar of :data:`LINKS`."""
    order = (-F.col(Col.similarity).cast("double") * F.lit(_SHARPEST)).cast("bigint")
    first = first_items(dropped.select(Col.item_id, order.alias(Col.draw)), n)
    return dropped.join(first, Col.item_id, "left_semi")
