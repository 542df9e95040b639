"""What a job prints when it is done: the lines of its stages, and the next command to type."""

import shlex

from rich.console import Console

from equipoise.pipeline.frames import grouped_jobs
from equipoise.runs.graph import Graph
from equipoise.runs.node import loaded
from equipoise.runs.tables import RunTables

EVENTS = "select stage, status, n_in, n_out from runs where run_id = '{run_id}' order by at"


def summarise(run: RunTables, graph: Graph, *, job: str, path: str, console: Console) -> None:
    """Prints the end of a job.

    Args:
        run: whose tables the lines are about.
        graph: of its config.
        job: a family, or ``curate`` for all.
        path: the config's: the next command names it.
        console: where to.
    """
    for stage in graph.stages:
        is_part = stage.family == job or (job == "curate" and not stage.on_request)
        if is_part and stage.told and run.done(stage.family):
            with grouped_jobs(run.spark, f"{run.run_id}/summary"):
                loaded(stage.told)(run, console)
    console.print(f"run {run.run_id}; tables: {graph.config.workspace}", markup=False, soft_wrap=True)
    console.print(f"next: {next_command(graph, run, job=job, path=path)}", markup=False, soft_wrap=True)


def next_command(graph: Graph, run: RunTables, *, job: str, path: str) -> str:
    """The job of the first stage that is not done, else a query over what the last one made."""
    apart = {stage.family for stage in graph.stages if stage.on_request}
    todo = (node.family for node in graph.order if node.family not in apart and not run.record.is_done(node.name))
    following = next(todo, None)
    if following and job not in apart:
        return f"equipoise {following} --config {shlex.quote(path)} --run-id {run.run_id}"
    made = [stage for stage in graph.stages if stage.query and run.done(stage.family)]
    shown = next((stage for stage in made if stage.family == job), made[-1] if made else None)
    query = (shown.query if shown else None) or EVENTS
    place = shlex.quote(graph.config.workspace)
    return f"equipoise sql {_quoted(query.format(run_id=run.run_id))} --workspace {place}"


def _quoted(sql: str) -> str:
    """For a shell: SQL has quotes of its own, which read better inside double ones where these change nothing."""
    return shlex.quote(sql) if set(sql) & set('"`$\\!') else f'"{sql}"'
