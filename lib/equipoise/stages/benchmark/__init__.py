"""The stage ``benchmark``: vectors that models made of benchmarks -> metrics of the models, and their failures."""

from collections.abc import Iterator

from equipoise.config import Config
from equipoise.runs.graph import Graph
from equipoise.runs.node import Node
from equipoise.runs.stage import Stage
from equipoise.schemas import FAILURES, METRICS, Col, Slice
from equipoise.stages.benchmark.section import Benchmark


def nodes(config: Config, so_far: Graph) -> Iterator[Node[Benchmark]]:
    """One; it stands on none: models are trained between a curation and its benchmarks."""
    section = BENCHMARK.of(config)
    if section is None:
        return
    name = BENCHMARK.family
    yield Node(
        name,
        section,
        "equipoise.stages.benchmark.work:benchmark",
        makes=(Slice(METRICS, {Col.stage: name}), Slice(FAILURES)),
        seed=config.seed,
        judges=True,
        check="equipoise.stages.benchmark.check:check",
        outside="equipoise.stages.benchmark.work:states",
    )


BENCHMARK: Stage[Benchmark | None] = Stage(
    "benchmark",
    "score models on frozen features: k-NN, a linear probe, retrieval",
    nodes,
    section=Benchmark | None,
    query="select * from failures where run_id = '{run_id}'",
    told="equipoise.stages.benchmark.told:print_benchmarks",
    on_request=True,
)
