"""A run: checks everything that can be checked before any work, then brings its stages up to date."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from equipoise.config import Config
from equipoise.errors import ConfigError, nearest
from equipoise.kernels.backends import choose
from equipoise.pipeline.sampling import check_where
from equipoise.runs.context import Progress, StageContext
from equipoise.runs.run import FAMILIES, Outcome, Run, Stage
from equipoise.schemas import RUNS
from equipoise.stages.embed import check_kind, encoder_id_of
from equipoise.stages.plan import family_of, stages_of
from equipoise.tables import Workspace


def new_run_id(config: Config) -> str:
    """The config's name and the time, in UTC."""
    return f"{config.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}"


def planned(config: Config, *, families: Sequence[str] = FAMILIES, force: str | None = None) -> list[Stage]:
    """The stages of ``families``, after all checks that need no Spark.

    Raises:
        ConfigError: no such stage, no vectors to cluster, or an encoder or option of one that does not fit.
    """
    stages = stages_of(config) if tuple(families) == FAMILIES else family_of(config, families[0])
    if not stages:
        raise ConfigError(f"config {config.name!r} has no section 'source', so no stage: add it, or run its benchmark")
    if force and force not in {stage.family for stage in stages}:
        raise ConfigError(f"--force {force}: not a stage of this job; {nearest(force, [s.family for s in stages])}")
    if config.embed or config.cluster:
        encoder_id_of(config)
    if config.embed:
        check_kind(config)
    if config.cluster:
        choose(config.cluster.backend)
    return stages


def perform(
    config: Config,
    *,
    spark: SparkSession,
    progress: Progress,
    run_id: str,
    families: Sequence[str] = FAMILIES,
    force: str | None = None,
) -> list[Outcome]:
    """Brings the stages of ``families`` up to date, in order, those that the config names.

    Args:
        config: the whole run.
        spark: with Delta.
        progress: who is told.
        run_id: an earlier run goes on where it was.
        families: ``("cluster",)`` for one job; all of them for ``curate``.
        force: a family to replace, with all that stands on it, although it is finished.

    Raises:
        ConfigError, InputError, RunError, TableError: see the stages.
    """
    stages = planned(config, families=families, force=force)
    context = StageContext(spark, config, Workspace(spark, config.workspace), run_id, progress)
    for selection in config.select:
        if selection.where is not None:
            check_where(spark, selection.where)
    context.workspace.create(RUNS)
    run, every = Run(context), stages_of(config)
    outcomes = []
    for stage in stages:
        outcome = run.perform(stage, stages=every, force=stage.family == force)
        progress.message(_told(outcome))
        outcomes.append(outcome)
    return outcomes


def _told(outcome: Outcome) -> str:
    account = outcome.account
    parts = [f"{account.n_in:,} in", f"{account.n_out:,} out"]
    parts += [f"{account.n_rejected:,} rejected"] if account.n_rejected else []
    parts += [f"{count:,} {reason.replace('_', ' ')}" for reason, count in account.drops.items() if count]
    how = "already done" if outcome.was_skipped else f"{outcome.seconds:.1f} s"
    return f"{outcome.stage}: {', '.join(parts)} ({how})"
