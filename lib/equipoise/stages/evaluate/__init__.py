"""The stage ``evaluate``: the cluster tree and all selections -> metrics of the pool, of them and of random ones."""

from collections.abc import Iterator

from equipoise.config import Config, Section
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
        ConfigError: nothing is selected.
    """
    section = EVALUATE.of(config)
    if section is None or (config.compare and not so_far.slices(CURATED)):
        return
    selected, tree = so_far.made(CURATED), so_far.made(CENTROIDS)
    name = EVALUATE.family
    yield Node(
        name,
        Judged(
            section=section,
            selections=tuple(sorted(str(part.where[Col.selection]) for part in selected)),
            metric=so_far.maker(tree[0]).settings.metric,
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


EVALUATE: Stage[Evaluate | None] = Stage(
    "evaluate",
    "measure how balanced the pool and the selections are",
    nodes,
    section=Evaluate | None,
    idle="selects nothing: add the section 'select', or run its compare",
    query="select selection, name, value from metrics where run_id = '{run_id}' and `group` = 'level_1'",
    told="equipoise.stages.evaluate.told:print_balance",
)
