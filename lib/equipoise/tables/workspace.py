"""A workspace: the Delta tables of the runs over one pool, in a folder or in ``catalog.schema``."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from delta.tables import DeltaMergeBuilder, DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import TableError
from equipoise.schemas import SCHEMA_VERSION, Table
from equipoise.tables.local import CATALOG_NAME, VERSION_PROPERTY

RETENTION = "interval 30 days"
ATTEMPTS = 3

Result = TypeVar("Result")


class Workspace:
    """Reads and writes tables by their :class:`~equipoise.schemas.Table`; creates each before its first use."""

    def __init__(self, spark: SparkSession, location: str) -> None:
        """``location``: ``catalog.schema``, or a folder (any path that Spark can write to)."""
        self.spark = spark
        self.is_catalog = CATALOG_NAME.fullmatch(location) is not None
        self.location = location if self.is_catalog else _qualified(spark, location.rstrip("/"))
        self._checked: set[str] = set()

    def place(self, table: Table) -> str:
        """The table as a person would name it: ``catalog.schema.name`` or its folder."""
        return f"{self.location}.{table.name}" if self.is_catalog else f"{self.location}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table was created."""
        if self.is_catalog:
            return self.spark.catalog.tableExists(self.place(table))
        return DeltaTable.isDeltaTable(self.spark, self.place(table))

    def create(self, table: Table) -> None:
        """Creates the table where it is not there; checks that it is one of ours.

        Raises:
            TableError: the workspace cannot be written to, or the table has another schema version.
        """
        if table.name in self._checked:
            return
        _retried(lambda: self._create(table), f"table {self.place(table)} cannot be created or opened")
        self._checked.add(table.name)

    def read(self, table: Table, version: int | None = None) -> DataFrame:
        """The rows of the table, now or as they were at a Delta version.

        Raises:
            TableError: the version is gone, or the table is not ours.
        """
        self.create(table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            return reader.table(self.place(table)) if self.is_catalog else reader.load(self.place(table))
        except PySparkException as error:
            raise TableError(
                f"table {self.place(table)} cannot be read at version {version}: {_short(error)}. "
                f"Versions are kept for {RETENTION.removeprefix('interval ')}: start a new run instead"
            ) from error

    def version(self, table: Table) -> int:
        """The newest Delta version of the table."""
        self.create(table)
        return int(self._delta(table).history(1).collect()[0]["version"])

    def append(self, table: Table, rows: DataFrame) -> None:
        """Adds rows: for events alone, since a second append adds them again."""
        self._write(table, rows, {})

    def replace(self, table: Table, rows: DataFrame, *, where: Mapping[str, Any]) -> None:
        """Puts ``rows`` in the place of all rows with the values ``where`` (a list: any of them), in one commit."""
        self._write(table, rows, {"replaceWhere": _predicate(where)})

    def delete(self, table: Table, *, where: Mapping[str, Any]) -> None:
        """Deletes the rows with the values ``where``."""
        self.create(table)
        _retried(
            lambda: self._delta(table).delete(_predicate(where)),
            f"rows of {self.place(table)} cannot be deleted",
        )

    def insert_new(self, table: Table, rows: DataFrame, *, within: Mapping[str, Any] | None = None) -> None:
        """Inserts the rows whose key the table does not have, in one commit.

        ``within`` are values that all ``rows`` have: only the part of the table that has them is looked at.
        """
        self.create(table)
        merge = self._merge(table, self._fitted(table, rows), within or {}).whenNotMatchedInsertAll()
        _retried(merge.execute, f"rows cannot be added to {self.place(table)}")

    def delete_matching(self, table: Table, keys: DataFrame) -> None:
        """Deletes the rows whose key is among ``keys``."""
        self.create(table)
        merge = self._merge(table, keys, {}).whenMatchedDelete()
        _retried(merge.execute, f"rows of {self.place(table)} cannot be deleted")

    def _merge(self, table: Table, rows: DataFrame, within: Mapping[str, Any]) -> DeltaMergeBuilder:
        tests = [f"old.{name} <=> new.{name}" for name in table.key]
        tests += [f"old.{name} {_test(value)}" for name, value in within.items()]
        return self._delta(table).alias("old").merge(rows.alias("new"), " and ".join(tests))

    def _write(self, table: Table, rows: DataFrame, options: Mapping[str, str]) -> None:
        self.create(table)
        writer = self._fitted(table, rows).write.format("delta").options(**options)
        writer = writer.mode("overwrite" if options else "append")
        place = self.place(table)
        _retried(
            lambda: writer.saveAsTable(place) if self.is_catalog else writer.save(place),
            f"{place} cannot be written",
        )

    def _delta(self, table: Table) -> DeltaTable:
        make = DeltaTable.forName if self.is_catalog else DeltaTable.forPath
        return make(self.spark, self.place(table))

    def _fitted(self, table: Table, rows: DataFrame) -> DataFrame:
        """The rows in the columns and types of the table; columns that they lack are null."""
        have = set(rows.columns)
        return rows.select(
            *(
                (F.col(f"`{field.name}`") if field.name in have else F.lit(None)).cast(field.dataType).alias(field.name)
                for field in table.schema
            )
        )

    def _create(self, table: Table) -> None:
        if not self.exists(table):
            properties = {
                VERSION_PROPERTY: str(SCHEMA_VERSION),
                "delta.logRetentionDuration": RETENTION,
                "delta.deletedFileRetentionDuration": RETENTION,
            }
            columns = ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in table.schema)
            settings = ", ".join(f"{_literal(name)} = {_literal(value)}" for name, value in properties.items())
            partitions = f"partitioned by ({', '.join(table.partitions)})" if table.partitions else ""
            name = self.place(table) if self.is_catalog else f"delta.`{self.place(table)}`"
            self.spark.sql(
                f"create table if not exists {name} ({columns}) using delta {partitions} "
                f"comment {_literal(table.meaning)} tblproperties ({settings})"
            )
        found = self._delta(table).detail().collect()[0]["properties"].get(VERSION_PROPERTY)
        if found != str(SCHEMA_VERSION):
            raise TableError(
                f"table {self.place(table)} has schema version {found}, this code writes {SCHEMA_VERSION}: "
                "use another workspace, or the version of Equipoise that made it"
            )


