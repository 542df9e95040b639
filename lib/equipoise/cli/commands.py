"""What each command does. Spark and its kin take seconds to import: every command does it as late as it can."""

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from equipoise.consoles import plain_console
from equipoise.errors import ConfigError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from equipoise.config import Config
    from equipoise.runs.question import Question
    from equipoise.runs.tables import RunTables

RUN_ID = re.compile(r"(?!\.{1,2}$)[\w\-.]+")
LONGEST_RUN_ID = 200
"""Bytes: it is part of names of folders and files, which take 255."""


def stage(options: argparse.Namespace) -> None:
    """Brings the nodes of one family, or of all, up to date; or answers a question about what is there."""
    asked = [one for one in options.questions if getattr(options, one.key) is not None]
    if asked:
        _answer(asked[0], options)
    else:
        _bring(options)


def _bring(options: argparse.Namespace) -> None:
    from equipoise.cli.progress import ConsoleProgress
    from equipoise.stages.configuration import load_config
    from equipoise.stages.running import perform, planned
    from equipoise.studies.comparisons import refuse_by_spark, refuse_early

    config = load_config(options.config, options.overrides)
    is_new = options.run_id is None
    run_id = options.run_id = _run_id(options, config)
    is_own = is_new or refuse_early(config, run_id)
    plan = planned(config, family=None if options.job == "curate" else options.job, force=options.force)
    plan.check(run_id, is_new=is_new)  # what can be refused at once, before Spark takes its time
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        progress.message(f"run {run_id}: {options.job}, workspace {config.workspace}")
        spark = _session(config, f"{options.job} {run_id}")
        if not is_own:
            refuse_by_spark(config, run_id, spark)
        perform(plan, spark=spark, progress=progress, run_id=run_id)
    is_reported = options.job == "curate" and config.report is not None
    if options.quiet and not is_reported:
        return
    from equipoise.runs.tables import opened
    from equipoise.studies.summary import summarise

    with opened(spark, config.workspace, run_id) as run:
        if not options.quiet:
            summarise(run, plan.graph, job=options.job, path=options.config, console=plain_console())
        if is_reported:
            _last_report(run, config, options)


def _answer(question: "Question", options: argparse.Namespace) -> None:
    """Prints what is asked, whatever ``--quiet`` says, and the command that acts on it."""
    from equipoise.cli.progress import ConsoleProgress
    from equipoise.stages.configuration import load_config
    from equipoise.stages.running import Asked, planned

    config = load_config(options.config, options.overrides)
    asked = Asked(planned(config, family=options.job).graph, question, getattr(options, question.key))
    is_new = options.run_id is None
    run_id = _run_id(options, config)
    asked.check(run_id, is_new=is_new)
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        progress.message(f"run {run_id}: {options.job} {question.flag}, workspace {config.workspace}")
        spark = _session(config, f"{options.job} {run_id}")
        overrides = asked.answer(spark=spark, progress=progress, run_id=run_id, console=plain_console())
    keys = {text.partition("=")[0] for text in overrides}
    kept = [text for text in options.overrides if text.partition("=")[0] not in keys]
    words = ["equipoise", options.job, "--config", options.config, "--run-id", run_id, *kept, *overrides]
    _tell(f"next: {shlex.join(words)}")


def _last_report(run: "RunTables", config: "Config", options: argparse.Namespace) -> None:
    from equipoise.studies.report import report_of

    try:
        path = report_of(run, out=config.report.out if config.report else None)
    except Exception:  # of any kind, and raised again: the report alone failed, and the user should know
        again = f"equipoise report --config {shlex.quote(options.config)} --run-id {options.run_id}"
        sys.stderr.write(f"equipoise: run {options.run_id} is finished, but not its report; again: {again}\n")
        raise
    if not options.quiet:
        _tell(f"report: {path}")


