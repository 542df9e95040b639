"""Connected components of edges between items: on the driver where they fit, on Spark as long as they do not."""

from collections.abc import Callable
from functools import reduce

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels import components as kernel
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.blocks import arrays_frame
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.quotas import Checkpoint, draw_of
from equipoise.schemas import Col

DRIVER_EDGES = 50_000_000
"""Edges that the driver takes: some 6.5 GB of memory at the peak."""
MEMBERS = t.StructType([t.StructField(Col.item_id, t.LongType()), t.StructField(Col.component_id, t.LongType())])
WAYS = ((Col.src, Col.dst), (Col.dst, Col.src))
"""The two directions of an edge."""
_OWN, _OTHER, _FIRST, _NEW_SRC, _NEW_DST = "own", "other", "first", "new_src", "new_dst"

Told = Callable[[str], None]
Components = Callable[[DataFrame], DataFrame]
"""Edges (src, dst) -> (item_id, component_id): :func:`connected_components` with all but the edges given."""


def silent(line: str) -> None:
    """Tells nobody."""


def connected_components(
    edges: DataFrame, *, checkpoint: Checkpoint, told: Told = silent, driver_limit: int = DRIVER_EDGES
) -> DataFrame:
    """Find what hangs together. Runs jobs: two where the edges fit the driver, else some more a round.

    While there are more edges than the driver takes, a round contracts the graph: every item goes to the one among its
    neighbours and itself that a hash of the round puts first, and edges between those remain, each once. That takes a
    constant share of the items that still have edges away in expectation, whatever the graph (of a chain half of them),
    so rounds are O(log n); no item or hub is ever looked at with its neighbours in memory. The driver does the rest.

    Args:
        edges: src, dst BIGINT; copies, both directions and loops may be among them.
        checkpoint: called with frames whose plan has to be cut there, two a round: pass
            :func:`equipoise.pipeline.samples.cut_plan`, say.
        told: called with a line after every round.
        driver_limit: edges from which on Spark does the work; 0: it does all of it.

    Returns:
        item_id, component_id BIGINT (the lowest id of its component) of the items that have an edge to another one: the
        same whatever the partitioning and the limit.

    Source: randomised contraction, Boegeholz, Brand and Todor 2020, "In-database connected component analysis".
    """
    ends = edges.select(F.col(Col.src), F.col(Col.dst)).where(F.col(Col.src) != F.col(Col.dst))
    n_edges = ends.count()
    if n_edges <= driver_limit:
        return _on_driver(ends) if n_edges else _nothing(ends)
    ends, n_edges = _counted(_each_once(ends), checkpoint)
    rounds: list[DataFrame] = []
    while n_edges > driver_limit:
        rounds.append(checkpoint(_representatives(ends, len(rounds) + 1)))
        before, (ends, n_edges) = n_edges, _counted(_contracted(ends, rounds[-1]), checkpoint)
        told(f"components: round {len(rounds)}, {before:,} edges became {n_edges:,}")
    rest = _on_driver(ends) if n_edges else _nothing(ends)
    told(f"components: {len(rounds)} rounds on Spark, {n_edges:,} edges left for the driver")
    members = checkpoint(reduce(_led_on, reversed(rounds), rest))
    lowest = members.groupBy(Col.component_id).agg(F.min(Col.item_id).alias(_FIRST))
    found = members.join(lowest, Col.component_id, "inner")
    return found.select(Col.item_id, F.col(_FIRST).alias(Col.component_id))


def both_ways(edges: DataFrame, *others: str) -> DataFrame:
    """Every edge (src, dst) in both directions, with its ``others``."""
    ways = F.array(*(F.struct(F.col(a).alias(Col.src), F.col(b).alias(Col.dst)) for a, b in WAYS))
    way = edges.select(F.explode(ways).alias(_OWN), *others)
    return way.select(f"{_OWN}.{Col.src}", f"{_OWN}.{Col.dst}", *others)


def _on_driver(ends: DataFrame) -> DataFrame:
    found = ends.toPandas()  # within the limit
    src, dst = (found[name].to_numpy(np.int64) for name in (Col.src, Col.dst))
    columns = dict(zip(MEMBERS.names, kernel.components(src, dst), strict=True))
    return arrays_frame(ends.sparkSession, columns, MEMBERS)


def _nothing(ends: DataFrame) -> DataFrame:
    return ends.sparkSession.createDataFrame([], MEMBERS)


def _counted(ends: DataFrame, checkpoint: Checkpoint) -> tuple[DataFrame, int]:
    """Edges that stay, and how many.

    Spark takes a join to be as large as its sides' product, and a checkpoint hands that on: after a dozen rounds it has
    more digits than can be multiplied. Of what was persisted and counted Spark knows the size.
    """
    with persisted(ends) as kept:
        n_edges = kept.count()
        return checkpoint(kept), n_edges


def _each_once(ends: DataFrame) -> DataFrame:
    low, high = F.least(Col.src, Col.dst), F.greatest(Col.src, Col.dst)
    return ends.select(low.alias(Col.src), high.alias(Col.dst)).distinct()


def _representatives(ends: DataFrame, number: int) -> DataFrame:
    """Every item with an edge, and where it goes in this round: (item_id, component_id)."""

    def placed(item: str) -> Column:
        return F.struct(draw_of(0, Purpose.CONTRACTION, F.lit(number), F.col(item)), F.col(item).alias(_OTHER))

    first = both_ways(ends).groupBy(Col.src).agg(F.min(placed(Col.dst)).alias(_FIRST))
    chosen = F.least(F.col(_FIRST), placed(Col.src))
    return first.select(F.col(Col.src).alias(Col.item_id), chosen.getField(_OTHER).alias(Col.component_id))


def _contracted(ends: DataFrame, chosen: DataFrame) -> DataFrame:
    """Edges between those that the items went to."""
    new_src = chosen.select(F.col(Col.item_id).alias(Col.src), F.col(Col.component_id).alias(_NEW_SRC))
    new_dst = chosen.select(F.col(Col.item_id).alias(Col.dst), F.col(Col.component_id).alias(_NEW_DST))
    moved = ends.join(new_src, Col.src, "inner").join(new_dst, Col.dst, "inner")
    left = moved.select(F.col(_NEW_SRC).alias(Col.src), F.col(_NEW_DST).alias(Col.dst))
    return _each_once(left.where(F.col(Col.src) != F.col(Col.dst)))


def _led_on(later: DataFrame, chosen: DataFrame) -> DataFrame:
    """The items of one round, and where those that they went to ended."""
    ends = later.select(F.col(Col.item_id).alias(_OTHER), F.col(Col.component_id).alias(_FIRST))
    led = chosen.join(ends, chosen[Col.component_id] == ends[_OTHER], "left")
    return led.select(Col.item_id, F.coalesce(_FIRST, Col.component_id).alias(Col.component_id))
