"""``equipoise graph``: the steps of a config and their states, as a tree or for Mermaid; nothing is written."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from equipoise.consoles import widened
from equipoise.errors import ConfigError, nearest
from equipoise.runs.early import early_record
from equipoise.runs.graph import AnyNode, Graph
from equipoise.runs.record import Record
from equipoise.runs.steps import State, Step, steps_of
from equipoise.schemas import CHECKPOINTS, ITERATIONS, REJECTS
from equipoise.stages import STAGES

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


def early_steps(graph: Graph, run_id: str | None, *, force: str | None = None) -> dict[str, Step] | None:
    """The steps of a run, or of a new one; None where Spark alone can tell.

    Args:
        graph: of a config.
        run_id: whose state; None: of a run that is new.
        force: a family to replace, as a job would.

    Raises:
        ConfigError: no such family.
    """
    forced = _families(graph, force)
    if run_id is None:
        return steps_of(graph, Record(), force=forced)
    if any(node.outside for node in graph.order):
        return None
    record = early_record(graph.config.workspace, run_id)
    return None if record is None else steps_of(graph, record, force=forced)


def steps_by_spark(graph: Graph, run_id: str, *, force: str | None, spark: "SparkSession") -> dict[str, Step]:
    """The steps of a run in any workspace.

    Raises:
        ConfigError: no such family.
    """
    from equipoise.runs.run import Run
    from equipoise.tables import Workspace

    workspace = Workspace(spark, graph.config.workspace)
    return Run(graph, spark=spark, workspace=workspace, run_id=run_id).steps(_families(graph, force))


def show(graph: Graph, steps: Mapping[str, Step], console: Console, *, title: str, form: str = "tree") -> None:
    """Prints every node with its state, as a ``tree`` or for ``mermaid``, and what ``curate`` would do."""
    console = widened(console, WIDTH)
    if form == "mermaid":
        console.print(mermaid(graph, steps), markup=False, soft_wrap=True)
        return
    console.print(tree(graph, steps, title=title))
    for line in _told(steps):
        console.print(line, markup=False, soft_wrap=True)


def _told(steps: Mapping[str, Step]) -> Iterator[str]:
    apart = {stage.family for stage in STAGES if stage.on_request}
    todo = {name: step for name, step in steps.items() if step.state is not State.DONE}
    by_curate = [name for name, step in todo.items() if step.node.family not in apart]
    refused = [name for name in by_curate if todo[name].state is State.REFUSED]
    if refused:
        yield f"refused: {', '.join(refused)}: take another --run-id, or --force the stage; nothing would run"
    else:
        yield f"would run: {', '.join(by_curate) or 'nothing'}"
    by_job = [name for name in todo if name not in by_curate]
    if by_job:
        yield f"by a job of its own: {', '.join(by_job)}"


def _families(graph: Graph, force: str | None) -> tuple[str, ...]:
    families = list(dict.fromkeys(node.family for node in graph.order))
    if force and force not in families:
        raise ConfigError(f"--force {force}: not a stage of this config; {nearest(force, families)}")
    return (force,) if force else ()


def tree(graph: Graph, steps: Mapping[str, Step], *, title: str) -> Tree:
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


def mermaid(graph: Graph, steps: Mapping[str, Step]) -> str:
    """A flow chart, an arrow from what is needed to what needs it."""
    number = {node.name: f"n{place}" for place, node in enumerate(graph.order)}
    lines = ["flowchart LR"]
    lines += [f'    {number[name]}["{name}<br/>{step.state.value}"]' for name, step in steps.items()]
    for node in graph.order:
        lines += [f"    {number[parent]} --> {number[node.name]}" for parent in _nearest(graph, node)]
    return "\n".join(lines)


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
