"""Levels, and the state of unfinished ones, in Delta: what lets a killed run go on where it was."""

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.kernels.levels import LevelState
from equipoise.kernels.lloyd import Iteration
from equipoise.kernels.placement import fits_driver
from equipoise.kernels.vectors import Assignments
from equipoise.pipeline.blocks import assignments_frame
from equipoise.pipeline.checkpoint import ROWS, AnyAssignments, AnyLevel, FittedLevel, level_of
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, Col, Slice, Table
from equipoise.schemas.table import Value
from equipoise.tables.workspace import Workspace

BYTES_PER_PART = 64 * 2**20
"""A state may be larger than what one value of a table holds."""


@dataclass
class DeltaCheckpoint:
    """Implements :class:`equipoise.pipeline.checkpoint.Checkpoint` on the tables of a workspace.

    What took less than ``worth_seconds`` waits for the next commit: in small pools a commit costs more than a level.
    The last of ``n_levels`` is never kept waiting. ``is_new``: the run has none of these rows yet.
    """

    is_durable: ClassVar[bool] = True
    workspace: Workspace
    run_id: str
    stage: str
    n_levels: int
    is_new: bool = False
    worth_seconds: float = 30.0
    _iterations: list[dict[str, Any]] = field(default_factory=list)
    _levels: dict[int, AnyLevel] = field(default_factory=dict)
    _has_state: bool = False
    _is_written: bool = False
    _committed_at: float = field(default_factory=time.monotonic)

    def record(self, number: int, state: LevelState) -> None:
        """Notes an iteration, to be written with the next commit."""
        step = state.step
        self._iterations.append(
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
        if self.is_new:
            return None
        rows = self.workspace.read(self._own(CENTROIDS, level=number)).select(*ROWS)
        return None if rows.isEmpty() else level_of(rows)

    def save_level(self, number: int, levels: Sequence[AnyLevel]) -> list[AnyLevel]:
        """Keeps the new level and, with the parents that they have now, the clusters below.

        What is not on the driver, or too large for it, is read back.
        """
        numbers = list(range(number - len(levels) + 1, number + 1))
        self._levels.update(zip(numbers, levels, strict=True))
        are_used_as_they_are = all(_fits(level) for level in levels)
        is_soon = time.monotonic() - self._committed_at < self.worth_seconds
        if number < self.n_levels and is_soon and are_used_as_they_are and not self._has_state:
            return list(levels)
        self._commit()
        return [level if _fits(level) else self._written(one) for one, level in zip(numbers, levels, strict=True)]

    def load_state(self, number: int) -> LevelState | None:
        """The state of an unfinished level, from ``checkpoints``."""
        if self.is_new:
            return None
        mine = F.col(Col.key).startswith(_part_key(number, ""))
        rows = self.workspace.read(self._unfinished).filter(mine).collect()  # parts of one state
        parts = {row[Col.key]: bytes(row[Col.state]) for row in rows}
        return _unpack(b"".join(parts[_part_key(number, place)] for place in range(len(parts)))) if parts else None

    def save_state(self, number: int, state: LevelState) -> None:
        """Replaces the state of the unfinished level, and writes what led there."""
        self._commit()
        packed = _pack(state)
        parts = [packed[start : start + BYTES_PER_PART] for start in range(0, len(packed), BYTES_PER_PART)]
        rows = [(self.run_id, self.stage, _part_key(number, place), part) for place, part in enumerate(parts)]
        spark = self.workspace.spark
        stored = spark.createDataFrame(spark.sparkContext.parallelize(rows, len(rows)), CHECKPOINTS.schema)
        self.workspace.replace(self._unfinished, stored)
        self._has_state = True

    def save_assignments(self, labelled: AnyAssignments) -> DataFrame:
        """Writes the level-1 clusters of all items and reads them back."""
        rows = assignments_frame(self.workspace.spark, labelled) if isinstance(labelled, Assignments) else labelled
        self._put(self._own(ASSIGNMENTS), rows)
        return self.workspace.read(self._own(ASSIGNMENTS))

    def _own(self, table: Table, **where: Value) -> Slice:
        return Slice(table, where).of_run(self.run_id)

    @property
    def _unfinished(self) -> Slice:
        """Where the state is: one level at a time is unfinished."""
        return self._own(CHECKPOINTS, stage=self.stage)

    def _put(self, part: Slice, rows: DataFrame, *, is_first: bool = True) -> None:
        if self.is_new and is_first:
            self.workspace.append(part, rows)
        else:
            self.workspace.replace(part, rows)

    def _commit(self) -> None:
        """Writes what waits, and drops the state of a level that is finished."""
        self._write_iterations()
        if self._levels:
            numbers = tuple(sorted(self._levels))
            frames = [self._levels[number].frame(self.workspace.spark, number) for number in numbers]
            part = self._own(CENTROIDS, level=numbers)
            rows = reduce(DataFrame.unionByName, frames)
            self._put(part, rows, is_first=not self._is_written)
            self._levels.clear()
            self._is_written = True  # the level on top is written again, with its parents
            if self._has_state or not self.is_new:
                self.workspace.clear(self._unfinished)
                self._has_state = False
        self._committed_at = time.monotonic()

    def _written(self, number: int) -> AnyLevel:
        return level_of(self.workspace.read(self._own(CENTROIDS, level=number)).select(*ROWS))

    def _write_iterations(self) -> None:
        """Writes what waits, but for what a run that was broken off had written before it came to the same again."""
        names = (Col.level, Col.resampling, Col.iteration)
        known = set()
        if self._iterations and not self.is_new:
            rows = self.workspace.read(self._own(ITERATIONS)).select(*names)
            known = {tuple(row) for row in rows.collect()}  # levels x rounds x iterations: bounded by the config
        fresh = [row for row in self._iterations if tuple(row[name] for name in names) not in known]
        if fresh:
            rows = self.workspace.spark.createDataFrame(pd.DataFrame(fresh))
            self.workspace.append(self._own(ITERATIONS), rows)
        self._iterations.clear()


def _fits(level: AnyLevel) -> bool:
    return isinstance(level, FittedLevel) and fits_driver(*level.centroids.shape)


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
    step = Iteration(iteration, arrays["centroids"], objective, n_empty, seconds, bool(is_last))
    return LevelState(resampling, step, arrays.get("anchor", None))
