"""What of a planned level does not fit into a machine, and the splits that would."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from equipoise.kernels.costs import LevelCost, PlannedKMeans, level_cost
from equipoise.kernels.machines import GIB, Machine
from equipoise.kernels.suggestions import splits_for


@dataclass(frozen=True)
class Shortfall:
    """Memory that a level needs and a machine does not have, in bytes: the driver's, or an executor's for Python.

    ``whole_bytes`` is what driver or executor must have in all, with the share that the JVM takes.
    """

    where: Literal["driver", "executor"]
    needed_bytes: float
    there_bytes: float
    whole_bytes: float

    @property
    def whole_gib(self) -> int:
        """``whole_bytes`` in GiB, rounded up."""
        return math.ceil(self.whole_bytes / GIB)


def shortfalls(cost: LevelCost, machine: Machine) -> Iterator[Shortfall]:
    """Where the memory does not suffice. Vectors are no reason: those that storage does not hold lie on disk."""
    needed = cost.driver_memory_bytes
    if needed > machine.driver_memory_bytes:
        yield Shortfall("driver", needed, machine.driver_memory_bytes, needed)
    needed = cost.executor_memory_bytes
    if needed > machine.python_bytes:
        whole = needed * machine.memory_bytes / machine.python_bytes
        yield Shortfall("executor", needed, machine.python_bytes, whole)


def splits_that_fit(cost: LevelCost, *, kmeans: PlannedKMeans, machine: Machine) -> int | None:
    """The splits with which the level fits, without its resampling; None where none do."""

    def is_fit(splits: int) -> bool:
        level = replace(cost.level, splits=splits, rounds=0)
        return not any(shortfalls(level_cost(cost.entry, level, kmeans=kmeans, machine=machine), machine))

    return splits_for(cost.level.k, is_fit)
