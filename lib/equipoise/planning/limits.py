"""What of a planned level does not fit into a machine, and the splits that would."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from equipoise.planning.costs import LevelCost, PlannedKMeans, level_cost
from equipoise.planning.machines import GIB, Machine
from equipoise.planning.suggestions import splits_for


@dataclass(frozen=True)
class Shortfall:
    """Memory that a level needs and a machine does not have, in bytes.

    The driver's, an executor's for Python, a machine's that is both, a GPU's, or what the driver takes as results.
    ``whole_bytes`` is what driver or executor must have in all, with the share that the JVM takes.
    """

    where: Literal["driver", "executor", "machine", "gpu", "results"]
    needed_bytes: float
    there_bytes: float
    whole_bytes: float

    @property
    def whole_gib(self) -> int:
        """``whole_bytes`` in GiB, rounded up."""
        return math.ceil(self.whole_bytes / GIB)


def shortfalls(cost: LevelCost, machine: Machine) -> Iterator[Shortfall]:
    """Where the memory does not suffice. Vectors are no reason: those that storage does not hold lie on disk."""
    driver, executor = cost.driver_memory_bytes, cost.executor_memory_bytes
    if driver > machine.driver_memory_bytes:
        yield Shortfall("driver", driver, machine.driver_memory_bytes, driver)
    if executor > machine.python_bytes:
        whole = executor * machine.memory_bytes / machine.python_bytes
        yield Shortfall("executor", executor, machine.python_bytes, whole)
    elif machine.is_local and driver + executor > machine.python_bytes:
        both = driver + executor
        yield Shortfall("machine", both, machine.python_bytes, both + machine.heap_bytes)
    if machine.gpus and cost.gpu_memory_bytes > machine.gpu_memory_bytes:
        yield Shortfall("gpu", cost.gpu_memory_bytes, machine.gpu_memory_bytes, cost.gpu_memory_bytes)
    if cost.result_bytes > machine.max_result_bytes:
        yield Shortfall("results", cost.result_bytes, machine.max_result_bytes, cost.result_bytes)


def splits_that_fit(cost: LevelCost, *, kmeans: PlannedKMeans, machine: Machine) -> int | None:
    """The splits with which the level fits, without its resampling; None where none do."""

    def is_fit(splits: int) -> bool:
        level = replace(cost.level, splits=splits, rounds=0)
        return not any(shortfalls(level_cost(cost.entry, level, kmeans=kmeans, machine=machine), machine))

    return splits_for(cost.level.k, is_fit)
