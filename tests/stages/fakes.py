"""What the tests of the stages share: tiny data, and runs over a workspace in memory or in a temporary folder."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pyspark.sql import SparkSession

from equipoise.runs.account import Account
from equipoise.runs.run import Run
from equipoise.schemas import RUNS, Slice
from equipoise.stages.configuration import config_from, graph_of
from equipoise.tables import Workspace
from equipoise.tables.predicates import is_in
from equipoise.tables.workspace import fitted


@dataclass
class Progress:
    """Remembers what it was told."""

    messages: list = field(default_factory=list)
    counts: list = field(default_factory=list)

    def message(self, text):
        self.messages.append(text)

    def count(self, stage, done, total):
        self.counts.append((stage, done, total))

    def iteration(self, number, n_levels, state):
        pass


@dataclass
class MemoryCommit:
    """What is known of a commit."""

    version: int
    n_rows: int


class MemoryWorkspace:
    """A workspace without the seconds that Delta takes for a commit; tests/tables holds both to one contract."""

    location = given = "memory"
    is_catalog = False

    def __init__(self, spark):
        self.spark, self.versions = spark, {}

    def exists(self, table):
        return table.name in self.versions

    def version(self, table):
        return len(self.versions[table.name]) - 1 if self.exists(table) else None

    def read(self, part, version=None):
        table, where = (part.table, part.where) if isinstance(part, Slice) else (part, {})
        stored = self.versions.get(table.name, [[]])[-1 if version is None else version]
        rows = self.spark.createDataFrame(stored, table.schema)
        for name, value in where.items():
            rows = rows.where(is_in(name, value))
        return rows

    def append(self, part, rows):
        return self._committed(part.table, self._rows(part.table), fitted(part, rows).collect())

    def replace(self, part, rows):
        return self._committed(part.table, self._others(part), fitted(part, rows).collect())

    def insert_new(self, part, rows, *, since):
        def key(row):
            return tuple(row[name] for name in part.table.key)

        known = {key(row) for row in self._rows(part.table)} if since != self.version(part.table) else set()
        new = [row for row in fitted(part, rows).collect() if key(row) not in known]
        self._committed(part.table, self._rows(part.table), new)
        return self.version(part.table)

    def replace_rows(self, part, rows):
        def key(row):
            return tuple(row[name] for name in part.table.key)

        new = fitted(part, rows).collect()
        keys = {key(row) for row in new}
        self._committed(part.table, [row for row in self._rows(part.table) if key(row) not in keys], new)
        return self.version(part.table)

    def delete_items(self, part, items):
        if self.exists(part.table):
            ids, mine = {row[0] for row in items.collect()}, [*self._rows(part.table)]
            others = {id(row) for row in self._others(part)}
            kept = [row for row in mine if id(row) in others or row["item_id"] not in ids]
            self._committed(part.table, kept, [])

    def drop_copies(self, part):
        keys = [tuple(row[name] for name in part.table.key) for row in self._rows(part.table)]
        if len(keys) == len(set(keys)):
            return None
        once = dict(zip(keys, self._rows(part.table), strict=True))
        self._committed(part.table, [], [*once.values()])
        return self.version(part.table)

    def clear(self, part):
        if self.exists(part.table):
            self._committed(part.table, self._others(part), [])

    def _rows(self, table):
        return self.versions.get(table.name, [[]])[-1]

    def _others(self, part):
        def is_mine(row):
            values = ((row[name], value) for name, value in part.where.items())
            return all(own in value if isinstance(value, tuple) else own == value for own, value in values)

        return [row for row in self._rows(part.table) if not is_mine(row)]

    def _committed(self, table, before, new):
        self.versions.setdefault(table.name, []).append([*before, *new])
        return MemoryCommit(self.version(table), len(new))


@dataclass
class LabRun:
    """One run of a config over the lab's workspace."""

    spark: SparkSession
    workspace: object
    run_id: str
    sections: dict
    progress: Progress = field(default_factory=Progress)

    def bring(self, *names: str, force: tuple[str, ...] = ()) -> dict[str, Account]:
        """Brings these nodes (all, where none is named) up to date, and those before them; their accounts."""
        values = {"name": "test", "workspace": "w", **self.sections}
        graph = graph_of(config_from(values))
        run = Run(graph, spark=self.spark, workspace=self.workspace, run_id=self.run_id, progress=self.progress)
        wanted = set(names) or {node.name for node in graph.order}
        wanted |= {node.name for name in wanted for node in graph.ancestors(name)}
        targets = [node.name for node in graph.order if node.name in wanted]
        return {outcome.stage: outcome.account for outcome in run.bring(targets, force)}

    def rows(self, table) -> list:
        """All rows of a table that this run sees."""
        return self.workspace.read(Slice(table).of_run(self.run_id)).collect()

    def statuses(self, name: str) -> list[str]:
        """The statuses of a node, the oldest first."""
        events = sorted(self.rows(RUNS), key=lambda row: row["at"])
        return [row["status"] for row in events if (row["run_id"], row["stage"]) == (self.run_id, name)]


@dataclass
class Lab:
    """Runs over one workspace: in memory, or on Delta in the folder."""

    spark: SparkSession
    folder: Path
    on_delta: bool = False

    def __post_init__(self):
        place = str(self.folder / "workspace")
        self.workspace = Workspace(self.spark, place) if self.on_delta else MemoryWorkspace(self.spark)

    def run(self, run_id: str = "r", **sections) -> LabRun:
        """A run whose config has the sections."""
        return LabRun(self.spark, self.workspace, run_id, sections)


def png(grey: int = 200, size: tuple[int, int] = (4, 4)) -> bytes:
    """A grey image with one bright pixel."""
    pixels = np.full(size, grey, np.uint8)
    pixels[0, 0] = 255
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_images(folder: Path, *names: str) -> None:
    """Different images below ``folder``."""
    for grey, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(grey))
