"""All of a new stage: this file, and a line in the registry. It counts the items of the pool."""

from collections.abc import Iterator

from pydantic import PositiveInt

from equipoise.config import Config, Section
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import METRICS, POOL, Col, Slice


class Toy(Section):
    """How often an item counts."""

    times: PositiveInt = 1


class Killed(BaseException):
    """As by SIGKILL: nobody handles it."""


deaths: list[str] = []
"""When a work is to die: before or after it has written."""


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Toy]]:
    """One, where the config has the section."""
    section = TOY.of(config)
    if section is not None:
        yield Node(
            TOY.family,
            section,
            "stages.toy_stage:work",
            sources=so_far.pool,
            needs=so_far.made(POOL),
            makes=(Slice(METRICS, {Col.stage: TOY.family}),),
        )


def work(context: Context, settings: Toy) -> Account:
    """One metric."""
    if "before" in deaths:
        deaths.remove("before")
        raise Killed
    n_items = context.rows(POOL).count()
    row = (context.run_id, TOY.family, "pool", "n_counted", "all", float(settings.times * n_items))
    context.write(METRICS, context.spark.createDataFrame([row], METRICS.schema))
    if "after" in deaths:
        deaths.remove("after")
        raise Killed
    return Account(n_items, n_items)


TOY: Stage[Toy | None] = Stage("toy", "count the items", nodes, section=Toy | None, tables=(METRICS,))
