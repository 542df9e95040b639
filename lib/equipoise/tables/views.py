"""The tables of a workspace as views for SQL."""

import os

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import TableError, nearest
from equipoise.schemas import TABLES
from equipoise.tables.commits import short
from equipoise.tables.definitions import (
    ITEM_PATHS,
    LATEST_RUN,
    NEEDS,
    depth,
    item_paths,
    latest_run,
    view_names,
    without_tables,
)
from equipoise.tables.workspace import Workspace


def read_table(
    spark: SparkSession, workspace: str | os.PathLike[str], name: str, *, version: int | None = None
) -> DataFrame:
    """The rows of a table of a workspace (a folder or catalog.schema), now or at a Delta version.

    Raises:
        ConfigError: the workspace is no place.
        TableError: there is no such table, or version.
    """
    space = Workspace(spark, workspace)
    table = TABLES.get(name) if isinstance(name, str) else None
    if table is None:
        raise TableError(f"there is no table {name!r}; {nearest(str(name), TABLES)}")
    is_version = isinstance(version, int) and not isinstance(version, bool) and version >= 0
    if version is not None and not is_version:
        raise TableError(f"version is {version!r}; it must be a whole number of at least 0")
    if not space.exists(table):
        raise TableError(
            f"workspace {os.fspath(workspace)!r} has no table {name!r} yet: check the path, or run the stage that "
            "writes it"
        )
    return space.read(table, version)


def register_views(spark: SparkSession, workspace: str | os.PathLike[str]) -> list[str]:
    """Registers the tables of a workspace, ``item_paths`` and ``latest_run``, as temporary views; returns their names.

    A table that nothing was written to yet is a view without rows. The views can be read alone.
    ``item_paths`` has one row an item and run: its cluster at every level, ``level_1`` (the finest), ``level_2``, ...
    ``latest_run`` is one row, the run_id of the newest event: ``join latest_run using (run_id)`` keeps other runs out.

    Raises:
        ConfigError: the workspace is no place.
        TableError: the workspace holds no table.
    """
    space = Workspace(spark, workspace)
    if not any(space.exists(table) for table in TABLES.values()):
        raise without_tables(os.fspath(workspace))
    for table in TABLES.values():
        # A filter that keeps all: Spark would delete from, and insert into, a table that a view shows as it is.
        space.read(table).where(F.lit(True)).createOrReplaceTempView(table.name)
    levels = spark.sql(depth()).collect()[0][0]  # one row
    spark.sql(item_paths(levels)).createOrReplaceTempView(ITEM_PATHS)
    spark.sql(latest_run()).createOrReplaceTempView(LATEST_RUN)
    return view_names()


def keep_views(space: Workspace) -> None:
    """Makes ``item_paths`` and ``latest_run`` of the tables that are there views of ``catalog.schema``, for any SQL.

    A folder has none. A run with more levels than those before makes the view of paths wider.

    Raises:
        TableError: the catalog has no views, this user may not make them, or something else has the name.
    """
    if not space.is_catalog:
        return
    for view, tables in NEEDS.items():
        if all(space.exists(table) for table in tables):
            name = f"{space.location}.{view}"
            try:
                space.spark.sql(f"create or replace view {name} as {_definition(space, view)}")
            except (PySparkException, Py4JJavaError) as error:
                raise TableError(
                    f"view {name} cannot be made: {short(error)}; all tables are written, and "
                    "register_views or equipoise sql has the view without it"
                ) from error


def _definition(space: Workspace, view: str) -> str:
    if view == LATEST_RUN:
        return latest_run(of=space.place)
    levels = space.spark.sql(depth(of=space.place)).collect()[0][0]  # one row
    return item_paths(levels, of=space.place)
