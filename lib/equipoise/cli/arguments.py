"""The one parser of the jobs and of the ``equipoise`` command."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from equipoise import __version__
from equipoise.cli.plan_arguments import add_plan_arguments, row_count
from equipoise.errors import ConfigError
from equipoise.runs.question import Question
from equipoise.stages import STAGES

CURATE = {"curate": "run all stages of a config, or bring an earlier run up to date"}


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments; overrides may stand anywhere, where argparse alone would have them in a row."""
    parser = _parser()
    options, apart = parser.parse_known_args(arguments)
    strange = [word for word in apart if word.startswith("-") or "=" not in word]
    if strange or (apart and not hasattr(options, "overrides")):
        parser.error(f"unrecognized arguments: {' '.join(strange or apart)}")
    if apart:
        options.overrides = [*options.overrides, *apart]
    return options


def _parser() -> argparse.ArgumentParser:
    meaning = "Automatic data curation for self-supervised learning, on Spark."
    parser = argparse.ArgumentParser("equipoise", description=meaning, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"equipoise {__version__}")
    jobs = parser.add_subparsers(dest="job", required=True, metavar="COMMAND")
    asked = {stage.family: stage.asks for stage in STAGES}
    for name, what in (CURATE | {stage.family: stage.meaning for stage in STAGES}).items():
        job = jobs.add_parser(name, help=what, description=what, allow_abbrev=False)
        _add_config(job)
        job.add_argument("--run-id", help="go on with this run (default: a new one, named by the config and the time)")
        _add_purpose(job, asked.get(name, ()))
    _add_graph(jobs)
    _add_compare(jobs)
    _add_plan(jobs)
    _add_report(jobs)
    _add_sql(jobs)
    _add_demo_data(jobs)
    return parser


def _add_purpose(job: argparse.ArgumentParser, questions: Sequence[Question]) -> None:
    """What is done in place of bringing up to date: one thing at a time."""
    purpose = job.add_mutually_exclusive_group()
    purpose.add_argument("--force", metavar="STAGE", help="replace a finished stage and all that stands on it")
    for one in questions:
        meaning = f"{one.meaning} (for example {one.example})"
        purpose.add_argument(one.flag, dest=one.key, type=_judged(one.value), metavar=one.metavar, help=meaning)
    job.set_defaults(questions=tuple(questions))


def _judged(value: Callable[[str], Any]) -> Callable[[str], Any]:
    """What a question makes of the text behind its flag; what it refuses is refused as any argument is."""

    def judged(text: str) -> Any:
        try:
            return value(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return judged


def _add_graph(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "show the steps of a config, what each stands on, and what a run would do; writes nothing"
    graph = jobs.add_parser("graph", help=meaning, description=meaning, allow_abbrev=False)
    graph.add_argument("--config", required=True, metavar="FILE", help="a YAML file; examples are in conf/")
    _add_overrides(graph)
    graph.add_argument("--run-id", help="with the state of this run (default: a new one, where all is to do)")
    graph.add_argument("--force", metavar="STAGE", help="as if a job were to replace it")
    graph.add_argument("--format", choices=("tree", "mermaid"), default="tree", help="(default: tree)")


def _add_config(job: argparse.ArgumentParser) -> None:
    job.add_argument("--config", required=True, metavar="FILE", help="a YAML file; examples are in conf/")
    _add_overrides(job)
    job.add_argument("--quiet", action="store_true", help="print errors only")


def _add_overrides(job: argparse.ArgumentParser) -> None:
    job.add_argument("overrides", nargs="*", metavar="dotted.key=value", help="settings that replace the file's")


def _add_compare(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "curate one pool by several methods at one budget, and print how balanced each comes out"
    compare = jobs.add_parser("compare", help=meaning, description=meaning, allow_abbrev=False)
    _add_config(compare)
    compare.add_argument("--run-id", help="of the metrics (default: one for these methods, so that they are replaced)")


def _add_plan(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "print what the clustering of a config will take on a machine, or suggest its levels; starts nothing"
    plan = jobs.add_parser("plan", help=meaning, description=meaning, allow_abbrev=False)
    _add_overrides(plan)
    add_plan_arguments(plan)


def _add_report(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "write the report of a run: one HTML file, from its tables"
    report = jobs.add_parser("report", help=meaning, description=meaning, allow_abbrev=False)
    place = report.add_mutually_exclusive_group(required=True)
    place.add_argument("--config", metavar="FILE", help="the YAML file of the run")
    place.add_argument("--workspace", help="instead of a config: a folder or catalog.schema")
    _add_overrides(report)
    report.add_argument("--run-id", required=True, help="a run of the workspace, finished or not")
    where = (
        "a folder, local or with a scheme of Spark's, like s3:// (default: the config's, or reports/ beside the tables)"
    )
    report.add_argument("--out", metavar="DIR", help=where)


def _add_sql(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "run a SQL query over the tables of a workspace"
    sql = jobs.add_parser("sql", help=meaning, description=meaning, allow_abbrev=False)
    sql.add_argument("query", help='for example "select * from runs"')
    sql.add_argument("--workspace", required=True, help="a folder or catalog.schema")
    engines = "duckdb (no JVM, local folders, seconds), spark, or auto: duckdb where it answers as Spark does (default)"
    sql.add_argument("--engine", choices=("auto", "duckdb", "spark"), default="auto", help=engines)
    sql.add_argument("--limit", type=row_count, default=100, metavar="N", help="rows to print at most (default: 100)")


def _add_demo_data(jobs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    meaning = "write the data of the demos: handwritten digits, docstrings of installed packages, or pictures"
    demo = jobs.add_parser("demo-data", help=meaning, description=meaning, allow_abbrev=False)
    demo.add_argument("what", choices=("digits", "docstrings", "images"))
    demo.add_argument("--out", required=True, metavar="DIR")
