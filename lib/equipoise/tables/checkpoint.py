"""Levels, and the state of unfinished ones, in Delta: what lets a killed run go on where it was."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.kernels.levels import LevelState
from equipoise.kernels.lloyd import Step
from equipoise.kernels.placement import fits_driver
from equipoise.kernels.vectors import Labelled
from equipoise.pipeline.blocks import labelled_frame
from equipoise.pipeline.checkpoint import ROWS, AnyLevel, FittedLevel, level_of
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, Col
from equipoise.tables.workspace import Workspace

BYTES_PER_PART = 64 * 2**20
"""A state may be larger than what one value of a table holds."""


@dataclass
class DeltaCheckpoint:
    """Implements :class:`equipoise.pipeline.checkpoint.Checkpoint` on the tables of a workspace.

    The rows of ``iterations`` wait here for the next commit of a state or level: a Delta commit of its own for each
    would cost half a second an iteration.
    """

    workspace: Workspace
    run_id: str
    stage: str
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def record(self, number: int, state: LevelState) -> None:
        """Notes an iteration, to be written with the next commit."""
        step = state.step
        self.waiting.append(
            {
                Col.level: number,
                Col.resampling: state.resampling,
                Col.iteration: step.iteration,
                Col.objective: step.objective,
                Col.n_empty: step.n_empty,
                Col.seconds: step.seconds,
            }
        )

    def load_level(self, number: int) -> AnyLevel | None:
        """A finished level, from ``centroids``; one that is too large for the driver stays there."""
        rows = self._rows(CENTROIDS).filter(F.col(Col.level) == number).select(*ROWS)
        return None if rows.isEmpty() else level_of(rows)

    def save_level(self, number: int, levels: Sequence[AnyLevel]) -> list[AnyLevel]:
        """Writes the new level and, with the parents that they have now, the clusters below, in one commit.

        What is not on the driver, or too large for it, is read back.
        """
        numbers = list(range(number - len(levels) + 1, number + 1))
        spark, run_id = self.workspace.spark, F.lit(self.run_id)
        frames = [level.frame(spark, one) for one, level in zip(numbers, levels, strict=True)]
        rows = reduce(DataFrame.unionByName, frames).withColumn(Col.run_id, run_id)
        self._write_iterations()
        self.workspace.replace(CENTROIDS, rows, where={Col.run_id: self.run_id, Col.level: numbers})
        self.workspace.delete(CHECKPOINTS, where=self._unfinished)
        return [self._as_used(one, level) for one, level in zip(numbers, levels, strict=True)]

    def load_state(self, number: int) -> LevelState | None:
        """The state of an unfinished level, from ``checkpoints``."""
        mine = F.col(Col.key).startswith(_part_key(number, ""))
        rows = self._rows(CHECKPOINTS).filter((F.col(Col.stage) == self.stage) & mine).collect()  # parts of one state
        parts = {row[Col.key]: bytes(row[Col.state]) for row in rows}
        return _unpack(b"".join(parts[_part_key(number, place)] for place in range(len(parts)))) if parts else None

    def save_state(self, number: int, state: LevelState) -> None:
        """Replaces the state of the unfinished level, and writes the iterations that led there."""
        self._write_iterations()
        packed = _pack(state)
        parts = [packed[start : start + BYTES_PER_PART] for start in range(0, len(packed), BYTES_PER_PART)]
        rows = [(self.run_id, self.stage, _part_key(number, place), part) for place, part in enumerate(parts)]
        spark = self.workspace.spark
        stored = spark.createDataFrame(spark.sparkContext.parallelize(rows, len(rows)), CHECKPOINTS.schema)
        self.workspace.replace(CHECKPOINTS, stored, where=self._unfinished)

    def save_assignments(self, labelled: Labelled | DataFrame) -> DataFrame:
        """Writes the level-1 clusters of all items and reads them back."""
        spark = self.workspace.spark
        rows = labelled_frame(spark, labelled) if isinstance(labelled, Labelled) else labelled
        assigned = rows.withColumn(Col.run_id, F.lit(self.run_id))
        self.workspace.replace(ASSIGNMENTS, assigned, where={Col.run_id: self.run_id})
        return self._rows(ASSIGNMENTS)

    def _rows(self, table: Any) -> DataFrame:
        return self.workspace.read(table).filter(F.col(Col.run_id) == self.run_id)

    @property
    def _unfinished(self) -> dict[str, str]:
        """Where the state is: one level at a time is unfinished."""
        return {Col.run_id: self.run_id, Col.stage: self.stage}

    def _as_used(self, number: int, level: AnyLevel) -> AnyLevel:
        if isinstance(level, FittedLevel) and fits_driver(*level.centroids.shape):
            return level
        written = self.load_level(number)
        assert written is not None, "it was just written"
        return written

    def _write_iterations(self) -> None:
        """Writes what waits, beside the iterations of earlier commits; those that were done twice stay once."""
        if not self.waiting:
            return
        rows = pd.DataFrame([{Col.run_id: self.run_id, **row} for row in self.waiting])
        self.workspace.insert_new(ITERATIONS, self.workspace.spark.createDataFrame(rows))
        self.waiting.clear()


def _part_key(number: int, place: int | str) -> str:
    return f"{Col.level}-{number}/{place}"


def _pack(state: LevelState) -> bytes:
    step, anchor = state.step, state.anchor
    arrays: dict[str, Any] = {"centroids": step.centroids} | ({} if anchor is None else {"anchor": anchor})
    numbers = np.array([state.resampling, step.iteration, step.n_empty, step.is_last], dtype=np.int64)
    target = io.BytesIO()
    np.savez(target, numbers=numbers, measured=np.array([step.objective, step.seconds]), **arrays)
    return target.getvalue()


def _unpack(packed: bytes) -> LevelState:
    arrays = np.load(io.BytesIO(packed), allow_pickle=False)
    resampling, iteration, n_empty, is_last = (int(number) for number in arrays["numbers"])
    objective, seconds = (float(number) for number in arrays["measured"])
    step = Step(iteration, arrays["centroids"], objective, n_empty, seconds, bool(is_last))
    return LevelState(resampling, step, arrays.get("anchor", None))
