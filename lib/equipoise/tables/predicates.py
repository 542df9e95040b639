"""Values of columns as SQL, and what makes a table."""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from equipoise.schemas import SCHEMA_VERSION, Table
from equipoise.schemas.table import Value
from equipoise.tables.local import VERSION_PROPERTY


def predicate(where: Mapping[str, Value], *, of: str = "") -> str:
    """The rows that have all these values, of a tuple any; ``of`` is the table's alias, with its dot."""
    return " and ".join(f"{of}`{name}` {_test(value)}" for name, value in where.items())


def is_in(name: str, value: Value) -> Column:
    """The same of one column, for DataFrames."""
    return F.col(f"`{name}`").isin(list(value)) if isinstance(value, tuple) else F.col(f"`{name}`") == F.lit(value)


def literal(value: str | int) -> str:
    """A value as SQL has it."""
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _test(value: Value) -> str:
    if isinstance(value, tuple):
        return f"in ({', '.join(literal(one) for one in value)})"
    return f"= {literal(value)}"


def table_head(table: Table, name: str) -> str:
    """Of the statement that makes a table, named as in SQL: all but its first rows, in the form that they fill in."""
    kept = f"interval {table.retention_days} days"
    properties = {
        VERSION_PROPERTY: str(SCHEMA_VERSION),
        "delta.logRetentionDuration": kept,
        "delta.deletedFileRetentionDuration": kept,
    }
    settings = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in properties.items())
    partitions = f"partitioned by ({', '.join(table.partitions)})" if table.partitions else ""
    about = f"comment {literal(table.meaning)} tblproperties ({settings})"
    return f"table {name} using delta {partitions} {about}".replace("{", "{{").replace("}", "}}")
