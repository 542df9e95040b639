"""Connected components on Spark and on the driver: networkx's, in few rounds, whatever the partitioning."""

import re

import networkx
import numpy as np
import pandas as pd
import pytest

from equipoise.pipeline.components import DRIVER_EDGES, connected_components
from equipoise.pipeline.samples import cut_plan

LIMITS = pytest.mark.parametrize("driver_limit", [DRIVER_EDGES, 0, 30], ids=["driver", "spark", "both"])


def frame_of(spark, src, dst):
    return spark.createDataFrame(pd.DataFrame({"src": np.asarray(src, np.int64), "dst": np.asarray(dst, np.int64)}))


def found(edges, **options) -> dict[int, int]:
    rows = connected_components(edges, checkpoint=cut_plan, **options).collect()
    assert len({row.item_id for row in rows}) == len(rows)
    return {row.item_id: row.component_id for row in rows}


def by_networkx(src, dst) -> dict[int, int]:
    graph = networkx.Graph((a, b) for a, b in zip(src, dst, strict=True) if a != b)
    return {item: min(group) for group in networkx.connected_components(graph) for item in group}


def random_edges(n_items: int, n_edges: int, *, seed: int = 0) -> tuple[list[int], list[int]]:
    """With copies, both directions and loops among them, and ids of any sign and size."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(-(2**63), 2**63, n_items)
    ends = ids[generator.integers(0, n_items, (2, n_edges))]
    src, dst = np.concatenate([ends, ends[::-1, :5], ends[:, :5]], axis=1).tolist()
    return [*src, src[0]], [*dst, src[0]]


@LIMITS
def test_components_of_random_graphs_are_those_of_networkx(spark, driver_limit):
    src, dst = random_edges(150, 60)
    edges, expected = frame_of(spark, src, dst), by_networkx(src, dst)
    assert len(set(expected.values())) > 10
    for partitions in (1, 5):
        assert found(edges.repartition(partitions), driver_limit=driver_limit) == expected


@LIMITS
def test_stars_and_what_hangs_on_them(spark, driver_limit):
    hubs = np.array([7, 10_007])
    leaves = np.arange(1, 501)
    src = np.concatenate([np.full(500, hub) for hub in hubs] + [[99_999]])
    dst = np.concatenate([hub + leaves for hub in hubs] + [[10_100]])
    assert found(frame_of(spark, src, dst), driver_limit=driver_limit) == by_networkx(src.tolist(), dst.tolist())


@LIMITS
def test_an_item_that_has_an_edge_to_itself_alone_is_in_no_component(spark, driver_limit):
    assert found(frame_of(spark, [3, 3, 3], [3, 4, 3]), driver_limit=driver_limit) == {3: 3, 4: 3}
    assert found(frame_of(spark, [3], [3]), driver_limit=driver_limit) == {}


def test_every_round_is_told_and_the_driver_takes_the_rest(spark):
    lines = []
    chain = np.arange(300)
    assert set(found(frame_of(spark, chain[:-1], chain[1:]), driver_limit=100, told=lines.append).values()) == {0}
    rounds = [re.fullmatch(r"components: round (\d+), (\d+) edges became (\d+)", line) for line in lines[:-1]]
    numbers, before, after = zip(*([int(value) for value in one.groups()] for one in rounds), strict=True)
    assert numbers == tuple(range(1, len(rounds) + 1)) and len(rounds) <= 4
    assert before == (299, *after[:-1]) and before[-1] > 100 >= after[-1] > 0
    assert lines[-1] == f"components: {len(rounds)} rounds on Spark, {after[-1]} edges left for the driver"


@pytest.mark.slow
def test_a_chain_of_100_000_takes_few_rounds(spark):
    lines = []
    order = np.random.default_rng(0).permutation(100_000)
    edges = frame_of(spark, order[:-1], order[1:])
    assert set(found(edges, driver_limit=0, told=lines.append).values()) == {0}
    print(*lines, sep="\n")
    assert len(lines) - 1 <= 24  # each halves it: 17 are expected


@pytest.mark.slow
def test_a_million_random_edges_take_at_most_20_rounds(spark):
    lines = []
    src, dst = np.random.default_rng(0).integers(0, 10**6, (2, 10**6))
    edges = frame_of(spark, src, dst)
    on_spark = connected_components(edges, checkpoint=cut_plan, driver_limit=0, told=lines.append)
    on_driver = connected_components(edges, checkpoint=cut_plan)
    print(*lines, sep="\n")
    assert len(lines) - 1 <= 20
    assert on_spark.exceptAll(on_driver).isEmpty() and on_spark.count() == on_driver.count()
