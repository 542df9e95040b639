"""Stages that only remember how they were called: two files of it are what a new capability would be."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from equipoise.config import Config, Section
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, METRICS, POOL, Col, Slice, Table

WORK = "runs.toys:work"
ACCOUNT = Account(10, 6, 1, {"already_in_pool": 2, "other": 1})


class Setting(Section):
    """Anything."""

    value: Any = None


@dataclass
class Calls:
    """What the works were called with; ``on`` breaks one off, or has it do something."""

    names: list[str] = field(default_factory=list)
    contexts: dict[str, Context] = field(default_factory=dict)
    on: dict[str, Callable[[Context], Any]] = field(default_factory=dict)

    def count(self, name: str) -> int:
        return self.names.count(name)


CALLS = Calls()


def work(context: Context, settings: Setting) -> Account:
    """The work of every toy: what the test asks for, once."""
    CALLS.names.append(context.node.name)
    CALLS.contexts[context.node.name] = context
    act = CALLS.on.pop(context.node.name, None)
    answer = act(context) if act else None
    return answer if isinstance(answer, Account) else ACCOUNT


def node(name: str, value: Any = None, **changes: Any) -> Node[Setting]:
    """A toy node."""
    return Node(name, Setting(value=value), WORK, **changes)


def stages_of(*nodes: Node[Any]) -> list[Stage[Any]]:
    """A stage for each node."""

    def asked(one: Node[Any]) -> Callable[[Config, Graph], list[Node[Any]]]:
        return lambda config, so_far: [one]

    return [Stage(one.family, "a toy", asked(one)) for one in nodes]


def graph_of(*nodes: Node[Any], **values: Any) -> Graph:
    """The graph of toy nodes."""
    return Graph(Config(name="toys", workspace="w", **values), stages_of(*nodes))


def part(table: Table, **where: Any) -> Slice:
    """A slice."""
    return Slice(table, where)


def pipeline(**changes: Any) -> list[Node[Setting]]:
    """A chain like the real one, with two selections and one that judges them; ``changes`` are values by name."""
    selected = [part(CURATED, selection=name) for name in ("a", "b")]
    return [
        node("ingest", changes.get("ingest"), sources=("s",), makes=(part(POOL, source="s"),)),
        node("cluster", changes.get("cluster"), sources=("s",), needs=(part(POOL, source="s"),),
             makes=(part(CENTROIDS), part(ASSIGNMENTS))),
        *(
            node(f"select:{one.where[Col.selection]}", changes.get(str(one.where[Col.selection])),
                 needs=(part(CENTROIDS), part(ASSIGNMENTS)), makes=(one,))
            for one in selected
        ),
        node("evaluate", changes.get("evaluate"), needs=tuple(selected), makes=(part(METRICS, stage="evaluate"),),
             judges=True),
        node("benchmark", changes.get("benchmark"), makes=(part(METRICS, stage="benchmark"),), judges=True),
    ]  # fmt: skip
