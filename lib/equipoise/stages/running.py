"""A config -> a run of its stages: all checks before any work, then one after the other."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from equipoise.config import Config
from equipoise.errors import ConfigError, nearest
from equipoise.pipeline.locating import check_writable
from equipoise.runs.graph import Graph
from equipoise.stages import STAGES
from equipoise.stages.configuration import graph_of

if TYPE_CHECKING:  # Spark takes seconds to import
    from pyspark.sql import SparkSession

    from equipoise.runs.account import Progress
    from equipoise.runs.run import Outcome


def new_run_id(config: Config) -> str:
    """The config's name and the time, in UTC."""
    return f"{config.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


@dataclass(frozen=True)
class Planned:
    """What a job is about: the graph of its config, and the names of the nodes to bring up to date."""

    graph: Graph
    targets: tuple[str, ...]
    force: tuple[str, ...] = ()

    def check(self) -> None:
        """Runs all checks that need no Spark: for a run that is new.

        Raises:
            ConfigError, InputError: what the user can mend.
        """
        check_writable(self.graph.config.workspace, "workspace")
        for name in self.targets:
            self.graph[name].checked()


def planned(config: Config, *, family: str | None = None, force: str | None = None) -> Planned:
    """The nodes of one family, or of all that are no jobs of their own.

    Raises:
        ConfigError: sections do not fit together, the config has none for it, or no such stage is to be forced.
    """
    graph = graph_of(config)
    apart = {stage.family for stage in STAGES if stage.on_request}
    targets = [node for node in graph.order if (node.family == family if family else node.family not in apart)]
    if not targets:
        raise ConfigError(_nothing_to_do(config, family))
    families = list(dict.fromkeys(node.family for node in targets))
    if force and force not in families:
        raise ConfigError(f"--force {force}: not a stage of this job; {nearest(force, families)}")
    return Planned(graph, tuple(node.name for node in targets), (force,) if force else ())


def perform(plan: Planned, *, spark: "SparkSession", progress: "Progress", run_id: str) -> "list[Outcome]":
    """Brings the nodes of a plan up to date, in order.

    Args:
        plan: what :func:`planned` returned.
        spark: with Delta.
        progress: who is told.
        run_id: an earlier run goes on where it was.

    Raises:
        ConfigError, InputError, RunError, TableError: see the stages.
    """
    from equipoise.runs.run import Run
    from equipoise.tables import Workspace

    workspace = Workspace(spark, plan.graph.config.workspace)
    run = Run(plan.graph, spark=spark, workspace=workspace, run_id=run_id, progress=progress)
    outcomes = []
    for outcome in run.bring(plan.targets, plan.force):
        progress.message(outcome.text())
        outcomes.append(outcome)
    return outcomes


def _nothing_to_do(config: Config, family: str | None) -> str:
    if family is None:
        return f"config {config.name!r} has no section 'source', so no stage: add it, or run its benchmark"
    stage = next(stage for stage in STAGES if stage.family == family)
    if stage.section is not None and stage.of(config) and stage.idle:
        return f"config {config.name!r} {stage.idle}"
    section = stage.key or stage.family
    if not config.named_sources and not stage.on_request:
        section = "source"
    return f"config {config.name!r} has no section {section!r}: add it to run this stage"
