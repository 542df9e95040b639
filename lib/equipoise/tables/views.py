"""The tables of a workspace as views for SQL."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import TableError, nearest
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, RUNS, TABLES, Col
from equipoise.tables.workspace import Workspace

ITEM_PATHS = "item_paths"
LATEST_RUN = "latest_run"


def read_table(spark: SparkSession, workspace: str, name: str, *, version: int | None = None) -> DataFrame:
    """The rows of a table of a workspace (a folder or catalog.schema), now or at a Delta version.

    Raises:
        TableError: there is no such table.
    """
    space = Workspace(spark, workspace)
    table = TABLES.get(name)
    if table is None:
        raise TableError(f"there is no table {name!r}; {nearest(name, TABLES)}")
    if not space.exists(table):
        raise TableError(
            f"workspace {workspace!r} has no table {name!r} yet: check the path, or run the stage that writes it"
        )
    return space.read(table, version)


def register_views(spark: SparkSession, workspace: str) -> list[str]:
    """Registers the tables of a workspace, ``item_paths`` and ``latest_run``, as temporary views; returns their names.

    ``item_paths`` has one row an item and run: its cluster at every level, ``level_1`` (the finest), ``level_2``, ...
    ``latest_run`` is one row, the run_id of the newest event: ``join latest_run using (run_id)`` keeps other runs out.

    Raises:
        TableError: the workspace holds no table.
    """
    space = Workspace(spark, workspace)
    present = [table for table in TABLES.values() if space.exists(table)]
    if not present:
        raise TableError(f"workspace {workspace!r} holds no Equipoise table: check the path (folder or catalog.schema)")
    for table in present:
        space.read(table).createOrReplaceTempView(table.name)
    names = [table.name for table in present]
    if ASSIGNMENTS in present and CENTROIDS in present:
        item_paths(space.read(ASSIGNMENTS), space.read(CENTROIDS)).createOrReplaceTempView(ITEM_PATHS)
        names.append(ITEM_PATHS)
    if RUNS in present:
        latest = space.read(RUNS).agg(F.max_by(Col.run_id, Col.at).alias(Col.run_id)).select(Col.run_id)
        latest.createOrReplaceTempView(LATEST_RUN)
        names.append(LATEST_RUN)
    return names


def item_paths(assignments: DataFrame, centroids: DataFrame) -> DataFrame:
    """(run_id, item_id, level_1, ..., level_T): as many levels as the deepest run has; reads that number."""
    row = centroids.agg(F.max(Col.level)).first()
    depth = int(row[0] or 1) if row else 1
    paths = assignments.select(Col.run_id, Col.item_id, F.col(Col.cluster_id).alias(f"{Col.level}_1"))
    for level in range(1, depth):
        lower, upper = f"{Col.level}_{level}", f"{Col.level}_{level + 1}"
        parents = centroids.filter(F.col(Col.level) == level).select(
            Col.run_id, F.col(Col.cluster_id).alias(lower), F.col(Col.parent_id).alias(upper)
        )
        paths = paths.join(parents, on=[Col.run_id, lower], how="left")
    levels = [f"{Col.level}_{level}" for level in range(1, depth + 1)]
    return paths.select(Col.run_id, Col.item_id, *levels)
