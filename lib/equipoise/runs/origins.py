"""Where the items of a source came from: the same name for another place would make one source of two."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from equipoise.errors import ConfigError
from equipoise.pipeline.locating import is_local_alone
from equipoise.runs.graph import AnyNode
from equipoise.runs.record import DONE, ORIGIN
from equipoise.runs.steps import State, Step
from equipoise.schemas import POOL, RUNS, Col, Slice
from equipoise.tables.local import has_rows, local_folder, matching_rows

if TYPE_CHECKING:  # Spark takes seconds to import
    from equipoise.tables import Workspace

Row = Mapping[str, Any]
Holds = Callable[[Slice], bool | None]


def pin_of(node: AnyNode) -> dict[str, int]:
    """What the events of a node keep of the place that its items come from."""
    return {f"{ORIGIN}{node.origin}": 0} if node.origin is not None else {}


def refuse_early(workspace: str, steps: Iterable[Step]) -> bool:
    """Refuses other places of known sources before Spark starts; whether that could be told.

    Raises:
        ConfigError: a source of the workspace has its items from another place.
    """
    nodes, folder = _in_question(steps), local_folder(workspace) if is_local_alone() else None
    rows = matching_rows(folder, RUNS.name, Col.status, DONE) if nodes and folder is not None else None
    if nodes and (folder is None or rows is None):
        return False
    _refuse(workspace, nodes, rows or (), holds=lambda part: has_rows(folder, part) if folder else None)
    return True


def refuse(workspace: "Workspace", steps: Iterable[Step]) -> None:
    """The same in any workspace; one job where it is no local folder.

    Raises:
        ConfigError: as :func:`refuse_early`.
    """
    known = list(steps)
    if refuse_early(workspace.given, known) or not (nodes := _in_question(known)):
        return
    done = workspace.read(Slice(RUNS)).where(f"{Col.status} = '{DONE}'")
    columns = (Col.run_id, Col.at, Col.made, Col.input_versions)
    rows = [row.asDict() for row in done.select(*columns).collect()]  # one a node and run
    _refuse(workspace.given, nodes, rows, holds=lambda part: not workspace.read(part).isEmpty())


def _in_question(steps: Iterable[Step]) -> list[AnyNode]:
    """Those that are to take items, and do not replace all that the pool has of their source."""
    at_work = [step for step in steps if step.node.origin is not None and step.state is not State.DONE]
    return [step.node for step in at_work if not (step.is_forced and step.state is State.AGAIN)]


def _refuse(workspace: str, nodes: Sequence[AnyNode], rows: Sequence[Row], *, holds: Holds) -> None:
    for node in nodes:
        part = next(part for part in node.makes if part.table is POOL)
        before = _newest(rows, part)
        # What a source's events say is void once its items were removed.
        if before and before[0] != node.origin and holds(part) is not False:
            origin, run_id = before
            raise ConfigError(
                f"source {part.where[Col.source]!r} of workspace {workspace} has its items from {origin}, and those "
                f"of {node.origin} would be taken for more of them: give this one a name of its own (source.name, or "
                f"its key below sources), or take another workspace; where the data moved there, --run-id {run_id} "
                f"--force {node.name} takes them anew"
            )


def _newest(rows: Sequence[Row], part: Slice) -> tuple[str, str] | None:
    """The place and the run of the newest that took items of the source; None where none tells."""
    found: list[tuple[datetime, str, str]] = []
    for row in rows:
        places = [path for path in dict(row[Col.input_versions] or {}) if path.startswith(ORIGIN)]
        if places and part.path in dict(row[Col.made] or {}):
            found.append((row[Col.at], places[0].removeprefix(ORIGIN), row[Col.run_id]))
    return max(found)[1:] if found else None
