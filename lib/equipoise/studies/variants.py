"""The methods of a comparison -> the runs that make them: as many as there are different clusterings."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from equipoise.config import Compare, Config, Variant, identity
from equipoise.errors import ConfigError
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.cluster.section import Cluster, Level, Resampling
from equipoise.stages.configuration import config_from, graph_of
from equipoise.stages.evaluate import EVALUATE
from equipoise.stages.evaluate.check import check_labelled
from equipoise.stages.evaluate.section import Evaluate
from equipoise.stages.running import Planned, planned
from equipoise.stages.select import SELECT
from equipoise.stages.select.section import Selection

DEPTHS = (2, 3, 4)
"""Heights of the trees in the methods that a user need not write (Vo et al. 2024)."""
ROUNDS = (0, 1, 10)
"""How often the levels above the first are resampled in them."""
SEEDINGS = {"random": "seeding-random", "kmeans++": "seeding-kmeanspp"}
"""Seedings, and what their methods are called: no selection has a plus in its name."""


@dataclass(frozen=True)
class VariantRun:
    """One clustering: its run, a config with a selection for each method that shares it, and their names by method.

    A selection's name tells its rules too: in the same run, another budget makes others and replaces none.
    """

    run_id: str
    config: Config
    selections: Mapping[str, str]

    @property
    def methods(self) -> list[str]:
        """Names of the methods."""
        return list(self.selections)


def variants_of(config: Config) -> Sequence[Variant]:
    """The methods that are compared, in order: those of the config, or the default ones.

    Raises:
        ConfigError: the config has no section compare.
    """
    return compared(config).variants or default_variants(config)


def variant_runs(config: Config) -> list[VariantRun]:
    """The runs of a comparison, first the config's own clustering, in which all methods are measured.

    Raises:
        ConfigError: the config has no section compare, or what a method changes does not fit.
    """
    variants = variants_of(config)
    own = _run_of(config)
    runs = {own.run_id: own}
    for variant in variants:
        run = _run_of(config, variant)
        runs[run.run_id] = _joined(runs[run.run_id], run) if run.run_id in runs else run
    return list(runs.values())


def planned_runs(config: Config) -> list[tuple[VariantRun, Planned]]:
    """The runs of a comparison and what is to be done for each, after all checks that need no Spark.

    Raises:
        ConfigError: see :func:`variant_runs` and :func:`equipoise.stages.running.planned`.
        InputError: the labelled set of ``evaluate`` is not there.
    """
    check_labelled(EVALUATE.of(config) or Evaluate())
    return [(run, planned(run.config)) for run in variant_runs(config)]


def default_variants(config: Config) -> list[Variant]:
    """The methods of the paper's ablations, from the levels of the config: all have its top level's k.

    Flat k-means; 2, 3 and 4 levels; half as many clusters below the top; 0, 1 and 10 rounds of resampling; random and
    k-means++ seeding (not what the config does itself); and, from the config's own clustering, flat sampling and the
    closest or farthest items in place of random ones.
    """
    section = _clustering(config)
    levels, depth = section.levels, len(section.levels)
    own = f"levels-{depth}"
    clusterings = {
        "flat-kmeans": [Level(k=levels[-1].k)] if depth > 1 else [],
        **{f"levels-{n}": _with_depth(levels, n) for n in sorted({*DEPTHS, depth})},
        "half-k": _with_half(levels),
        **{f"resampling-{n}": _with_rounds(levels, n) for n in ROUNDS},
    }
    clustered = [
        Variant(name=name, cluster={} if name == own else _levels(chosen))
        for name, chosen in clusterings.items()
        if name == own or (chosen and _levels(chosen) != _levels(levels))
    ]
    seeded = [Variant(name=name, cluster={"seeding": how}) for how, name in SEEDINGS.items() if how != section.seeding]
    sampled = [Variant(name="sampling-flat", select={"method": "flat"})] if depth > 1 else []
    within = [Variant(name=f"within-{order}", select={"within": order}) for order in ("closest", "farthest")]
    return [*clustered, *seeded, *sampled, *within]


def comparison_id(config: Config) -> str:
    """The run id under which the metrics of a comparison are kept: the same for the same methods and data."""
    made = [(run.run_id, identity(SELECT.of(run.config))) for run in variant_runs(config)]
    return f"{config.name}-compare-{_digest([made, identity(EVALUATE.of(config))])}"


def _levels(levels: Sequence[Level]) -> dict[str, Any]:
    return {"levels": [level.model_dump(mode="json") for level in levels]}


def _with_depth(levels: Sequence[Level], depth: int) -> Sequence[Level]:
    """So many levels, with the same k at the bottom and at the top; none where there is no room for as many.

    What is missing comes where neighbours are furthest apart, at their geometric mean, resampled like the upper one;
    never right above a split level, where it would be too large to stay whole.
    """
    if depth < len(levels):
        return [*levels[: depth - 1], levels[-1]]
    if depth == len(levels):
        return levels
    gaps = {
        number: below.k / above.k
        for number, (below, above) in enumerate(pairwise(levels), start=1)
        if below.splits == 1 and above.k < math.isqrt(below.k * above.k)
    }
    if not gaps:
        return []
    place = max(gaps, key=gaps.__getitem__)
    below, above = levels[place - 1 : place + 1]
    between = Level(k=math.isqrt(below.k * above.k), resampling=above.resampling)
    return _with_depth([*levels[:place], between, *levels[place:]], depth)


def _with_half(levels: Sequence[Level]) -> Sequence[Level]:
    """The levels with half their clusters, the top's excepted; none where k would no longer fall."""
    ks = [*(level.k // 2 // level.splits * level.splits for level in levels[:-1]), levels[-1].k]
    is_falling = all(below > above for below, above in pairwise(ks))
    return [level.model_copy(update={"k": k}) for level, k in zip(levels, ks, strict=True)] if is_falling else []


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
        raise ConfigError(
            f"compare.variants, {variant.name}: the config has no encoder to change, as embed; of several encoders a "
            "variant names another by cluster.encoder"
        )
    kept = variant.embed.get("encoder", config.embed.encoder) == config.embed.encoder
    return {"cluster": cluster, "embed": {**(config.embed.model_dump(mode="json") if kept else {}), **variant.embed}}


def _run_of(config: Config, variant: Variant | None = None) -> VariantRun:
    """The run of one method; without any, of the clusters that all are measured in."""
    values = {**config.model_dump(mode="json"), "evaluate": None, "compare": None, "select": []}
    if variant:
        values |= _changed(config, variant)
        values["select"] = [{**variant.select, "name": variant.name, "target": compared(config).target}]
    changed = config_from(values, place=f"compare.variants, {variant.name}" if variant else "compare")
    names = {
        selection.name: f"{selection.name}-{_digest(identity(selection.model_copy(update={'name': ''})))}"
        for selection in SELECT.of(changed)
    }
    select = tuple(selection.model_copy(update={"name": names[selection.name]}) for selection in SELECT.of(changed))
    run_id = f"{config.name}-{_clustering_digest(changed)}"
    return VariantRun(run_id, _with_selections(changed, select), names)


def _clustering_digest(config: Config) -> str:
    """What tells clusterings apart: the fingerprints of all nodes up to the tree, which know what changes a result."""
    graph = graph_of(config)
    fingerprints: dict[str, str] = {}
    for node in graph.order:
        fingerprints[node.name] = node.fingerprint([fingerprints[name] for name in graph.parents(node.name)], {})
    return fingerprints[CLUSTER.family][:10]


def _with_selections(config: Config, select: tuple[Selection, ...]) -> Config:
    return config.model_copy(update={SELECT.family: select})


def _joined(run: VariantRun, other: VariantRun) -> VariantRun:
    """One run with the selections of two that have the same clustering."""
    select = (*SELECT.of(run.config), *SELECT.of(other.config))
    return VariantRun(run.run_id, _with_selections(run.config, select), {**run.selections, **other.selections})


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def compared(config: Config) -> Compare:
    """The section ``compare``.

    Raises:
        ConfigError: there is none.
    """
    if config.compare is None:
        raise ConfigError(f"config {config.name!r} has no section 'compare': add it, with the number of items, target")
    return config.compare


def _clustering(config: Config) -> Cluster:
    section = CLUSTER.of(config)
    if section is None:
        raise ConfigError("compare varies clusterings: add the section cluster")
    return section
