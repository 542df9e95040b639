"""SemDeDup in rounds: what each is given, when they end, and what remains."""

from dataclasses import dataclass, field
from functools import partial

import pytest
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.pipeline.components import connected_components
from equipoise.pipeline.duplicates import ROWS
from equipoise.pipeline.rounds import Schedule, Steps, in_rounds
from equipoise.pipeline.samples import cut_plan
from equipoise.pipeline.semdedup import grouped

COMPONENTS = partial(connected_components, checkpoint=cut_plan)


@dataclass
class Line:
    """Items 0 to n - 1 on a line: a round pairs neighbours among what remains, the nearer the more similar."""

    items: object
    calls: list = field(default_factory=list)

    def cluster(self, remaining, k, seed):
        self.calls.append((k, seed))
        distance = F.col("item_id").cast("float").alias("distance_sq")
        return remaining.select("item_id", F.lit(0).cast("bigint").alias("cluster_id"), distance)

    def pairs(self, remaining, assignments):
        ids = sorted(row.item_id for row in remaining.collect())
        pairs = [(a, b, 1 - (b + 1) / 128) for a, b in zip(ids[::2], ids[1::2], strict=False)]
        return self.items.sparkSession.createDataFrame(pairs, "src long, dst long, similarity float")

    def decide(self, edges, assignments, seed):
        return grouped(edges, assignments, components=COMPONENTS)

    def run(self, n_items, schedule, **options):
        steps = Steps(self.cluster, self.pairs, self.decide, components=COMPONENTS, checkpoint=cut_plan)
        return in_rounds(self.items, n_items, schedule, steps=steps, **options)


@pytest.fixture
def line(spark):
    return Line(spark.range(8).select(F.col("id").alias("item_id")))


def rows_of(frame):
    assert frame.columns == list(ROWS)
    return [tuple(row) for row in sorted(frame.collect())]


def test_every_round_clusters_what_remains_with_a_seed_of_its_own(line):
    lines = []
    rows, rounds = line.run(8, Schedule(rounds=2, k=4, smallest_mean=2, seed=9), told=lines.append)
    assert [(one.number, one.k, one.n_before, one.n_dropped, one.n_after) for one in rounds] == [
        (1, 4, 8, 4, 4), (2, 2, 4, 2, 2),
    ]  # fmt: skip
    assert [k for k, _ in line.calls] == [4, 2] and len({seed for _, seed in line.calls}) == 2
    # The farther of a pair stays: 1, 3, 5 and 7, of which 3 and 7.
    assert [(row[0], row[2], row[3], row[5]) for row in rows_of(rows)] == [
        (0, False, 3, "semdedup:1"), (1, False, 3, "semdedup:2"), (2, False, 3, "semdedup:1"),
        (3, True, 3, "semdedup:2"), (4, False, 7, "semdedup:1"), (5, False, 7, "semdedup:2"),
        (6, False, 7, "semdedup:1"), (7, True, 7, "semdedup:2"),
    ]  # fmt: skip
    assert lines[0] == "semdedup: round 1, k = 4: 4 dropped, 4 remain" and len(lines) == 2


def test_the_last_round_drops_the_most_similar_until_the_target_is_reached(line):
    rows, rounds = line.run(8, Schedule(rounds=9, k=1, target_keep=3))
    assert [one.n_after for one in rounds] == [4, 3]
    # Of the second round's pairs 1-3 and 5-7 the first is the more similar.
    assert [row[0] for row in rows_of(rows) if not row[2]] == [0, 1, 2, 4, 6]
    assert [row[0] for row in rows_of(rows) if row[2]] == [3, 5, 7]


def test_they_end_when_all_items_in_one_cluster_lose_none(line):
    _, rounds = line.run(8, Schedule(rounds=50, k=1))
    assert [one.n_after for one in rounds] == [4, 2, 1, 1]


def test_a_run_that_was_broken_off_goes_on_after_the_rounds_that_it_finished(line):
    schedule = Schedule(rounds=3, k=2, seed=1)
    rows, rounds = line.run(8, schedule)
    calls = list(line.calls)
    again, both = line.run(8, schedule, done=rounds[:1])
    assert line.calls == [*calls, *calls[1:]]
    assert rows_of(again) == rows_of(rows) and [one.n_after for one in both] == [4, 2, 1]


def test_what_a_round_dropped_is_used_as_it_was_written_down(line, spark):
    written = []

    def ended(one):
        written.append(one.number)
        return one

    line.run(8, Schedule(rounds=2, k=1), ended=ended)
    assert written == [1, 2]


@pytest.mark.parametrize(
    "n_items, k, smallest_mean, wanted",
    [(1000, 10, None, 10), (1000, 10, 100, 10), (999, 10, 100, 9), (50, 10, 100, 1), (5, 10, None, 5)],
)
def test_k_falls_with_what_remains_once_clusters_are_small(n_items, k, smallest_mean, wanted):
    assert Schedule(rounds=1, k=k, smallest_mean=smallest_mean).clusters_of(n_items) == wanted


def test_what_is_in_no_cluster_takes_none():
    assert Schedule(rounds=1, k=10, n_apart=3).clusters_of(5) == 2
    assert Schedule(rounds=1, k=10, smallest_mean=4, n_apart=3).clusters_of(11) == 2
    assert Schedule(rounds=1, k=10, n_apart=3).clusters_of(3) == 1


def test_a_schedule_without_rounds_and_a_target_above_the_pool_are_refused(line):
    with pytest.raises(ConfigError, match=r"^rounds is 0; it must be at least 1$"):
        Schedule(rounds=0, k=1)
    with pytest.raises(ConfigError, match=r"^target_keep is 9 and the pool has 8 items: lower it$"):
        line.run(8, Schedule(rounds=1, k=1, target_keep=9))
