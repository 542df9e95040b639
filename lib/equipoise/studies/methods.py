"""The methods that a comparison has where the config names none: those of Vo et al. 2024, from the config's own levels.

Names are those of the paper's ablations (Table 3), for a config of T levels in place of its four: ``Tr`` is the number
of levels and how items are taken inside clusters, r at random, c the closest, f the farthest; what follows is what
differs from the config.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from equipoise.config import Config, Variant
from equipoise.errors import ConfigError
from equipoise.runs.vectors import encoders_of
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.cluster.section import Cluster, Level, Resampling
from equipoise.stages.configuration import graph_of
from equipoise.stages.deduplicate import DEDUPLICATE

DEPTHS = (1, 2, 3, 4)
"""Heights of the trees."""
ROUNDS = (0, 1, 10, 100)
"""How often the levels above the first are resampled."""
SEEDINGS = {"random": "", "kmeans++": "kmeanspp"}
"""Seedings, and what follows ``Tr-``: the paper has nothing there, and no selection has a plus in its name."""
WITHIN = {"c": "closest", "f": "farthest"}
THOUSAND = 1000
SEMDEDUP_ROUNDS = 50


def default_variants(config: Config) -> list[Variant]:
    """The methods of the paper's ablations, each where it differs from the config's own, ``Tr``, and fits its levels.

    - ``1r`` to ``4r``: so many levels; the top has the config's k.
    - ``Tr-0``, ``Tr-1``, ``Tr-10``, ``Tr-100``: rounds of resampling.
    - ``half-k``: half as many clusters below the top. ``Tr-20k``, or ``Tr-kN``: twice as many at every level, N at the
      top (20,000 in the paper, for its 10,000).
    - ``vocabulary-tree``: every cluster split into as many, from the top (Nister and Stewenius 2006).
    - ``Tr-``: random seeding. ``encoder-NAME``: the vectors of another encoder of the config.
    - ``semdedup``: SemDeDup in rounds that end at the target, where the config leaves no copies out itself: an
      alternative to sampling, on the same pool ("Less is More?", section 4).
    - From the config's own clusters ``flat-1`` to ``flat-T``, the target shared over the clusters of one level alone,
      and ``Tc`` and ``Tf``, the closest and farthest items.

    Raises:
        ConfigError: the config has no section cluster, or what it names is not there.
    """
    section = clustering_of(config)
    levels = section.levels
    own, base = f"{len(levels)}r", {} if section.tree == "bottom_up" else {"tree": "bottom_up"}
    clusterings = {name: chosen for name, chosen in _clusterings(levels).items() if chosen or name == own}
    clustered = [
        Variant(name=name, cluster=base if name == own else {**base, **as_values(chosen)})
        for name, chosen in clusterings.items()
        if name == own or as_values(chosen) != as_values(levels)
    ]
    seeded = [
        Variant(name=f"{own}-{name}", cluster={**base, "seeding": how})
        for how, name in SEEDINGS.items()
        if how != section.seeding
    ]
    encoded = [Variant(name=f"encoder-{name}", cluster={"encoder": name}) for name in _other_encoders(config, section)]
    numbers = range(1, len(levels) + 1) if len(levels) > 1 else ()
    sampled = [Variant(name=f"flat-{number}", select={"method": "flat", "level": number}) for number in numbers]
    within = [Variant(name=f"{len(levels)}{letter}", select={"within": how}) for letter, how in WITHIN.items()]
    return [*clustered, *_vocabulary_tree(section), *seeded, *encoded, *_semdedup(config, section), *sampled, *within]


def clustering_of(config: Config) -> Cluster:
    """The section ``cluster``.

    Raises:
        ConfigError: there is none.
    """
    section = CLUSTER.of(config)
    if section is None:
        raise ConfigError("compare varies clusterings: add the section cluster")
    return section


def as_values(levels: Sequence[Level]) -> dict[str, Any]:
    """Levels as what a variant changes in the section ``cluster``."""
    return {"levels": [level.model_dump(mode="json") for level in levels]}


def _clusterings(levels: Sequence[Level]) -> Mapping[str, Sequence[Level]]:
    """Levels by the name of the method; none where they do not fit."""
    own, twice = f"{len(levels)}r", _with_twice(levels)
    return {
        **{f"{n}r": _with_depth(levels, n) for n in sorted({*DEPTHS, len(levels)})},
        **{f"{own}-{n}": _with_rounds(levels, n) for n in ROUNDS},
        "half-k": _with_half(levels),
        f"{own}-{_of_thousands(twice[-1].k)}": twice,
    }


def _of_thousands(k: int) -> str:
    """20,000 as the paper has it, 20k; k40 for 40, which as a number would be rounds."""
    return f"{k // THOUSAND}k" if k % THOUSAND == 0 else f"k{k}"


def _with_depth(levels: Sequence[Level], depth: int) -> Sequence[Level]:
    """So many levels, with the same k at the bottom and at the top; none where there is no room for as many.

    One level has the top's k, without resampling. What is missing comes where neighbours are furthest apart, at their
    geometric mean, resampled like the upper one; never right above a split level, where it would be too large to stay
    whole.
    """
    if depth == len(levels):
        return levels
    if depth == 1:
        return [Level(k=levels[-1].k)]
    if depth < len(levels):
        return [*levels[: depth - 1], levels[-1]]
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


def _with_twice(levels: Sequence[Level]) -> Sequence[Level]:
    """The levels with twice their clusters, the top's too."""
    return [level.model_copy(update={"k": 2 * level.k}) for level in levels]


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


def _vocabulary_tree(section: Cluster) -> list[Variant]:
    """As many levels as the config, split from its top; none where that is one.

    Every cluster is split into as many, so each k is the multiple of that above it which is nearest to the config's.
    """
    levels = section.levels
    if section.tree == "top_down":
        return [Variant(name="vocabulary-tree")]
    if len(levels) == 1:
        return []
    ks = [levels[-1].k]
    for below, above in pairwise(reversed(levels)):
        ks.append(ks[-1] * max(2, round(above.k / below.k)))
    chosen = as_values([Level(k=k) for k in reversed(ks)])
    return [Variant(name="vocabulary-tree", cluster={"tree": "top_down", **chosen})]


def _semdedup(config: Config, section: Cluster) -> list[Variant]:
    """Clusters as in the first level; what is left is all selected, so a single cluster serves."""
    if DEDUPLICATE.of(config) is not None or config.compare is None:
        return []
    rule = {
        "k": section.levels[0].k,
        "rounds": SEMDEDUP_ROUNDS,
        "smallest_mean": 10,
        "target_keep": config.compare.target,
    }
    one = {"tree": "bottom_up", **as_values([Level(k=1)])}
    whose = {"encoder": section.encoder} if section.encoder else {}
    return [Variant(name="semdedup", deduplicate={**whose, "semdedup": rule}, cluster=one)]


def _other_encoders(config: Config, section: Cluster) -> list[str]:
    """Those that make vectors of the whole pool beside the config's own."""
    if section.encoder is None:
        return []  # the config has one, or is refused
    graph = graph_of(config)
    return [name for name in encoders_of(graph, graph.pool) if name != section.encoder]
