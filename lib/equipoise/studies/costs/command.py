"""``equipoise plan``: what its arguments ask for. Starts no Spark."""

import argparse
from collections import Counter
from dataclasses import replace
from typing import cast

from rich.console import Console

from equipoise.config import Config, EmbeddingsSource
from equipoise.config.sources import NamedSource
from equipoise.errors import ConfigError
from equipoise.kernels.levels import Level
from equipoise.planning.costs import PlannedKMeans
from equipoise.planning.machines import calibrated
from equipoise.planning.suggestions import suggest_levels
from equipoise.sources.npy_parts import Part, is_of_npy, open_parts
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.configuration import load_config
from equipoise.stages.select import SELECT
from equipoise.studies.costs.machine import machine_of, origins_of
from equipoise.studies.costs.plan import CostPlan, as_kmeans, plan_of, planned_levels
from equipoise.studies.costs.report import print_plan, print_suggestion


def plan(options: argparse.Namespace, console: Console) -> None:
    """Prints what the clustering of a config takes, or levels for a pool.

    Raises:
        ConfigError: something is not given and cannot be read, or the levels do not fit the machine.
        InputError: the source's file of vectors cannot be read.
    """
    config = load_config(options.config, options.overrides) if options.config else None
    if options.suggest:
        _suggest(options, config, console)
    elif config is None:
        raise ConfigError("plan needs --config FILE; without one, --suggest --items N --target N proposes levels")
    elif (section := CLUSTER.of(config)) is None:
        raise ConfigError(f"config {config.name!r} has no section cluster: there is nothing to plan, add it")
    else:
        print_plan(_planned(options, config, planned_levels(section)), console)


def _suggest(options: argparse.Namespace, config: Config | None, console: Console) -> None:
    n, dim = _pool_size(options, config)
    if n is None:
        raise ConfigError("plan --suggest needs the number of items: pass --items N")
    selections = SELECT.of(config) if config else ()
    target = options.target or max((selection.target or 0 for selection in selections), default=0)
    if not target:
        raise ConfigError("plan --suggest needs the number of items to select: pass --target N")
    suggestions = suggest_levels(n, target)
    print_suggestion(suggestions, target, console)
    if dim is not None:
        print_plan(_planned(options, config, [suggestion.level for suggestion in suggestions]), console)


def _planned(options: argparse.Namespace, config: Config | None, levels: list[Level]) -> CostPlan:
    n, dim = _pool_size(options, config)
    if n is None or dim is None:
        missing = " and ".join(flag for flag, value in (("--items N", n), ("--dim D", dim)) if value is None)
        raise ConfigError(f"plan reads the size of the pool from sources of .npy files only: pass {missing}")
    spark = config.spark if config else {}
    machine = machine_of(options, spark)
    if machine.is_local and not (options.gflops_per_core or options.gpus):
        machine = calibrated(machine, dim=dim, k=max(level.k0 for level in levels))
    section = CLUSTER.of(config) if config else None
    kmeans = as_kmeans(section) if section else PlannedKMeans()
    plan = plan_of(levels, kmeans, machine=machine, n=n, dim=dim)
    return replace(plan, origins=origins_of(options, spark))


def _pool_size(options: argparse.Namespace, config: Config | None) -> tuple[int | None, int | None]:
    """Number of items and length of their vectors: as given, else from the headers of ``.npy`` sources."""
    n, dim = options.items, options.dim
    sources = config.named_sources if config else ()
    if (n and dim) or not sources or any(not _is_of_npy(source) for source in sources):
        return n, dim
    parts = [part for source in sources for part in _parts(source)]
    lengths: Counter[int] = Counter()
    for part in parts:
        lengths[part.vectors.shape[1]] += part.count
    return n or lengths.total(), dim or lengths.most_common(1)[0][0]


def _is_of_npy(source: NamedSource) -> bool:
    return isinstance(source.section, EmbeddingsSource) and is_of_npy(source.section)


def _parts(source: NamedSource) -> tuple[Part, ...]:
    """Those of a source of arrays, ids left aside."""
    return open_parts(cast(EmbeddingsSource, source.section), source.place, is_without_ids=True).whole
