"""Queries by DuckDB, without a JVM: those that it answers as Spark does, over the tables of a local folder."""

import logging
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import sqlglot
from deltalake.exceptions import DeltaError
from deltalake.schema import MapType, PrimitiveType, Schema
from pyarrow import ArrowException
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from equipoise.errors import TableError
from equipoise.pipeline.locating import is_local_alone
from equipoise.schemas import Col
from equipoise.studies.sql.kinds import Columns, Kind, Output, Scope, TranslationError
from equipoise.studies.sql.printing import QueryResult
from equipoise.studies.sql.refusals import refusal
from equipoise.studies.sql.statements import translate
from equipoise.tables.definitions import (
    ITEM_PATHS,
    LATEST_RUN,
    NEEDS,
    depth,
    item_paths,
    latest_run,
    level_names,
    view_names,
)
from equipoise.tables.local import empty_table, open_table, present_tables

_KINDS = {
    **dict.fromkeys(("byte", "short", "integer", "long"), Kind.WHOLE),
    "float": Kind.FLOAT,
    "double": Kind.DOUBLE,
    "string": Kind.TEXT,
    "boolean": Kind.FLAG,
    "timestamp": Kind.TIME,
}
_MAPS = {Kind.TEXT: Kind.TEXTS, Kind.WHOLE: Kind.WHOLES}
_BEFORE = {"python_enable_replacements": "false"}
"""Else a name may be a Python variable's."""
_AFTER = ("set TimeZone = 'UTC'", "set enable_external_access = false")
_UNKNOWN = (
    "[TABLE_OR_VIEW_NOT_FOUND] The table or view `{}` cannot be found. "
    "Verify the spelling and correctness of the schema and catalog."
)
"""As Spark says it."""


def answered(sql: str, *, folder: Path, limit: int) -> QueryResult:
    """One row more than ``limit`` of a query over the views of a workspace.

    Raises:
        InputError: there is no such view.
        TranslationError: Spark has to answer.
    """
    tree = _parsed(sql)
    with (
        tempfile.TemporaryDirectory(prefix="equipoise-sql-") as spills,
        duckdb.connect(config={**_BEFORE, "temp_directory": spills}) as connection,
    ):
        try:
            for setting in _AFTER:
                connection.execute(setting)
            translate(tree, Scope(_Views(connection, folder, sql).columns))
            answer = connection.execute(_written(tree))
            rows = [tuple(_as_by_spark(value) for value in row) for row in answer.fetchmany(limit + 1)]
            return QueryResult([column[0] for column in answer.description or []], rows)
        except (duckdb.Error, DeltaError, ArrowException, SqlglotError, TableError, OSError) as error:
            raise TranslationError(" ".join(str(error).split())) from error


def _parsed(sql: str) -> exp.Select:
    if "\\" in sql or "${" in sql:
        raise TranslationError("a backslash, or a variable of Spark's")
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # else it tells of statements that it does not know
    try:
        trees = sqlglot.parse(sql, dialect="spark")
    except SqlglotError as error:
        raise TranslationError(" ".join(str(error).split())) from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Select):
        raise TranslationError("other than one select")
    return trees[0]


def _written(query: str | exp.Expr) -> str:
    tree = sqlglot.parse_one(query, dialect="spark") if isinstance(query, str) else query
    return tree.sql("duckdb", identify=True, unsupported_level=ErrorLevel.RAISE)


def _as_by_spark(value: Any) -> Any:
    """PySpark hands times to Python in the zone of the machine, without saying so."""
    return value.astimezone().replace(tzinfo=None) if isinstance(value, datetime) else value


class _Views:
    """The views of a workspace in DuckDB, each there from its first use."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path, sql: str) -> None:
        self._connection = connection
        self._folder = folder
        self._sql = sql
        self._names = view_names()
        self._opened: dict[str, Columns] = {}

    def columns(self, name: str) -> Columns:
        """The columns of a view.

        Raises:
            InputError: there is none of that name.
            TranslationError: Spark may know one.
        """
        view = name.lower()
        if view not in self._names:
            if is_local_alone():
                raise refusal(self._sql, _UNKNOWN.format(name), self._names)
            raise TranslationError(f"there is no view {name}")
        if view not in self._opened:
            for table in NEEDS.get(view, ()):
                self.columns(table.name)
            self._opened[view] = self._open(view)
        return self._opened[view]

    def _open(self, view: str) -> Columns:
        if view == LATEST_RUN:
            self._connection.execute(f"create view {view} as {_written(latest_run())}")
            return [Output(Col.run_id, Kind.TEXT)]
        if view == ITEM_PATHS:
            (levels,) = self._connection.execute(_written(depth())).fetchall()[0]
            self._connection.execute(f"create view {view} as {_written(item_paths(levels))}")
            found = [Output(name, Kind.WHOLE) for name in level_names(levels)]
            return [Output(Col.run_id, Kind.TEXT), Output(Col.item_id, Kind.WHOLE), *found]
        if view in present_tables(self._folder):
            table = open_table(self._folder, view)
            rows, schema = table.to_pyarrow_dataset(), table.schema()
        else:
            rows = empty_table(view)
            schema = Schema.from_arrow(rows.schema)
        self._connection.register(view, rows)
        return [Output(column.name, _kind_of(column.type)) for column in schema.fields]


def _kind_of(given: object) -> Kind:
    if isinstance(given, PrimitiveType):
        return _KINDS.get(given.type, Kind.OTHER)
    if isinstance(given, MapType) and _kind_of(given.key_type) is Kind.TEXT:
        return _MAPS.get(_kind_of(given.value_type), Kind.OTHER)
    return Kind.OTHER
