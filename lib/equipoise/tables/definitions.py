"""The views beside the tables, as SQL of Spark's."""

from collections.abc import Callable
from operator import attrgetter

from equipoise.errors import TableError
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, RUNS, TABLES, Col, Table

ITEM_PATHS = "item_paths"
LATEST_RUN = "latest_run"
NEEDS = {ITEM_PATHS: (ASSIGNMENTS, CENTROIDS), LATEST_RUN: (RUNS,)}
"""The tables that a view is made of."""

NAME: Callable[[Table], str] = attrgetter("name")


def depth(*, of: Callable[[Table], str] = NAME) -> str:
    """How many levels :func:`item_paths` is to show: those of the deepest run. ``of``: how a table is spelled."""
    return f"select coalesce(max({Col.level}), 1) from {of(CENTROIDS)}"


def latest_run(*, of: Callable[[Table], str] = NAME) -> str:
    """(run_id) of the newest event, one row."""
    return f"select max_by({Col.run_id}, {Col.at}) as {Col.run_id} from {of(RUNS)}"


def view_names() -> list[str]:
    """All names that a query may use."""
    return [*TABLES, *NEEDS]


def level_names(depth: int) -> list[str]:
    """The columns ``level_1`` (the finest), ``level_2``, ..."""
    return [f"{Col.level}_{level}" for level in range(1, depth + 1)]


def item_paths(depth: int, *, of: Callable[[Table], str] = NAME) -> str:
    """(run_id, item_id, level_1, ..., level_T) of all items; ``of``: how a table is spelled."""
    names = level_names(depth)
    columns = [f"items.{Col.run_id}", f"items.{Col.item_id}", f"items.{Col.cluster_id} as {names[0]}"]
    columns += [f"up_{level}.{Col.parent_id} as {name}" for level, name in enumerate(names[1:], start=1)]
    joins = [f"from {of(ASSIGNMENTS)} as items", *(_step(level, of(CENTROIDS)) for level in range(1, depth))]
    return f"select {', '.join(columns)} {' '.join(joins)}"


def _step(level: int, centroids: str) -> str:
    here = f"items.{Col.cluster_id}" if level == 1 else f"up_{level - 1}.{Col.parent_id}"
    up = f"up_{level}"
    return (
        f"left join {centroids} as {up} on {up}.{Col.run_id} = items.{Col.run_id} "
        f"and {up}.{Col.level} = {level} and {up}.{Col.cluster_id} = {here}"
    )


def without_tables(workspace: str) -> TableError:
    """What is raised where a workspace holds no table."""
    return TableError(f"workspace {workspace!r} holds no Equipoise table: check the path (folder or catalog.schema)")
