"""The copies that a run found, as a report shows them: pairs, groups, and what is left."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from equipoise.evaluation.duplicates import IS_NEAR, duplicate_totals, largest_duplicates
from equipoise.evaluation.names import N_PAIRS, N_REMAINING, PAIR_RECALL, STORED_ABOVE, THRESHOLD
from equipoise.evaluation.pairs import IS_ABOVE, bars, pairs_near, similarity_counts
from equipoise.pipeline.frames import persisted
from equipoise.report.duplicates import DuplicateGroup, Duplicates, Member, Pair, Pairs
from equipoise.report.items import Item
from equipoise.runs.account import Account
from equipoise.runs.tables import MOST_KEPT, RunTables
from equipoise.schemas import DUPLICATE_EDGES, DUPLICATES, METRICS, Col, Slice
from equipoise.stages.deduplicate import FAMILY, GROUPS, PAIRS
from equipoise.stages.deduplicate.rows import AGAINST, COPIES, POOL
from equipoise.stages.deduplicate.semdedup import DROPPED
from equipoise.studies.report.tree import read_items

DUPLICATE_GROUPS, DUPLICATE_ITEMS = 8, 6
PAIRS_OF_A_SIDE, MOST_BARS, MOST_SETS = 8, 40, 6


@dataclass
class _Found:
    """What the finished steps of a run say of copies."""

    run: RunTables
    stages: Sequence[str]

    @cached_property
    def measured(self) -> dict[tuple[str, str], float]:
        """Values by measure and group."""
        rows = self.run.rows(METRICS).where(self.is_mine).collect()  # some a kind of pairs, one a round
        return {(row[Col.name], row[Col.group]): row[Col.value] for row in rows}

    @property
    def is_mine(self) -> Column:
        return F.col(Col.stage).isin(list(self.stages))

    @property
    def account(self) -> Account | None:
        """Of the step that decides what goes."""
        events = (self.run.record.get(name) for name in self.stages if name != PAIRS)
        return next((event.account for event in events if event), None)

    @property
    def sets(self) -> list[str]:
        return list(self.run.settings(PAIRS).get("against") or ()) if PAIRS in self.stages else []

    @property
    def thresholds(self) -> dict[str, float]:
        """Those that were used, by kind of pairs."""
        own = self.measured.get((THRESHOLD, POOL))
        if own is None:
            return {}
        if GROUPS not in self.stages:
            return {DROPPED: own}
        near = (self.run.settings(GROUPS).get("against") or {}).get("threshold")
        return {POOL: own} | ({f"{AGAINST}{name}": near for name in self.sets} if near is not None else {})

    @property
    def kinds(self) -> list[str]:
        """Of the pairs that have a threshold, the pool's first."""
        return [POOL, *(f"{AGAINST}{name}" for name in self.sets)] if PAIRS in self.stages else [DROPPED]

    @property
    def edges(self) -> DataFrame:
        """The stored pairs; of SemDeDup those of all rounds are of one kind. Kept where they are not many."""
        n_pairs = sum(value for (name, _), value in self.measured.items() if name == N_PAIRS)
        is_small = n_pairs <= MOST_KEPT
        whole = Slice(DUPLICATE_EDGES).of_run(self.run.run_id)
        rows = self.run.rows(DUPLICATE_EDGES) if is_small else self.run.workspace.read(whole)
        is_of_round = F.col(Col.kind).startswith(DROPPED)
        kind = F.when(is_of_round, F.lit(DROPPED)).otherwise(F.col(Col.kind))
        return rows.where(self.is_mine).withColumn(Col.kind, kind)


def read_duplicates(run: RunTables, *, curated: DataFrame) -> Duplicates | None:
    """The copies of the run; None, and nothing is read, where it looked for none."""
    stages = run.done(FAMILY)
    if not stages:
        return None
    found = _Found(run, stages)
    counts = _counts(found.edges)
    kinds = found.kinds[: 1 + MOST_SETS]
    near = _near(found, kinds)
    totals, largest = _largest(found)
    ids = {row[name] for row in near for name in (Col.src, Col.dst)}
    ids |= {row[name] for row in largest for name in (Col.item_id, Col.kept_id)}
    items = read_items(run, sorted(ids), curated=curated)
    account = found.account
    return Duplicates(
        n_in=account.n_in if account else None,
        n_out=account.n_out if account else None,
        drops=account.drops if account else {},
        n_items=totals[Col.n_items] if totals else 0,
        n_groups=totals[Col.n_groups] if totals else 0,
        groups=_groups(largest, items),
        pairs=[_pairs(found, kind, counts.get(kind, {}), near=near, items=items) for kind in kinds],
        n_kinds_left_out=len(found.kinds) - len(kinds),
        n_copies=sum(counts.get(COPIES, {}).values()),
        neighbours=run.settings(PAIRS).get("neighbours") if PAIRS in stages else None,
        remaining=_remaining(found),
    )


