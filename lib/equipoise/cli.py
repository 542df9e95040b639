"""One parser for the jobs and for the ``equipoise`` command, and the exit codes.

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

from equipoise import __version__
from equipoise.errors import ConfigError, EquipoiseError
from equipoise.stages.cost_arguments import add_plan_arguments

if TYPE_CHECKING:  # Spark and its kin take seconds to import
    from pyspark.sql import SparkSession

    from equipoise.config import Config

RUN_ID = re.compile(r"[\w\-.]+")
STAGES = {
    "curate": "run all stages of a config, or bring an earlier run up to date",
    "ingest": "give the items of the source ids and add the new ones to the pool",
    "embed": "turn the items of the pool into vectors",
    "cluster": "build the cluster tree",
    "select": "sample the selections from the cluster tree",
    "evaluate": "measure how balanced the pool and the selections are",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s", stream=sys.stderr)
    options.run_id = getattr(options, "run_id", None)
    try:
        command: Callable[[argparse.Namespace], None] = options.command
        command(options)
    except EquipoiseError as error:
        sys.stderr.write(f"equipoise: {error}\n")
        return 2
    except Exception:  # all else: the user gets one line, the whole story goes to a file
        sys.stderr.write(f"equipoise: {options.run_id or options.job} failed; the log is in {_log(options.job)}\n")
        return 1
    return 0


def run_job(job: str) -> None:
    """What ``jobs/JOB.py`` calls: the command of that name with the arguments of the process."""
    code = main([job, *sys.argv[1:]])
    if code:
        sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    meaning = "Automatic data curation for self-supervised learning, on Spark."
    parser = argparse.ArgumentParser("equipoise", description=meaning, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"equipoise {__version__}")
    jobs = parser.add_subparsers(dest="job", required=True, metavar="COMMAND")
    for name, what in STAGES.items():
        job = jobs.add_parser(name, help=what, description=what, allow_abbrev=False)
        job.add_argument("--config", required=True, metavar="FILE", help="a YAML file; examples are in conf/")
        job.add_argument("overrides", nargs="*", metavar="dotted.key=value", help="settings that replace the file's")
        job.add_argument("--run-id", help="go on with this run (default: a new one, named by the config and the time)")
        job.add_argument("--force", metavar="STAGE", help="replace a finished stage and all that stands on it")
        job.add_argument("--quiet", action="store_true", help="print errors only")
        job.set_defaults(command=_stage)
    _add_compare(jobs)
    _add_plan(jobs)
    _add_report(jobs)
    _add_sql(jobs)
    _add_demo_data(jobs)
    return parser


def _add_compare(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "curate one pool by several methods at one budget, and print how balanced each comes out"
    compare = jobs.add_parser("compare", help=meaning, description=meaning, allow_abbrev=False)
    compare.add_argument("--config", required=True, metavar="FILE", help="a YAML file with the section compare")
    compare.add_argument("overrides", nargs="*", metavar="dotted.key=value", help="settings that replace the file's")
    compare.add_argument("--run-id", help="of the metrics (default: one for these methods, so that they are replaced)")
    compare.add_argument("--quiet", action="store_true", help="print errors only")
    compare.set_defaults(command=_compare)


def _add_plan(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "print what the clustering of a config will take on a machine, or suggest its levels; starts nothing"
    plan = jobs.add_parser("plan", help=meaning, description=meaning, allow_abbrev=False)
    add_plan_arguments(plan)
    plan.set_defaults(command=_plan)


def _add_report(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "write the report of a run: one HTML file, from its tables"
    report = jobs.add_parser("report", help=meaning, description=meaning, allow_abbrev=False)
    place = report.add_mutually_exclusive_group(required=True)
    place.add_argument("--config", metavar="FILE", help="the YAML file of the run")
    place.add_argument("--workspace", help="instead of a config: a folder or catalog.schema")
    report.add_argument("overrides", nargs="*", metavar="dotted.key=value", help="settings that replace the file's")
    report.add_argument("--run-id", required=True, help="a run of the workspace, finished or not")
    report.add_argument(
        "--out", metavar="DIR", help="a local folder (default: the config's, or reports/ beside the tables)"
    )
    report.set_defaults(command=_report)


def _add_sql(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "run a SQL query over the tables of a workspace"
    sql = jobs.add_parser("sql", help=meaning, description=meaning, allow_abbrev=False)
    sql.add_argument("query", help='for example "select * from runs"')
    sql.add_argument("--workspace", required=True, help="a folder or catalog.schema")
    sql.add_argument("--limit", type=int, default=100, metavar="N", help="rows to print at most (default: 100)")
    sql.set_defaults(command=_sql)


def _add_demo_data(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "write the data of the demos: real handwritten digits, or docstrings of installed packages"
    demo = jobs.add_parser("demo-data", help=meaning, description=meaning, allow_abbrev=False)
    demo.add_argument("what", choices=("digits", "docstrings"))
    demo.add_argument("--out", required=True, metavar="DIR")
    demo.set_defaults(command=_demo_data)


def _stage(options: argparse.Namespace) -> None:
    from equipoise.config import load_config  # Spark and its kin take seconds to import: --help does without
    from equipoise.session import get_session
    from equipoise.stages.curate import new_run_id, perform, planned
    from equipoise.stages.progress import ConsoleProgress
    from equipoise.stages.runs import FAMILIES
    from equipoise.stages.summary import summarise

    config = load_config(options.config, options.overrides)
    options.run_id = _checked_run_id(options.run_id or new_run_id(config))
    families = FAMILIES if options.job == "curate" else (options.job,)
    planned(config, families=families, force=options.force)  # what can be refused at once, before Spark takes its time
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        progress.message(f"run {options.run_id}: {options.job}, workspace {config.workspace}")
        spark = get_session(config.spark, name=f"equipoise {options.job} {options.run_id}")
        perform(
            config,
            spark=spark,
            progress=progress,
            run_id=options.run_id,
            families=families,
            force=options.force,
        )
    if not options.quiet:
        summarise(
            config,
            spark=spark,
            run_id=options.run_id,
            job=options.job,
            path=options.config,
            console=Console(highlight=False),
        )
    if options.job == "curate" and config.report:
        _last_report(config, spark, options)


def _last_report(config: "Config", spark: "SparkSession", options: argparse.Namespace) -> None:
    from equipoise.stages.report import write_report

    out = config.report.out if config.report else None
    try:
        path = write_report(spark, workspace=config.workspace, run_id=options.run_id, out=out)
    except Exception:  # of any kind, and raised again: the report alone failed, and the user should know
        again = f"equipoise report --config {shlex.quote(options.config)} --run-id {options.run_id}"
        sys.stderr.write(f"equipoise: run {options.run_id} is finished, but not its report; again: {again}\n")
        raise
    if not options.quiet:
        Console(highlight=False).print(f"report: {path}", markup=False, soft_wrap=True)


def _report(options: argparse.Namespace) -> None:
    from equipoise.config import load_config
    from equipoise.session import get_session
    from equipoise.stages.report import write_report

    if options.overrides and not options.config:
        raise ConfigError(f"{options.overrides[0]!r} overrides a setting of a config: give --config, or drop it")
    config = load_config(options.config, options.overrides) if options.config else None
    spark = get_session(config.spark if config else {}, name=f"equipoise report {options.run_id}")
    out = options.out or (config.report.out if config and config.report else None)
    workspace = config.workspace if config else options.workspace
    path = write_report(spark, workspace=workspace, run_id=options.run_id, out=out)
    Console(highlight=False).print(f"report: {path}", markup=False, soft_wrap=True)


def _compare(options: argparse.Namespace) -> None:
    from equipoise.config import load_config
    from equipoise.session import get_session
    from equipoise.stages.compare import checked_runs, compare
    from equipoise.stages.metrics_report import print_metrics
    from equipoise.stages.progress import ConsoleProgress
    from equipoise.stages.variants import comparison_id

    config = load_config(options.config, options.overrides)
    checked_runs(config)
    options.run_id = _checked_run_id(options.run_id or comparison_id(config))
    with ConsoleProgress(is_quiet=options.quiet) as progress:
        spark = get_session(config.spark, name=f"equipoise compare {options.run_id}")
        metrics = compare(config, spark=spark, progress=progress, run_id=options.run_id)
    if not options.quiet:
        console = Console(highlight=False)
        print_metrics(metrics, title="methods", console=console)
        console.print(f"metrics: run_id {options.run_id}; tables: {config.workspace}", markup=False, soft_wrap=True)


def _checked_run_id(run_id: str) -> str:
    if not RUN_ID.fullmatch(run_id):
        raise ConfigError(f"--run-id {run_id!r} may hold letters, digits, '_', '-' and '.' only: choose another")
    return run_id


def _plan(options: argparse.Namespace) -> None:
    from equipoise.stages.cost_command import plan

    plan(options, Console(highlight=False))


def _sql(options: argparse.Namespace) -> None:
    from equipoise.session import get_session
    from equipoise.stages.query import query

    query(get_session(), options.query, workspace=options.workspace, limit=options.limit, console=Console())


def _demo_data(options: argparse.Namespace) -> None:
    from equipoise.stages.demo_data import write_demo_data

    Console(stderr=True, highlight=False).print(write_demo_data(options.what, Path(options.out)))


def _log(job: str) -> str:
    with tempfile.NamedTemporaryFile("w", prefix=f"equipoise-{job}-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name
