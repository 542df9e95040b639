"""A config and a machine -> the cost of every level, or a refusal that says which number to change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from equipoise.errors import ConfigError
from equipoise.kernels.levels import Level
from equipoise.kernels.placement import LEAST_MEMBERS, DriverLimit, least_split_bytes
from equipoise.planning.costs import LevelCost, PlannedKMeans, level_cost, level_costs
from equipoise.planning.limits import Shortfall, shortfalls, splits_that_fit
from equipoise.planning.machines import GIB, Machine
from equipoise.stages.cluster.levels import as_level
from equipoise.stages.cluster.section import Cluster
from equipoise.studies.costs.units import duration, size

FLAGS = {
    "driver": "--driver-memory",
    "executor": "--memory",
    "machine": "--memory",
    "gpu": "--gpu-memory",
    "results": "spark.driver.maxResultSize",
}
PLACES = {
    "driver": "{needed} GiB on the driver, which has {there} GiB",
    "executor": "{needed} GiB for the {cores} Python workers of an executor, which has {there} GiB for them",
    "machine": "{needed} GiB for driver and {cores} Python workers, for which this machine has {there} GiB",
    "gpu": "{needed} GiB on a GPU, for all tasks that share it, which has {there} GiB",
    "results": "{needed} GiB for their sums on the way to the driver, whose spark.driver.maxResultSize is {there} GiB",
}
WORTH_A_NOTE = 0.1
"""Parts of a level's time that a note is written about."""
SECONDS_WORTH_A_NOTE = 60
"""What takes or saves less needs no advice."""
TASKS_PER_CORE = 4
"""Enough for cores to finish at about the same time."""
LARGEST_PARTITION_BYTES = 2**30
"""A partition is cached, evicted and, when an executor is lost, computed again as a whole."""