def graph(options: argparse.Namespace) -> None:
    """Shows the nodes of a config and their state; writes nothing."""
    from equipoise.runs.steps import State
    from equipoise.stages.configuration import graph_of, load_config
    from equipoise.studies.graph import early_steps, show, steps_by_spark

    config = load_config(options.config, options.overrides)
    if options.run_id is not None:
        _checked_run_id(options.run_id)
    nodes = graph_of(config)
    steps = early_steps(nodes, options.run_id, force=options.force)
    if steps is None:
        steps = steps_by_spark(nodes, options.run_id, force=options.force, spark=_session(config, "graph"))
    title = f"run {options.run_id}" if options.run_id else f"config {config.name}, a new run"
    if options.run_id and all(step.state is State.TO_DO for step in steps.values()):
        title += ", of which nothing is there yet"
    show(nodes, steps, plain_console(), title=title, form=options.format)


def report(options: argparse.Namespace) -> None:
    """Writes the report of a run."""
    from equipoise.pipeline.locating import check_workspace, folder_problem
    from equipoise.stages.configuration import load_config

    if options.out is not None and (problem := folder_problem(options.out)):
        raise ConfigError(f"--out {options.out!r} {problem}")
    if options.overrides and not options.config:
        raise ConfigError(f"{options.overrides[0]!r} overrides a setting of a config: give --config, or drop it")
    _checked_run_id(options.run_id)
    config = load_config(options.config, options.overrides) if options.config else None
    if options.workspace is not None:
        check_workspace(options.workspace)
    spark = _session(config, f"report {options.run_id}")
    from equipoise.studies.report import write_report

    out = options.out or (config.report.out if config and config.report else None)
    workspace = config.workspace if config else options.workspace
    _tell(f"report: {write_report(spark, workspace=workspace, run_id=options.run_id, out=out)}")


def compare(options: argparse.Namespace) -> None:
    """Curates one pool by several methods."""
    from equipoise.cli.progress import ConsoleProgress
    from equipoise.stages.configuration import load_config
    from equipoise.studies.variants import comparison_id, planned_runs

    config = load_config(options.config, options.overrides)
    run_id = options.run_id = _checked_run_id(comparison_id(config) if options.run_id is None else options.run_id)
    for run, plan in planned_runs(config):
        plan.check(run.run_id)  # what can be refused at once, before Spark takes its time
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        spark = _session(config, f"compare {run_id}")
        from equipoise.stages.evaluate.told import print_metrics
        from equipoise.studies import compare as study

        metrics = study.compare(config, spark=spark, progress=progress, run_id=run_id)
    if not options.quiet:
        print_metrics(metrics, title="methods", console=plain_console())
        _tell(f"metrics: run_id {run_id}; tables: {config.workspace}")


def plan(options: argparse.Namespace) -> None:
    """Says what a clustering will take."""
    from equipoise.studies.costs.command import plan

    plan(options, plain_console())


def sql(options: argparse.Namespace) -> None:
    """Runs a query over the tables of a workspace."""
    from equipoise.studies.sql import query

    place, engine = options.workspace, options.engine
    query(options.query, workspace=place, engine=engine, limit=options.limit, console=plain_console())


def demo_data(options: argparse.Namespace) -> None:
    """Writes the data of a demo."""
    from equipoise.studies.demo_data import write_demo_data

    plain_console(stderr=True).print(write_demo_data(options.what, Path(options.out)))


def silence_spark() -> None:
    """What the JVM says of jobs that were broken off is not told."""
    if "pyspark" in sys.modules:
        from equipoise.session import silence

        silence()


def _session(config: "Config | None", what: str) -> "SparkSession":
    from equipoise.session import get_session

    return get_session(config.spark if config else {}, name=f"equipoise {what}")


def _tell(line: str) -> None:
    plain_console().print(line, markup=False, soft_wrap=True)


def _run_id(options: argparse.Namespace, config: "Config") -> str:
    """The one that is given, or a new one."""
    from equipoise.stages.running import new_run_id

    return _checked_run_id(new_run_id(config) if options.run_id is None else options.run_id)


def _checked_run_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(
            f"--run-id {run_id!r} may hold letters, digits, '_', '-' and '.' only, not '.' or '..': choose another"
        )
    if len(run_id.encode()) > LONGEST_RUN_ID:
        raise ConfigError(f"--run-id {run_id[:40]}... is longer than {LONGEST_RUN_ID} bytes: choose another")
    return run_id
