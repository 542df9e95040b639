"""The stage ``select``: the cluster tree -> named, balanced selections."""

from collections.abc import Iterator

from equipoise.config import Config
from equipoise.errors import ConfigError
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, Col, Slice
from equipoise.stages.select.section import Selection, Selections


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Selection]]:
    """One a selection; none stands on another.

    Raises:
        ConfigError: nothing is clustered, two selections have one name, or one is by a level that there is not.
    """
    names = [selection.name for selection in SELECT.of(config)]
    for name in {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"select has {names.count(name)} entries named {name!r}; names must differ")
    for selection in SELECT.of(config):
        _check_level(selection, so_far)
        yield Node(
            f"{SELECT.family}:{selection.name}",
            selection,
            "equipoise.stages.select.work:select",
            sources=so_far.pool,
            needs=(*so_far.made(CENTROIDS), *so_far.made(ASSIGNMENTS)),
            makes=(Slice(CURATED, {Col.selection: selection.name}),),
            seed=config.seed,
            check_on_spark="equipoise.stages.select.work:check",
        )


def _check_level(selection: Selection, so_far: Graph) -> None:
    n_levels = len(so_far.maker(so_far.made(CENTROIDS)[0]).settings.levels)
    if selection.level is not None and selection.level > n_levels:
        raise ConfigError(
            f"selection {selection.name!r} has level: {selection.level}, and cluster has {n_levels} levels: lower it, "
            "or drop it for the top"
        )


SELECT: Stage[tuple[Selection, ...]] = Stage(
    "select",
    "sample the selections from the cluster tree",
    nodes,
    section=Selections,
    default=(),
    tables=(CURATED,),
    told="equipoise.stages.select.told:print_selections",
    query="select selection, count(*) as n_items, count(distinct cluster_id) as n_clusters from curated "
    "where run_id = '{run_id}' group by selection",
)
