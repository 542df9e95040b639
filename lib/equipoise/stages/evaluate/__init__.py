"""The stage ``evaluate``: the cluster tree and all selections -> metrics of the pool, of them and of random ones."""

from collections.abc import Iterator

from equipoise.config import Config, Section
from equipoise.errors import ConfigError, nearest
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, METRICS, POOL, Col, Slice
from equipoise.stages.evaluate.section import Evaluate


class Judged(Section):
    """What is measured, of which selections, in clusters by which metric."""

    section: Evaluate
    selections: tuple[str, ...]
    metric: str


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Judged]]:
    """One, over all selections; where only methods are compared, none.

    Raises:
        ConfigError: nothing is selected, or see :func:`check_fits`.
    """
    section = EVALUATE.of(config)
    if section is None or (config.compare and not so_far.slices(CURATED)):
        return
    selected, tree = so_far.made(CURATED), so_far.made(CENTROIDS)
    clustering = so_far.maker(tree[0]).settings
    check_fits(section, config, n_levels=len(clustering.levels))
    name = EVALUATE.family
    yield Node(
        name,
        Judged(
            section=section,
            selections=tuple(sorted(str(part.where[Col.selection]) for part in selected)),
            metric=clustering.metric,
        ),
        "equipoise.stages.evaluate.work:evaluate",
        sources=so_far.pool,
        needs=(
            *(part for source in so_far.pool for part in so_far.made(POOL, source=source)),
            *tree,
            *so_far.made(ASSIGNMENTS),
            *selected,
        ),
        makes=(Slice(METRICS, {Col.stage: name}),),
        seed=config.seed,
        revision=2,
        judges=True,
        check="equipoise.stages.evaluate.check:check",
        outside="equipoise.stages.evaluate.labelled_set:states" if section.labelled else None,
    )


def check_fits(section: Evaluate, config: Config, *, n_levels: int) -> None:
    """Checks what is measured against the sources and the levels of the tree, as far as the config has them.

    Raises:
        ConfigError: a labelled set is for a level that there is not, or items are grouped by what no source gives them.
    """
    level = section.labelled.level if section.labelled else None
    if level is not None and level > n_levels:
        raise ConfigError(
            f"evaluate.labelled.level: {level}, and the clustering has {n_levels}: lower it, or drop it for the top"
        )
    sources = [source.section for source in config.named_sources]
    attributes = {name for source in sources for name in getattr(source, "attributes", ())}
    for name in section.groups:
        if name == Col.label and not section.labelled and not any(getattr(one, "label", None) for one in sources):
            raise ConfigError(
                "evaluate.groups: no source gives items a label: drop 'label', or give a source its label"
            )
        if name not in {Col.label, Col.source, *attributes}:
            known = [Col.source, Col.label, *sorted(attributes)]
            raise ConfigError(
                f"evaluate.groups: no source keeps the attribute {name!r}; {nearest(name, known)}; a source keeps the "
                "columns that its `attributes` name; images and .npy have none"
            )


EVALUATE: Stage[Evaluate | None] = Stage(
    "evaluate",
    "measure how balanced the pool and the selections are",
    nodes,
    section=Evaluate | None,
    idle="selects nothing: add the section 'select', or run its compare",
    query="select selection, name, value from metrics where run_id = '{run_id}' and `group` = 'level_1'",
    told="equipoise.stages.evaluate.told:print_balance",
)
