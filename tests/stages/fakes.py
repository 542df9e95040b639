"""What the tests of the stages share: tiny data, and a context around a workspace in a temporary folder."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pyspark.sql import SparkSession

from equipoise.config import Config
from equipoise.runs.context import StageContext
from equipoise.tables import Workspace


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
        raise AssertionError("no stage of these iterates")


class MemoryWorkspace:
    """What the stages use of a workspace, without the seconds that Delta takes for a commit."""

    def __init__(self, spark):
        self.spark, self.versions = spark, {}

    def _rows(self, table, version=None):
        versions = self.versions.setdefault(table.name, [[]])
        return versions[-1 if version is None else version]

    def read(self, table, version=None):
        return self.spark.createDataFrame(self._rows(table, version), table.schema)

    def version(self, table):
        self._rows(table)
        return len(self.versions[table.name]) - 1

    def insert_new(self, table, rows, *, within=None):
        known = {tuple(row[name] for name in table.key) for row in self._rows(table)}
        assert set(rows.columns) == set(table.columns)
        candidates = rows.select(table.columns).collect()
        new = [row for row in candidates if tuple(row[name] for name in table.key) not in known]
        self.versions[table.name].append(self._rows(table) + new)
        return len(new)


@dataclass
class Lab:
    """Runs over one workspace: in memory, or on Delta in the folder."""

    spark: SparkSession
    folder: Path
    on_delta: bool = False

    def __post_init__(self):
        place = str(self.folder / "workspace")
        self.workspace = Workspace(self.spark, place) if self.on_delta else MemoryWorkspace(self.spark)

    def run(self, run_id: str = "r", **sections) -> StageContext:
        """A run whose config has the sections."""
        config = Config.model_validate({"name": "test", "workspace": str(self.folder), **sections})
        return StageContext(self.spark, config, self.workspace, run_id, Progress())


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
