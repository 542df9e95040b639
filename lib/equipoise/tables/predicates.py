"""Values of columns as SQL."""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from equipoise.schemas.table import Value


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