def _counts(edges: DataFrame) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    for row in similarity_counts(edges).collect():  # so many steps a kind; kinds are few
        counts.setdefault(row[Col.kind], {})[row[Col.bucket]] = row[Col.n_items]
    return counts


def _near(found: _Found, kinds: Sequence[str]) -> list[Row]:
    thresholds = {kind: found.thresholds[kind] for kind in kinds if kind in found.thresholds}
    if not thresholds:
        return []
    return pairs_near(found.edges, thresholds, PAIRS_OF_A_SIDE).collect()  # so many a side and kind


def _largest(found: _Found) -> tuple[Row | None, list[Row]]:
    """Counts of what has copies, and the largest groups; nothing is read where nothing went."""
    if found.account is None or not found.account.n_dropped:
        return None, []
    is_of_set = F.col(Col.kind).startswith(AGAINST)
    near = found.edges.where(is_of_set).select(Col.src, Col.dst).distinct()
    with persisted(found.run.rows(DUPLICATES).where(found.is_mine)) as duplicates:
        totals = duplicate_totals(duplicates).collect()[0]  # one row
        first = largest_duplicates(duplicates, near, groups=DUPLICATE_GROUPS, items=DUPLICATE_ITEMS)
        return totals, first.collect()  # so many items of so many groups


def _pairs(
    found: _Found, kind: str, counts: Mapping[int, int], *, near: Sequence[Row], items: Mapping[int, Item]
) -> Pairs:
    edges, joined = bars(counts, most=MOST_BARS)
    rows = sorted((row for row in near if row[Col.kind] == kind), key=lambda row: int(row[Col.rank]))

    def side(is_above: bool) -> list[Pair]:
        own = [row for row in rows if row[IS_ABOVE] == is_above]
        return [Pair(items[row[Col.src]], items[row[Col.dst]], row[Col.similarity]) for row in own]

    return Pairs(
        n=sum(counts.values()),
        edges=edges,
        counts=joined,
        threshold=found.thresholds.get(kind),
        of=_set_of(kind),
        stored_above=found.measured.get((STORED_ABOVE, kind)),
        recall=found.measured.get((PAIR_RECALL, kind)),
        above=side(True),
        below=side(False),
        is_of_drops=kind == DROPPED,
    )


def _groups(largest: Sequence[Row], items: Mapping[int, Item]) -> list[DuplicateGroup]:
    def size(row: Row) -> tuple[int, str, int]:
        return -row[Col.n_items], row[Col.stage], row[Col.component_id]

    groups = []
    for (negative, *_), rows in groupby(sorted(largest, key=lambda row: (size(row), row[Col.rank])), size):
        members = list(rows)
        head = members[0][Col.kept_id]
        others = [
            Member(items[row[Col.item_id]], row[Col.similarity], _note(row, head))
            for row in members
            if not row[Col.is_kept]
        ]
        groups.append(DuplicateGroup(-negative, items[head], others, of=_set_of(members[0][Col.method])))
    return groups


def _note(row: Row, head: int) -> str:
    """What the similarity of an item is to, or when it went, where the group's head does not say it."""
    number = row[Col.method].partition(":")[2]
    if (of := _set_of(row[Col.method])) is None:
        return f"round {number}" if number else ""
    if not row[IS_NEAR]:
        return "in the group"
    return "" if row[Col.kept_id] == head else f"another of {of}"


def _set_of(kind: str) -> str | None:
    return kind.removeprefix(AGAINST) if kind.startswith(AGAINST) else None


def _remaining(found: _Found) -> list[int]:
    """The items before the first round and after each; empty where there are no rounds."""
    by_round = {int(group.partition("=")[2]): n for (name, group), n in found.measured.items() if name == N_REMAINING}
    before = [found.account.n_in] if found.account and by_round else []
    return before + [int(by_round[number]) for number in sorted(by_round)]
