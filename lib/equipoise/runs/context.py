"""What a work gets: the rows that its node declared, and where its own go. There is no config: settings are all."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from pyspark.sql import DataFrame, SparkSession

from equipoise.pipeline.items import filter_without
from equipoise.runs.account import Account, Progress
from equipoise.runs.graph import AnyNode, Graph
from equipoise.runs.record import Record
from equipoise.schemas import EMBEDDINGS, POOL, Col, Slice, Table
from equipoise.schemas.table import Value
from equipoise.tables import Workspace
from equipoise.tables.commits import Commit


@dataclass(frozen=True)
class RunView:
    """A run as one node sees it: the graph, and what those before it left."""

    run_id: str
    graph: Graph
    record: Record
    workspace: Workspace

    def account_of(self, name: str) -> Account:
        """What a finished node counted."""
        event = self.record.get(name)
        assert event is not None and event.account is not None, f"{name} is finished"
        return event.account

    def version_of(self, part: Slice) -> int | None:
        """The version that the maker of a shared slice left; a run's own rows have one writer, and need none."""
        if part.table.is_of_run:
            return None
        maker = self.graph.maker(part)
        event = self.record.get(maker.name)
        own = next(one for one in maker.makes if one.overlaps(part))
        return None if event is None else event.made.get(own.path)

    def rows(self, parts: Sequence[Slice]) -> DataFrame:
        """The rows of slices of one table; those with one version are one read."""
        together: dict[tuple[int | None, frozenset[str]], list[Slice]] = defaultdict(list)
        for part in parts:
            together[self.version_of(part), frozenset(part.where)].append(part.of_run(self.run_id))
        frames = [self.workspace.read(one, version) for (version, _), some in together.items() for one in _merged(some)]
        return reduce(DataFrame.unionByName, frames)

    def without_drops(self, items: DataFrame, droppers: Sequence[AnyNode]) -> DataFrame:
        """The items that none of the nodes dropped, in one anti-join; none where the accounts say that all went on."""
        dropping = [node.drops for node in droppers if node.drops and self.has_dropped(node)]
        if not dropping:
            return items
        gone = [self.rows([part]).select(Col.item_id) for part in dropping]
        return filter_without(items, reduce(DataFrame.unionByName, gone))

    def has_dropped(self, node: AnyNode) -> bool:
        """Whether its account says that not all went on."""
        account = self.account_of(node.name)
        return account.goes_on < account.n_in


