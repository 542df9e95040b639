"""What the jobs and the ``equipoise`` command do, and their exit codes.

0: done. 2: the user's input or config (one message). 1: anything else (the run id and where the log is).
"""

import argparse
import logging
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from equipoise.cli.arguments import STAGES, parsed
from equipoise.errors import ConfigError, EquipoiseError

if TYPE_CHECKING:  # Spark and its kin take seconds to import
    from pyspark.sql import SparkSession

    from equipoise.config import Config

RUN_ID = re.compile(r"[\w\-.]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = parsed(arguments)
    _log_to_stderr()
    options.run_id = getattr(options, "run_id", None)
    try:
        COMMANDS[options.job](options)
    except EquipoiseError as error:
        sys.stderr.write(f"equipoise: {error}\n")
        return 2
    except Exception:  # all else: the user gets one line, the whole story goes to a file
        sys.stderr.write(f"equipoise: {options.run_id or options.job} failed; the log is in {_log(options.job)}\n")
        return 1
    return 0


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    # Py4J logs with a stack what it raises beside, and by the root logger.
    handler.addFilter(lambda record: "py4j" not in Path(record.pathname).parts)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", handlers=[handler])


def run_job(job: str) -> None:
    """What ``jobs/JOB.py`` calls: the command of that name with the arguments of the process."""
    code = main([job, *sys.argv[1:]])
    if code:
        sys.exit(code)


def _stage(options: argparse.Namespace) -> None:
    from equipoise.cli.progress import ConsoleProgress
    from equipoise.config import load_config  # Spark and its kin take seconds to import: --help does without
    from equipoise.runs.run import FAMILIES
    from equipoise.session import get_session
    from equipoise.stages.curate import new_run_id, perform, planned
    from equipoise.studies.summary import summarise

    config = load_config(options.config, options.overrides)
    options.run_id = _checked_run_id(options.run_id or new_run_id(config))
    families = FAMILIES if options.job == "curate" else (options.job,)
    planned(config, families=families, force=options.force)  # what can be refused at once, before Spark takes its time
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        progress.message(f"run {options.run_id}: {options.job}, workspace {config.workspace}")
        spark = get_session(config.spark, name=f"equipoise {options.job} {options.run_id}")
        run_id = options.run_id
        perform(config, spark=spark, progress=progress, run_id=run_id, families=families, force=options.force)
    if not options.quiet:
        console = Console(highlight=False)
        summarise(config, spark=spark, run_id=run_id, job=options.job, path=options.config, console=console)
    if options.job == "curate" and config.report:
        _last_report(config, spark, options)


def _last_report(config: "Config", spark: "SparkSession", options: argparse.Namespace) -> None:
    from equipoise.studies.report import write_report

    out = config.report.out if config.report else None
    try:
        path = write_report(spark, workspace=config.workspace, run_id=options.run_id, out=out)
    except Exception:  # of any kind, and raised again: the report alone failed, and the user should know
        again = f"equipoise report --config {shlex.quote(options.config)} --run-id {options.run_id}"
        sys.stderr.write(f"equipoise: run {options.run_id} is finished, but not its report; again: {again}\n")
        raise
    if not options.quiet:
        _tell(f"report: {path}")


def _tell(line: str) -> None:
    Console(highlight=False).print(line, markup=False, soft_wrap=True)


def _report(options: argparse.Namespace) -> None:
    from equipoise.config import load_config
    from equipoise.session import get_session
    from equipoise.studies.report import write_report

    if options.overrides and not options.config:
        raise ConfigError(f"{options.overrides[0]!r} overrides a setting of a config: give --config, or drop it")
    config = load_config(options.config, options.overrides) if options.config else None
    spark = get_session(config.spark if config else {}, name=f"equipoise report {options.run_id}")
    out = options.out or (config.report.out if config and config.report else None)
    workspace = config.workspace if config else options.workspace
    path = write_report(spark, workspace=workspace, run_id=options.run_id, out=out)
    _tell(f"report: {path}")


def _compare(options: argparse.Namespace) -> None:
    from equipoise.cli.progress import ConsoleProgress
    from equipoise.config import load_config
    from equipoise.session import get_session
    from equipoise.studies.compare import checked_runs, compare
    from equipoise.studies.metrics_report import print_metrics
    from equipoise.studies.variants import comparison_id

    config = load_config(options.config, options.overrides)
    checked_runs(config)
    options.run_id = _checked_run_id(options.run_id or comparison_id(config))
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        spark = get_session(config.spark, name=f"equipoise compare {options.run_id}")
        metrics = compare(config, spark=spark, progress=progress, run_id=options.run_id)
    if not options.quiet:
        print_metrics(metrics, title="methods", console=Console(highlight=False))
        _tell(f"metrics: run_id {options.run_id}; tables: {config.workspace}")


def _checked_run_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(f"--run-id {run_id!r} may hold letters, digits, '_', '-' and '.' only: choose another")
    return run_id


def _plan(options: argparse.Namespace) -> None:
    from equipoise.studies.costs.command import plan

    plan(options, Console(highlight=False))


def _sql(options: argparse.Namespace) -> None:
    from equipoise.studies.sql import query

    place, engine = options.workspace, options.engine
    query(options.query, workspace=place, engine=engine, limit=options.limit, console=Console())


def _demo_data(options: argparse.Namespace) -> None:
    from equipoise.studies.demo_data import write_demo_data

    Console(stderr=True, highlight=False).print(write_demo_data(options.what, Path(options.out)))


def _log(job: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix=f"equipoise-{job}-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    **dict.fromkeys(STAGES, _stage),
    "compare": _compare,
    "plan": _plan,
    "report": _report,
    "sql": _sql,
    "demo-data": _demo_data,
}
