"""``equipoise graph``: the steps of a config and their states, as a tree or for Mermaid; nothing is written."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from equipoise.errors import ConfigError, nearest
from equipoise.runs.graph import AnyNode, Graph
from equipoise.runs.record import Record
from equipoise.runs.steps import State, Step, steps_of
from equipoise.schemas import CHECKPOINTS, ITERATIONS, REJECTS

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BESIDE = (REJECTS, CHECKPOINTS, ITERATIONS)
"""What a step makes beside what others read."""
WIDTH = 200  # off a terminal nothing needs to be folded
STYLES = {
    State.DONE: "green",
    State.TO_DO: "",
    State.CONTINUE: "yellow",
    State.AGAIN: "yellow",
    State.REFUSED: "red",
}


def show(
    graph: Graph,
    console: Console,
    *,
    run_id: str | None = None,
    spark: "SparkSession | None" = None,
    form: str = "tree",
    force: str | None = None,
) -> None:
    """Prints every node with its state.

    Args:
        graph: of a config.
        console: where to.
        run_id: whose state; None: of a run that is new.
        spark: reads the events of the run, where one is named.
        form: ``tree`` or ``mermaid``.
        force: a family to replace, as a job would.

    Raises:
        ConfigError: no such family.
    """
    families = list(dict.fromkeys(node.family for node in graph.order))
    if force and force not in families:
        raise ConfigError(f"--force {force}: not a stage of this config; {nearest(force, families)}")
    steps = _steps(graph, run_id, spark, force=(force,) if force else ())
    if not console.is_terminal:
        console = Console(file=console.file, width=WIDTH, highlight=False)
    if form == "mermaid":
        console.print(mermaid(graph, steps), markup=False, soft_wrap=True)
        return
    console.print(tree(graph, steps, title=f"run {run_id}" if run_id else f"config {graph.config.name}, a new run"))
    todo = [name for name, step in steps.items() if step.state not in (State.DONE, State.REFUSED)]
    refused = [name for name, step in steps.items() if step.state is State.REFUSED]
    console.print(f"would run: {', '.join(todo) or 'nothing'}", markup=False, soft_wrap=True)
    if refused:
        told = "a run with these settings needs another --run-id, or --force of their stage"
        console.print(f"refused: {', '.join(refused)}: {told}", markup=False, soft_wrap=True)


def tree(graph: Graph, steps: dict[str, Step], *, title: str) -> Tree:
    """Every node below the last of those that it stands on; the others are named beside it."""
    root = Tree(title)
    branches: dict[str, Tree] = {}
    for node in graph.order:
        parents = _nearest(graph, node)
        place = branches[parents[-1]] if parents else root
        branches[node.name] = place.add(_line(node, steps[node.name], others=parents[:-1]))
    return root


def _nearest(graph: Graph, node: AnyNode) -> tuple[str, ...]:
    """The parents on which no other parent stands."""
    parents = graph.parents(node.name)
    implied = {one.name for parent in parents for one in graph.ancestors(parent)}
    return tuple(parent for parent in parents if parent not in implied)


def mermaid(graph: Graph, steps: dict[str, Step]) -> str:
    """A flow chart, an arrow from what is needed to what needs it."""
    number = {node.name: f"n{place}" for place, node in enumerate(graph.order)}
    lines = ["flowchart LR"]
    lines += [f'    {number[name]}["{name}<br/>{step.state.value}"]' for name, step in steps.items()]
    for node in graph.order:
        lines += [f"    {number[parent]} --> {number[node.name]}" for parent in _nearest(graph, node)]
    return "\n".join(lines)


def _steps(
    graph: Graph, run_id: str | None, spark: "SparkSession | None", *, force: tuple[str, ...]
) -> dict[str, Step]:
    if run_id is None or spark is None:
        return steps_of(graph, Record(), force=force)
    from equipoise.runs.run import Run
    from equipoise.tables import Workspace

    workspace = Workspace(spark, graph.config.workspace)
    return Run(graph, spark=spark, workspace=workspace, run_id=run_id).steps(force)


def _line(node: AnyNode, step: Step, *, others: tuple[str, ...]) -> Text:
    line = Text(node.name, style="bold")
    line.append(f"  {step.state.value}", style=f"not bold {STYLES[step.state]}".strip())
    if step.why:
        line.append(f" ({step.why})", style="not bold")
    if others:
        line.append(f"  and on {', '.join(others)}", style="not bold dim")
    makes = ", ".join(str(part) for part in node.makes if part.table not in BESIDE)
    line.append(f"  -> {makes}", style="not bold dim")
    return line