@dataclass(frozen=True)
class Context:
    """One node's surroundings."""

    spark: SparkSession
    node: AnyNode
    run: RunView
    progress: Progress
    is_first_attempt: bool = True
    pins: Mapping[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    """Versions of the tables that other runs share, by name, as this attempt found or left them; absent: not born."""

    @property
    def run_id(self) -> str:
        """The run."""
        return self.run.run_id

    @property
    def workspace(self) -> Workspace:
        """Its tables, for what others may add to while this node works: what they have by now."""
        return self.run.workspace

    def rows(self, table: Table, **where: Value) -> DataFrame:
        """The declared rows of a table, as their makers left them; ``where`` narrows them."""
        wanted = [part.within(**where) for part in self.node.needs if part.overlaps(Slice(table, where))]
        if not wanted:
            raise AssertionError(f"{self.node.name} did not declare that it needs {Slice(table, where)}")
        return self.run.rows(wanted)

    def items(self) -> DataFrame:
        """The items that go on: rows of the pool, less what the nodes before this one dropped."""
        return self.run.without_drops(self.rows(POOL), self.run.graph.ancestors(self.node.name))

    def vectors(self, *sources: str) -> DataFrame:
        """The declared vectors (item_id, embedding) of the items that go on: as they lie, where none was dropped.

        Who made them left out what it dropped: no join is needed for that. ``sources``: of these alone.
        """
        parts = [part for part in self.node.needs if part.table is EMBEDDINGS]
        parts = [part for part in parts if not sources or part.where[Col.source] in sources]
        vectors = self.run.rows(parts).select(Col.item_id, Col.embedding)
        return self.run.without_drops(vectors, self._droppers_of_vectors())

    def n_vectors(self) -> int:
        """How many of them are this run's: what their makers counted, or a job where others dropped some."""
        if any(self.run.has_dropped(node) for node in self._droppers_of_vectors()):
            return self.vectors().join(self.items().select(Col.item_id), Col.item_id, "left_semi").count()
        return self.counted(EMBEDDINGS)

    def counted(self, table: Table, *sources: str) -> int:
        """Items that the makers of the declared rows of a table left for those who stand on them.

        ``sources``: of these alone, where the table has a column of them.
        """
        return sum(self.run.account_of(name).goes_on for name in self._makers_of(table, sources))

    def n_items(self) -> int:
        """How many those are: what the makers of the pool counted, or a job where any node before dropped some."""
        makers = [node for node in self.run.graph.ancestors(self.node.name) if _makes(node, POOL, self.node.sources)]
        droppers = [node for node in self.run.graph.ancestors(self.node.name) if node.drops]
        if any(self.run.has_dropped(node) for node in droppers):
            return self.items().count()
        return sum(self.run.account_of(node.name).goes_on for node in makers)

    def _makers_of(self, table: Table, sources: Sequence[str] = ()) -> set[str]:
        parts = [part for part in self.node.needs if part.table is table]
        return {self.run.graph.maker(part).name for part in parts if not sources or part.where[Col.source] in sources}

    def _droppers_of_vectors(self) -> list[AnyNode]:
        makers = self._makers_of(EMBEDDINGS)
        return [node for node in self.run.graph.ancestors(self.node.name) if node.drops and node.name not in makers]

    def own(self, table: Table, **where: Value) -> Slice:
        """The slice of a table that this node makes, or a part of it; of this run, where runs own the rows."""
        part = next((part for part in self.node.makes if part.overlaps(Slice(table, where))), None)
        if part is None:
            raise AssertionError(f"{self.node.name} did not declare that it makes {Slice(table, where)}")
        return part.within(**where).of_run(self.run_id)

    def write(self, table: Table, rows: DataFrame, **where: Value) -> Commit:
        """Puts rows in the place of this node's slice, or of the part of it that has the values ``where``."""
        part = self.own(table, **where)
        # What was never written needs no predicate, whose look at the table costs three jobs.
        write = self.workspace.append if self.is_first_attempt else self.workspace.replace
        return self._noted(table, write(part, rows))

    def version(self, table: Table) -> int | None:
        """The version of a shared table that this attempt stands on: as it was found, or of this node's last commit."""
        return self.shared.get(table.name)

    def insert_new(self, table: Table, rows: DataFrame, *, since: int | None) -> int:
        """Adds rows to a slice that other runs share, which had none of them in version ``since`` of the table."""
        version = self.workspace.insert_new(self.own(table), rows, since=since)
        self.shared[table.name] = version
        return version

    def replace_rows(self, table: Table, rows: DataFrame) -> int:
        """Adds rows to a slice that other runs share, in the place of those that have their keys."""
        version = self.workspace.replace_rows(self.own(table), rows)
        self.shared[table.name] = version
        return version

    def append(self, table: Table, rows: DataFrame, **where: Value) -> Commit:
        """Adds rows that this node knows to be new."""
        return self._noted(table, self.workspace.append(self.own(table, **where), rows))

    def _noted(self, table: Table, commit: Commit) -> Commit:
        if not table.is_of_run:
            self.shared[table.name] = commit.version
        return commit


def _makes(node: AnyNode, table: Table, sources: Sequence[str]) -> bool:
    return any(part.table is table and part.where.get(Col.source) in sources for part in node.makes)


def _merged(parts: Sequence[Slice]) -> list[Slice]:
    """Slices that differ in one column alone as one slice."""
    if len(parts) < 2:
        return list(parts)
    first = parts[0].where
    differing = [name for name in first if len({part.where[name] for part in parts}) > 1]
    if len(differing) != 1:
        return list(parts)
    values: list[str | int] = []
    for part in parts:
        value = part.where[differing[0]]
        values += value if isinstance(value, tuple) else [value]
    return [parts[0].within(**{differing[0]: tuple(dict.fromkeys(values))})]
