"""The tables of a workspace as views for SQL."""

from pyspark.sql import DataFrame, SparkSession

from equipoise.errors import TableError, nearest
from equipoise.schemas import TABLES
from equipoise.tables.definitions import DEPTH, ITEM_PATHS, LATEST, LATEST_RUN, item_paths, view_names, without_tables
from equipoise.tables.workspace import Workspace


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

    A table that nothing was written to yet is a view without rows.
    ``item_paths`` has one row an item and run: its cluster at every level, ``level_1`` (the finest), ``level_2``, ...
    ``latest_run`` is one row, the run_id of the newest event: ``join latest_run using (run_id)`` keeps other runs out.

    Raises:
        TableError: the workspace holds no table.
    """
    space = Workspace(spark, workspace)
    if not any(space.exists(table) for table in TABLES.values()):
        raise without_tables(workspace)
    for table in TABLES.values():
        space.read(table).createOrReplaceTempView(table.name)
    depth = spark.sql(DEPTH).collect()[0][0]  # one row
    spark.sql(item_paths(depth)).createOrReplaceTempView(ITEM_PATHS)
    spark.sql(LATEST).createOrReplaceTempView(LATEST_RUN)
    return view_names()
