"""The tables of a workspace and the names of their columns: code refers to these through :class:`Col`."""

from urllib.parse import unquote

from equipoise.schemas import tables
from equipoise.schemas.columns import Col as Col
from equipoise.schemas.table import Slice as Slice
from equipoise.schemas.table import Table as Table
from equipoise.schemas.tables import *  # noqa: F403 - every table, without a second list of them

SCHEMA_VERSION = 4
POOL_NAME = "pool"  # stands in the column `selection` of metrics for the whole pool: no selection may have this name
TABLES = {table.name: table for table in vars(tables).values() if isinstance(table, Table)}


def slice_of(path: str) -> Slice | None:
    """The slice of a path that a record has; None where there is no such table any more."""
    name, *values = path.split("/")
    table = TABLES.get(name)
    if table is None:
        return None
    parts = (one.partition("=") for one in values)
    return Slice(table, {column: _value(table.types.get(column), unquote(text)) for column, _, text in parts})


def _value(kind: str | None, text: str) -> str | bool:
    """A value as it was before it was text, where that is not the same to a comparison."""
    return text == str(True) if kind == "boolean" else text
