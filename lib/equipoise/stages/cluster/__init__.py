"""The stage ``cluster``: vectors -> the cluster tree, and the level-1 cluster of every item."""

from collections.abc import Iterator

from equipoise.config import Config
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.runs.vectors import vectors_of
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, ITERATIONS, POOL, REJECTS, Col, Slice
from equipoise.stages.cluster.section import Cluster


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Cluster]]:
    """One, over the pool.

    Raises:
        ConfigError: there are no vectors of the pool, or those of several encoders.
    """
    section = CLUSTER.of(config)
    if section is None:
        return
    name = CLUSTER.family
    rejects = Slice(REJECTS, {Col.stage: name})
    yield Node(
        name,
        section,
        "equipoise.stages.cluster.work:cluster",
        sources=so_far.pool,
        needs=(
            *vectors_of(so_far, so_far.pool, section.encoder, key=f"{name}.encoder"),
            *(part for source in so_far.pool for part in so_far.made(POOL, source=source)),
        ),
        after=so_far.sieves(so_far.pool),
        makes=(
            Slice(CENTROIDS),
            Slice(ASSIGNMENTS),
            Slice(ITERATIONS),
            Slice(CHECKPOINTS, {Col.stage: name}),
            rejects,
        ),
        drops=rejects,
        seed=config.seed,
        revision=2,
        check="equipoise.stages.cluster.check:check",
    )


CLUSTER: Stage[Cluster | None] = Stage(
    "cluster",
    "build the cluster tree",
    nodes,
    section=Cluster | None,
    tables=(CENTROIDS, ASSIGNMENTS),
)
