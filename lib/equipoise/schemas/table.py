"""What a table is, and a slice of one: without Spark, so that stages can declare what they read and make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from equipoise.schemas.columns import Col

if TYPE_CHECKING:
    from pyspark.sql.types import StructType

Value = str | int | tuple[str | int, ...]
"""Of a column; of a tuple any."""
NOWHERE: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Table:
    """One table: ``types`` has the SQL type of every column, in order; ``key`` columns identify a row.

    ``partitions`` are exactly the columns by which slices are told apart: what a node of a run makes is written,
    replaced and removed as whole partitions. ``run_id`` is the first of them where a run owns its rows. Old versions
    are kept ``retention_days``.
    """

    name: str
    meaning: str
    types: Mapping[str, str]
    key: tuple[str, ...]
    partitions: tuple[str, ...] = ()
    retention_days: int = 30

    @property
    def columns(self) -> list[str]:
        """Column names in the order of the schema."""
        return list(self.types)

    @property
    def is_of_run(self) -> bool:
        """Whether a run owns its rows; others are shared by all runs of the workspace."""
        return Col.run_id in self.partitions

    @cached_property
    def schema(self) -> "StructType":
        """The columns as Spark has them, all nullable."""
        from equipoise.schemas.spark_types import struct_of  # Spark takes a second to import

        return struct_of(self.types)


@dataclass(frozen=True)
class Slice:
    """Whole partitions of a table: what one node makes, what ``--force`` removes, what readers ask for.

    ``where`` has values of partition columns; the run adds its own id where it owns the rows.
    """

    table: Table
    where: Mapping[str, Value] = field(default_factory=lambda: NOWHERE)

    def within(self, **where: Value) -> Self:
        """The part of it that has these values, too."""
        return type(self)(self.table, {**self.where, **where})

    def of_run(self, run_id: str) -> Self:
        """The slice of one run, where runs own the rows."""
        return self.within(**{Col.run_id: run_id}) if self.table.is_of_run else self

    def overlaps(self, other: "Slice") -> bool:
        """Whether both may have rows in common."""
        both = self.where.keys() & other.where.keys()
        return self.table is other.table and all(self.where[name] == other.where[name] for name in both)

    @property
    def path(self) -> str:
        """Table and values in a line that a record can keep, as folders of partitions are named."""
        values = (f"{name}={quote(str(value), safe='')}" for name, value in self.where.items())
        return "/".join([self.table.name, *values])

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value}" for name, value in self.where.items())
        return f"{self.table.name}({values})" if values else self.table.name
