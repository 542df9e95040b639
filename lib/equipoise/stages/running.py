"""A config -> a run of its stages: all checks before any work, then one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from equipoise.config import Config
from equipoise.errors import ConfigError, EquipoiseError, TableError, nearest
from equipoise.pipeline.locating import check_writable, is_local_alone
from equipoise.runs.early import early_record
from equipoise.runs.graph import Graph
from equipoise.runs.origins import refuse_early
from equipoise.runs.question import Question
from equipoise.runs.record import Record
from equipoise.runs.steps import State, check_parents, check_steps, steps_of
from equipoise.stages import STAGES
from equipoise.stages.configuration import graph_of

if TYPE_CHECKING:  # Spark takes seconds to import
    from pyspark.sql import SparkSession
    from rich.console import Console

    from equipoise.runs.account import Progress
    from equipoise.runs.run import Outcome
    from equipoise.tables import Workspace


DEFAULT_FILE_SYSTEM = "spark.hadoop.fs.defaultFS"


def new_run_id(config: Config) -> str:
    """The config's name and the time, in UTC."""
    return f"{config.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


@dataclass(frozen=True)
class Planned:
    """What a job is about: the graph of its config, and the names of the nodes to bring up to date."""

    graph: Graph
    targets: tuple[str, ...]
    force: tuple[str, ...] = ()

    def check(self, run_id: str, *, is_new: bool = False) -> None:
        """Runs all checks that need no Spark, of what is still to be done in a run.

        Args:
            run_id: the run; its events are read where that needs no Spark. Where it does, nothing is checked.
            is_new: it has none.

        Raises:
            ConfigError, InputError: what the user can mend.
            RunError: something is finished with other settings and not forced, or stands on what is not finished.
        """
        _check_file_system(self.graph.config)
        check_writable(self.graph.config.workspace, "workspace")
        record = Record() if is_new else early_record(self.graph.config.workspace, run_id)
        if record is None:
            return
        steps = steps_of(self.graph, record, force=self.force)
        check_steps(steps, self.targets, self.graph, record=record, run_id=run_id)
        for step in map(steps.__getitem__, self.targets):
            is_known = step.node.outside is None  # else it may be done, and what it read may be gone
            if step.state is State.TO_DO or (step.state is not State.DONE and is_known):
                step.node.checked()
        refuse_early(self.graph.config.workspace, map(steps.__getitem__, self.targets))


def planned(config: Config, *, family: str | None = None, force: str | None = None) -> Planned:
    """The nodes of one family, or of all that are no jobs of their own.

    Raises:
        ConfigError: sections do not fit together, the config has none for it, or no such stage is to be forced.
    """
    graph = graph_of(config)
    apart = {stage.family for stage in STAGES if stage.on_request}
    targets = [node for node in graph.order if (node.family == family if family else node.family not in apart)]
    if not targets:
        raise _nothing_to_do(config, family)
    known = list(dict.fromkeys(name for node in targets for name in (node.family, node.name)))
    if force and force not in known:
        raise ConfigError(f"--force {force}: not a stage of this job; {nearest(force, known)}")
    return Planned(graph, tuple(node.name for node in targets), (force,) if force else ())


@dataclass(frozen=True)
class Asked:
    """A question to a run, with its value, and the graph of the config that it is about."""

    graph: Graph
    question: Question
    value: Any

    def check(self, run_id: str, *, is_new: bool = False) -> None:
        """Checks without Spark that the run has what the answer reads; where that needs Spark, nothing.

        Raises:
            ConfigError: the config's section leaves nothing to ask.
            RunError: what it reads is not finished, or with other settings.
        """
        name = self.question.node(self.graph.config)
        _check_file_system(self.graph.config)
        record = Record() if is_new else early_record(self.graph.config.workspace, run_id)
        if record is not None:
            check_parents(steps_of(self.graph, record), name, self.graph, record=record, run_id=run_id)

    def answer(self, *, spark: "SparkSession", progress: "Progress", run_id: str, console: "Console") -> Sequence[str]:
        """Prints the answer; returns the overrides with which the stage's command would act on it.

        Raises:
            ConfigError, InputError, RunError: see the question.
        """
        from equipoise.runs.run import Run
        from equipoise.tables import Workspace

        workspace = Workspace(spark, self.graph.config.workspace)
        run = Run(self.graph, spark=spark, workspace=workspace, run_id=run_id, progress=progress)
        return run.answer(self.question, self.value, console)


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
    try:
        for outcome in run.bring(plan.targets, plan.force):
            progress.message(outcome.text())
            outcomes.append(outcome)
    except EquipoiseError as error:
        if any(not outcome.was_skipped for outcome in outcomes):
            error.add_note(f"what was done stays: go on with --run-id {run_id}")
        raise
    _keep_views(workspace, progress)
    return outcomes


def _keep_views(workspace: "Workspace", progress: "Progress") -> None:
    """Views are a convenience: a catalog that has none, or a user who may not make them, ends no run."""
    from equipoise.tables.views import keep_views

    try:
        keep_views(workspace)
    except TableError as error:
        progress.message(str(error))


def _check_file_system(config: Config) -> None:
    default = config.spark.get(DEFAULT_FILE_SYSTEM, "file:")
    if not default.startswith("file:") and is_local_alone():
        raise ConfigError(
            f"spark.{DEFAULT_FILE_SYSTEM}: paths without a scheme are those of this machine here, not of {default}: "
            "write their scheme and drop this key, or say where Hadoop's settings are by HADOOP_CONF_DIR"
        )


def _nothing_to_do(config: Config, family: str | None) -> ConfigError:
    if family is None:
        return config.without_source("every stage but benchmark")
    stage = next(stage for stage in STAGES if stage.family == family)
    if stage.section is not None and stage.of(config) and stage.idle:
        return ConfigError(f"config {config.name!r} {stage.idle}")
    if not config.named_sources and not stage.on_request:
        return config.without_source(family)
    section = stage.key or stage.family
    return ConfigError(f"config {config.name!r} has no section {section!r}: add it to run this stage")