@dataclass(frozen=True)
class CostPlan:
    """What a clustering of ``n`` vectors of ``dim`` numbers takes on ``machine``; ``notes`` are for the reader.

    ``origins`` say which flag or setting each size of the machine comes from.
    """

    n: int
    dim: int
    machine: Machine
    kmeans: PlannedKMeans
    costs: tuple[LevelCost, ...]
    notes: tuple[str, ...]
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Of all levels."""
        return sum(cost.seconds.total for cost in self.costs)


def cost_plan(section: Cluster, machine: Machine, *, n: int, dim: int) -> CostPlan:
    """The plan of a config's section ``cluster`` for ``n`` vectors of ``dim`` numbers.

    Raises:
        ConfigError: a level has more clusters than input, or does not fit into the memory of driver or executors, or
            the tree is split from the top.
    """
    return plan_of(planned_levels(section), as_kmeans(section), machine=machine, n=n, dim=dim)


def planned_levels(section: Cluster) -> list[Level]:
    """The levels of a config's section ``cluster``.

    Raises:
        ConfigError: the tree is split from the top.
    """
    if section.tree == "top_down":
        raise ConfigError(
            "cluster.tree: top_down is a method to compare with, of which no costs are known: plan the config with "
            "cluster.tree=bottom_up"
        )
    return [as_level(level) for level in section.levels]


def plan_of(levels: list[Level], kmeans: PlannedKMeans, *, machine: Machine, n: int, dim: int) -> CostPlan:
    """The plan of ``levels``, from the finest up.

    Raises:
        ConfigError: see :func:`cost_plan`.
    """
    if levels[0].k > n:
        raise ConfigError(
            f"cluster.levels.0.k: {levels[0].k:,} is above the number of items, {n:,}: lower it, or bring more items"
        )
    costs = level_costs(n, dim, levels, kmeans=kmeans, machine=machine)
    for cost in costs:
        found = list(shortfalls(cost, machine))
        if found:
            raise ConfigError(_refusal(cost, found, kmeans=kmeans, machine=machine))
    notes = [note for cost in costs for note in _notes(cost, kmeans, machine)]
    return CostPlan(n, dim, machine, kmeans, costs, tuple(notes))


def as_kmeans(section: Cluster) -> PlannedKMeans:
    """What the config says about all levels."""
    return PlannedKMeans(
        iterations=section.iterations,
        seeding=section.seeding,
        half=section.half,
        partitions=section.partitions,
        checkpoint_every=section.checkpoint_every,
        split_bytes=section.split_bytes,
        driver_limit=DriverLimit(section.driver_limit.bytes, section.driver_limit.flops),
    )


def _refusal(cost: LevelCost, found: Sequence[Shortfall], *, kmeans: PlannedKMeans, machine: Machine) -> str:
    """Key, value, limit and way out."""
    level, key = cost.level, f"cluster.levels.{cost.number - 1}"
    named = f"{key}.k: {level.k:,} clusters"
    if level.splits > 1:
        named = f"{key}.splits: {level.splits} leaves {level.k0:,} coarse clusters (k = {level.k:,}); these"
    needed, there = (math.ceil(size_bytes / GIB) for size_bytes in (found[0].needed_bytes, found[0].there_bytes))
    place = PLACES[found[0].where].format(needed=needed, there=there, cores=machine.cores)
    more_memory = " and ".join(f"{FLAGS[shortfall.where]} at least {shortfall.whole_gib}g" for shortfall in found)
    splits = splits_that_fit(cost, kmeans=kmeans, machine=machine)
    if splits is None:
        return f"{named} need {place}: lower k, or {more_memory}"
    plain = "drop its resampling and " if level.rounds else ""
    split = f"{plain}set {key}.splits: {splits} (k0 = {level.k // splits:,})"
    return f"{named} need {place}, at {cost.entry.dim:,} numbers a centroid: {split}, or {more_memory}"


def _notes(cost: LevelCost, kmeans: PlannedKMeans, machine: Machine) -> list[str]:
    """What resampling does where the level is thin, what would make it quicker, and what does not hold there."""
    notes = [
        cost.level.thin_note(cost.entry.n),
        _partitions_note(cost, kmeans, machine),
        _split_note(cost, kmeans),
    ]
    if cost.storage_bytes > machine.storage_bytes:
        executors = math.ceil(cost.storage_bytes / machine.storage_bytes * machine.executors)
        half = "" if kmeans.half else ", cluster.half: true halves them"
        notes.append(
            "its vectors do not fit into the executors' storage memory, the rest is read from disk in every "
            f"iteration: {executors:,} executors would hold them{half}"
        )
    return [f"level {cost.number}: {note}" for note in notes if note]


def _split_note(cost: LevelCost, kmeans: PlannedKMeans) -> str:
    level = cost.level
    least = least_split_bytes(level.splits, cost.entry.dim)
    if cost.where != "spark, split" or least <= kmeans.split_bytes:
        return ""
    return (
        f"a task that splits takes {size(least)}, above cluster.split_bytes of {size(kmeans.split_bytes)}: "
        f"{LEAST_MEMBERS} vectors for each of {level.splits:,} clusters is the least; lower splits for less"
    )


def _partitions_note(cost: LevelCost, kmeans: PlannedKMeans, machine: Machine) -> str:
    """Fewer tasks start sooner and send fewer sums: with few vectors in each, nearly every one is a sum of its own."""
    stored_bytes = cost.entry.n * kmeans.bytes_of(cost.entry.dim)
    wanted = max(TASKS_PER_CORE * machine.total_cores, math.ceil(stored_bytes / LARGEST_PARTITION_BYTES))
    if cost.number > 1 or wanted >= cost.n_partitions:
        return ""
    fewer = level_cost(cost.entry, cost.level, kmeans=replace(kmeans, partitions=wanted), machine=machine)
    saved = cost.seconds.total - fewer.seconds.total
    if any(shortfalls(fewer, machine)) or saved < max(WORTH_A_NOTE * cost.seconds.total, SECONDS_WORTH_A_NOTE):
        return ""
    return (
        f"its {cost.n_partitions:,} tasks an iteration send {size(cost.reduction_bytes)} of sums: "
        f"cluster.partitions: {wanted} makes that {size(fewer.reduction_bytes)}, and the level "
        f"{duration(fewer.seconds.total)} in place of {duration(cost.seconds.total)}"
    )