def _qualified(spark: SparkSession, folder: str) -> str:
    """The folder with its scheme and from the root: Delta knows tables by that alone."""
    jvm: Any = spark.sparkContext._jvm
    path = jvm.org.apache.hadoop.fs.Path(folder)
    try:
        return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).makeQualified(path).toString()
    except Py4JJavaError as error:
        raise TableError(f"workspace {folder!r} cannot be reached: {_short(error)}") from error


def _retried(action: Callable[[], Result], complaint: str) -> Result:
    """Runs a commit, again where another writer was faster; says plainly why it cannot be done."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except (PySparkException, Py4JJavaError) as error:
            if "concurrent" in (type(error).__name__ + str(error)[:2000]).lower() and attempt < ATTEMPTS:
                time.sleep(attempt)
                continue
            if _is_task_failure(error):
                raise
            raise TableError(f"{complaint}: {_short(error)}") from error
    raise AssertionError("unreachable")


def _is_task_failure(error: Exception) -> bool:
    """Whether the rows could not be computed, which is not the table's fault."""
    return "Job aborted due to stage failure" in str(error) or "PYTHON_EXCEPTION" in str(error)


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    java = [line for line in lines if re.match(r"^:? ?(java|org|io)\.[\w.$]+: ", line)]
    text = (java or lines or [type(error).__name__])[0]
    return re.sub(r"^:? ?(?:[\w$]+\.)+[\w$]+: ", "", text)[:300]


def _predicate(where: Mapping[str, Any]) -> str:
    return " and ".join(f"{name} {_test(value)}" for name, value in where.items())


def _test(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"in ({', '.join(_literal(one) for one in value)})"
    return f"= {_literal(value)}"


def _literal(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
