"""The nodes of a config, and which stand on which: everything about a run that needs no Spark."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.config import Config
from equipoise.errors import ConfigError
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import Slice, Table
from equipoise.schemas.table import Value

AnyNode = Node[Any]


class Graph:
    """Nodes in an order in which they can run, with edges by what is made.

    Each stage of the registry sees the graph of those before it, so there is no way to write a cycle.
    """

    def __init__(self, config: Config, stages: Sequence[Stage[Any]]) -> None:
        """Asks every stage for its nodes.

        Raises:
            ConfigError: two nodes of a name, two that make one slice, rows that nobody makes, an option that does not
                fit.
        """
        self.config, self.stages = config, tuple(stages)
        self._nodes: dict[str, AnyNode] = {}
        self._parents: dict[str, tuple[str, ...]] = {}
        referred = {name for stage in stages for name in stage.refers_to(config)}
        names = [source.name for source in config.named_sources]
        self.pool = config.pool or tuple(name for name in names if name not in referred)
        for stage in stages:
            self._asking = stage
            for node in stage.nodes(config, self):
                self._add(node)

    @property
    def order(self) -> tuple[AnyNode, ...]:
        """All nodes, each after those that it stands on."""
        return tuple(self._nodes.values())

    def __getitem__(self, name: str) -> AnyNode:
        return self._nodes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def slices(self, table: Table, **where: Value) -> tuple[Slice, ...]:
        """What the nodes so far make of a table, as far as it has these values."""
        wanted = Slice(table, where)
        return tuple(part for node in self.order for part in node.makes if part.overlaps(wanted))

    def made(self, table: Table, **where: Value) -> tuple[Slice, ...]:
        """The same, for those who cannot do without.

        Raises:
            ConfigError: nobody makes any.
        """
        found = self.slices(table, **where)
        if not found and not self.config.named_sources:
            raise self.config.without_source(self._asking.family)
        if not found:
            there = {node.family for node in self.order} | {self._asking.family}
            makers = [one for one in self.stages if table in one.tables and one.family not in there]
            sections = " or ".join(repr(one.key or one.family) for one in makers) or "what it needs"
            of = "".join(f" of {name} {value!r}" for name, value in where.items())
            raise ConfigError(
                f"{self._asking.family} needs {table.name}{of}, which no section of config {self.config.name!r} "
                f"makes: add {sections}"
            )
        return found

    def maker(self, part: Slice) -> AnyNode:
        """The first node that makes some of a slice; there must be one."""
        return next(node for node in self.order if any(own.overlaps(part) for own in node.makes))

    def sieves(self, sources: Iterable[str]) -> tuple[str, ...]:
        """The nodes so far whose drops are left out by all that comes later, where they are about such sources."""
        mine = set(sources)
        return tuple(node.name for node in self.order if node.is_sieve and mine & set(node.sources))

    def parents(self, name: str) -> tuple[str, ...]:
        """The nodes that one stands on, in order."""
        return self._parents[name]

    def ancestors(self, name: str) -> tuple[AnyNode, ...]:
        """Those, what they stand on, and so on; in order."""
        found = set(self._parents[name])
        for node in reversed(self.order):
            if node.name in found:
                found.update(self._parents[node.name])
        return tuple(node for node in self.order if node.name in found)

    def descendants(self, name: str, also: Mapping[str, Sequence[str]] | None = None) -> set[str]:
        """All that stand on one, directly or not.

        Args:
            name: the node.
            also: more nodes by what they stood on: those of a record that the config names no longer.
        """
        edges: dict[str, Sequence[str]] = {**(also or {}), **self._parents}
        found, new = {name}, {name}
        while new:
            new = {one for one, parents in edges.items() if one not in found and found & set(parents)}
            found |= new
        return found - {name}

    def _add(self, node: AnyNode) -> None:
        if node.name in self._nodes:
            raise ConfigError(f"config {self.config.name!r} has two steps named {node.name!r}: names must differ")
        for part in node.makes:
            rivals = [other.name for other in self.order for own in other.makes if own.overlaps(part)]
            if rivals:
                raise ConfigError(f"{node.name} and {rivals[0]} both make {part}: drop one, or make them differ")
        if node.drops is not None and node.drops not in node.makes:
            raise ConfigError(f"{node.name} drops {node.drops}, which is none of what it makes")
        standing = {other.name for other in self.order if _gives(other, node)} | set(node.after)
        self._parents[node.name] = tuple(other for other in self._nodes if other in standing)
        self._nodes[node.name] = node


def _gives(maker: AnyNode, node: AnyNode) -> bool:
    return any(own.overlaps(need) for own in maker.makes for need in node.needs)
