"""The methods of a comparison -> the runs that make them: as many as there are different clusterings."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from equipoise import __version__
from equipoise.config import Cluster, Compare, Config, Level, Resampling, Variant, validated
from equipoise.errors import ConfigError

ROUNDS = (0, 1, 10)
"""How often the levels above the first are resampled in the methods that a user need not write (Vo et al. 2024)."""


@dataclass(frozen=True)
class VariantRun:
    """One clustering: its run, and a config whose selections are named like the methods that share it."""

    run_id: str
    config: Config

    @property
    def methods(self) -> list[str]:
        """Names of the methods."""
        return [selection.name for selection in self.config.select]


def variant_runs(config: Config) -> list[VariantRun]:
    """The runs of a comparison, first the config's own clustering, in which all methods are measured.

    Raises:
        ConfigError: the config has no section compare, or what a method changes does not fit.
    """
    compare = _section(config)
    own = _run_of(config, {}, [])
    selections: dict[str, list[dict[str, Any]]] = {own.run_id: []}
    configs = {own.run_id: own.config}
    for variant in compare.variants or default_variants(config):
        sections = _changed(config, variant)
        selection = {**variant.select, "name": variant.name, "target": compare.target}
        run = _run_of(config, sections, [selection], name=variant.name)
        configs[run.run_id] = run.config
        selections.setdefault(run.run_id, []).append(selection)
    return [_with_selections(run_id, configs[run_id], chosen) for run_id, chosen in selections.items()]


def default_variants(config: Config) -> list[Variant]:
    """The methods of the paper's ablations, from the levels of the config: all have its top level's k.

    Flat k-means; 2, 3, ... levels; 0, 1 and 10 rounds of resampling (not that of the config itself); random seeding;
    and, from the config's own clustering, flat sampling and the closest or farthest items in place of random ones.
    """
    section = _clustering(config)
    top, depth = section.levels[-1], len(section.levels)
    own = [Variant(name=f"levels-{depth}")]
    flat = [Variant(name="flat-kmeans", cluster=_levels([Level(k=top.k)]))] if depth > 1 else []
    fewer = [Variant(name=f"levels-{n}", cluster=_levels([*section.levels[: n - 1], top])) for n in range(2, depth)]
    resampled = [
        Variant(name=f"resampling-{n}", cluster=levels)
        for n in ROUNDS
        if (levels := _levels(_with_rounds(section.levels, n))) != _levels(section.levels)
    ]
    seeded = [Variant(name="seeding-random", cluster={"seeding": "random"})] if section.seeding != "random" else []
    sampled = [Variant(name="sampling-flat", select={"method": "flat"})] if depth > 1 else []
    within = [Variant(name=f"within-{order}", select={"within": order}) for order in ("closest", "farthest")]
    return [*flat, *fewer, *own, *resampled, *seeded, *sampled, *within]


def comparison_id(config: Config) -> str:
    """The run id under which the metrics of a comparison are kept: the same for the same methods and data."""
    made = [(run.run_id, run.config.model_dump(mode="json")["select"]) for run in variant_runs(config)]
    measured = config.evaluate.model_dump(mode="json") if config.evaluate else None
    return f"{config.name}-compare-{_digest([made, measured])}"


def _levels(levels: Sequence[Level]) -> dict[str, Any]:
    return {"levels": [level.model_dump(mode="json") for level in levels]}


def _with_rounds(levels: Sequence[Level], rounds: int) -> list[Level]:
    """The levels with so many rounds: those that are resampled, or, where none is, those above the first."""
    is_any = any(level.resampling for level in levels)
    return [
        Level(k=level.k, resampling=_resampling(level, rounds) if rounds else None)
        if level.splits == 1 and (level.resampling if is_any else number > 0)
        else level
        for number, level in enumerate(levels)
    ]


def _resampling(level: Level, rounds: int) -> Resampling:
    return Resampling(rounds=rounds, points=level.resampling.points if level.resampling else "half")


def _changed(config: Config, variant: Variant) -> dict[str, Any]:
    """The sections with what the variant changes; another encoder takes over none of the first one's options."""
    cluster = {**_clustering(config).model_dump(mode="json"), **variant.cluster}
    if not variant.embed:
        return {"cluster": cluster}
    if config.embed is None:
        raise ConfigError(f"{_place(variant.name)}: source.kind: {config.pool_source.kind} has no encoder to change")
    kept = variant.embed.get("encoder", config.embed.encoder) == config.embed.encoder
    return {"cluster": cluster, "embed": {**(config.embed.model_dump(mode="json") if kept else {}), **variant.embed}}


def _run_of(
    config: Config, sections: dict[str, Any], selections: list[dict[str, Any]], *, name: str | None = None
) -> VariantRun:
    values = {**config.model_dump(mode="json"), "evaluate": None, "compare": None, **sections, "select": selections}
    changed = validated(values, place=_place(name))
    what = changed.model_dump(mode="json", include={"seed", "source", "embed", "cluster"})
    return VariantRun(f"{config.name}-{_digest([what, __version__])}", changed)


def _with_selections(run_id: str, config: Config, selections: list[dict[str, Any]]) -> VariantRun:
    values = {**config.model_dump(mode="json"), "select": selections}
    return VariantRun(run_id, validated(values, place=_place(None)))


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def _place(name: str | None) -> str:
    return f"compare.variants, {name}" if name else "compare"


def _section(config: Config) -> Compare:
    if config.compare is None:
        raise ConfigError(f"config {config.name!r} has no section 'compare': add it, with the number of items, target")
    return config.compare


def _clustering(config: Config) -> Cluster:
    assert config.cluster is not None, "a config with the section compare has one"
    return config.cluster
