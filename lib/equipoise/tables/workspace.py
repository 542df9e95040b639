"""A workspace: the Delta tables of the runs over one pool, in a folder or in ``catalog.schema``."""

import os
from collections.abc import Mapping
from functools import partial

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import TableError
from equipoise.pipeline.locating import CATALOG_NAME, check_workspace
from equipoise.schemas import SCHEMA_VERSION, Col, Slice, Table
from equipoise.tables.commits import Commit, is_in_the_way, lost_a_race, marked, retried, short
from equipoise.tables.local import VERSION_PROPERTY
from equipoise.tables.places import qualified
from equipoise.tables.predicates import is_in, predicate, table_head


class Workspace:
    """Reads and writes slices of tables. A table is born by its first write, and read as nothing before."""

    def __init__(self, spark: SparkSession, location: str | os.PathLike[str]) -> None:
        """``location``: ``catalog.schema``, or a folder (any path that Spark can write to).

        Raises:
            ConfigError: it is neither.
            TableError: no file system answers to it.
        """
        location = check_workspace(location)
        self.spark, self.given = spark, location
        self.is_catalog = CATALOG_NAME.fullmatch(location) is not None
        self.location = location if self.is_catalog else qualified(spark, location.rstrip("/"))
        self._there: set[str] = set()

    def place(self, table: Table) -> str:
        """The table as a person would name it: ``catalog.schema.name`` or its folder."""
        return f"{self.location}.{table.name}" if self.is_catalog else f"{self.location}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether the table was born.

        Raises:
            TableError: the workspace is of another schema version: the first table that is found tells.
        """
        if table.name in self._there:
            return True
        if self.is_catalog:
            is_there = self._catalog_has(table)
        else:
            is_there = DeltaTable.isDeltaTable(self.spark, self.place(table))
        if is_there:
            if not self._there:
                self._check_version(table)
            self._there.add(table.name)
        return is_there

    def read(self, part: Table | Slice, version: int | None = None) -> DataFrame:
        """The rows of a table or a slice, now or as they were at a Delta version.

        Raises:
            TableError: the version is gone, or the table is not ours.
        """
        table, where = (part.table, part.where) if isinstance(part, Slice) else (part, {})
        if not self.exists(table):
            return self._nothing(table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        try:
            rows = reader.table(self.place(table)) if self.is_catalog else reader.load(self.place(table))
        except PySparkException as error:
            raise TableError(
                f"table {self.place(table)} cannot be read at version {version}: {short(error)}. "
                f"Versions are kept for {table.retention_days} days: start a new run instead"
            ) from error
        for name, value in where.items():
            rows = rows.where(is_in(name, value))
        return rows

    def version(self, table: Table) -> int | None:
        """The newest Delta version of the table; None before its first write."""
        if not self.exists(table):
            return None
        return int(self._delta(table).history(1).collect()[0]["version"])

    def append(self, part: Slice, rows: DataFrame) -> Commit:
        """Adds rows to a slice that has one writer, who knows that they are new."""
        return self._written(part, rows, {})

    def replace(self, part: Slice, rows: DataFrame) -> Commit:
        """Puts ``rows`` in the place of all rows of a slice, in one commit."""
        return self._written(part, rows, {"replaceWhere": predicate(part.where)} if part.where else {})

    def insert_new(self, part: Slice, rows: DataFrame, *, since: int | None) -> int:
        """Adds rows to a slice that several runs may write to.

        Args:
            part: the slice; it has all of ``rows``.
            rows: without those that the slice had in version ``since``.
            since: of the table; None: it was not there. Only where another run wrote after it are keys compared.

        Returns:
            The version that has them, each once.
        """
        if self.exists(part.table) and self.version(part.table) != since:
            return self._merged(part, rows).version
        version = self._written(part, rows, {}).version
        if version == (0 if since is None else since + 1):
            return version
        dropped = self.drop_copies(part)  # another run was faster by a moment
        return version if dropped is None else dropped

    def replace_rows(self, part: Slice, rows: DataFrame) -> int:
        """Adds rows to a slice, in the place of those that have their keys; returns the version."""
        return self._merged(part, rows, is_replacing=True).version

    def delete_items(self, part: Slice, items: DataFrame) -> None:
        """Deletes the rows of a slice whose item_id is among ``items``."""
        if not self.exists(part.table):
            return
        tests = [f"old.`{Col.item_id}` = new.`{Col.item_id}`", predicate(part.where, of="old.")]
        merge = self._delta(part.table).alias("old").merge(items.alias("new"), " and ".join(tests)).whenMatchedDelete()
        retried(merge.execute, f"rows of {self.place(part.table)} cannot be deleted")

    def drop_copies(self, part: Slice) -> int | None:
        """Of rows that two runs added to a slice in the same moment one stays; the version, None where none were."""
        if not self.exists(part.table):
            return None
        key = list(part.table.key)

        def dropped() -> int | None:
            rows = self.read(part)  # anew in each attempt: what others added meanwhile stays
            if rows.groupBy(key).count().where("count > 1").isEmpty():
                return None
            return self._saved(part, rows.dropDuplicates(key), {"replaceWhere": predicate(part.where)}).version

        return retried(dropped, f"copies in {self.place(part.table)} cannot be dropped")

    def clear(self, part: Slice) -> None:
        """Deletes the rows of a slice."""
        if self.exists(part.table):
            where = predicate(part.where)
            retried(
                lambda: self._delta(part.table).delete(where), f"rows of {self.place(part.table)} cannot be deleted"
            )

    def _merged(self, part: Slice, rows: DataFrame, *, is_replacing: bool = False) -> Commit:
        tests = [f"old.`{name}` <=> new.`{name}`" for name in part.table.key]
        tests += [predicate(part.where, of="old.")] if part.where else []
        delta, prepared = self._delta(part.table), fitted(part, rows)
        merge = delta.alias("old").merge(prepared.alias("new"), " and ".join(tests))
        merge = (merge.whenMatchedUpdateAll() if is_replacing else merge).whenNotMatchedInsertAll()
        with marked(self.spark) as mark:
            retried(merge.execute, f"rows cannot be added to {self.place(part.table)}")
        return Commit(delta, mark)

    def _written(self, part: Slice, rows: DataFrame, options: Mapping[str, str]) -> Commit:
        table, prepared = part.table, fitted(part, rows)
        if not self.exists(table) and (birth := self._born(table, prepared)):
            return birth
        return retried(lambda: self._saved(part, prepared, options), f"{self.place(table)} cannot be written")

    def _saved(self, part: Slice, rows: DataFrame, options: Mapping[str, str]) -> Commit:
        place = self.place(part.table)
        writer = rows.write.format("delta").options(**options).mode("overwrite" if options else "append")
        save = writer.saveAsTable if self.is_catalog else writer.save
        with marked(self.spark) as mark:
            save(place)
        return Commit(self._delta(part.table), mark)

    def _born(self, table: Table, rows: DataFrame) -> Commit | None:
        """Makes the table, with its first rows in it; None where another process was faster.

        What lies in its place and is none yet is another process's, which is waited for as for any commit; where it
        stays, it is of a birth that was broken off, and is replaced.
        """
        complaint = f"table {self.place(table)} cannot be created or opened"
        create, replace = (partial(self._created, table, rows, verb) for verb in ("create", "create or replace"))
        try:
            return retried(create, complaint, is_to_retry=lambda error: lost_a_race(error) or is_in_the_way(error))
        except TableError as error:
            if not is_in_the_way(error.__cause__):
                raise
        commit = retried(replace, complaint)
        if commit and commit.version:  # it came in between: its rows are not to be replaced
            self._delta(table).restoreToVersion(commit.version - 1)
            return None
        return commit

    def _created(self, table: Table, rows: DataFrame, verb: str) -> Commit | None:
        """One attempt; None where the table is there by now."""
        statement = f"{verb} {table_head(table, self._sql_name(table))} as select * from {{rows}}"
        try:
            with marked(self.spark) as mark:
                self.spark.sql(statement, rows=rows)
        except (PySparkException, Py4JJavaError):
            if self.exists(table):
                return None
            raise
        self._there.add(table.name)
        return Commit(self._delta(table), mark, is_birth=verb == "create")

    def _sql_name(self, table: Table) -> str:
        """The table in a statement."""
        place = self.place(table)
        return place if self.is_catalog else f"delta.`{place.replace('`', '``')}`"

    def _delta(self, table: Table) -> DeltaTable:
        make = DeltaTable.forName if self.is_catalog else DeltaTable.forPath
        return make(self.spark, self.place(table))

    def _nothing(self, table: Table) -> DataFrame:
        """No rows: Spark sees that without a job."""
        columns = (F.lit(None).cast(kind).alias(name) for name, kind in table.types.items())
        return self.spark.range(1).select(*columns).where(F.lit(False))

    def _catalog_has(self, table: Table) -> bool:
        try:
            return self.spark.catalog.tableExists(self.place(table))
        except PySparkException as error:
            raise TableError(
                f"workspace {self.location!r} is a schema of a catalog, and Spark does not know it: {short(error)}; "
                f"make it, or write ./{self.location} for a folder of that name"
            ) from error

    def _check_version(self, table: Table) -> None:
        rows = self.spark.sql(f"show tblproperties {self._sql_name(table)}").collect()  # a few
        found = next((row["value"] for row in rows if row["key"] == VERSION_PROPERTY), None)
        if found != str(SCHEMA_VERSION):
            raise TableError(
                f"table {self.place(table)} has schema version {found}, this code writes {SCHEMA_VERSION}: "
                "use another workspace, or the version of Equipoise that made it"
            )


def fitted(part: Slice, rows: DataFrame) -> DataFrame:
    """The rows in the columns and types of the table: the slice's own values, null for what else they lack."""
    have = set(rows.columns)

    def column(name: str) -> Column:
        value = part.where.get(name)
        if value is not None and not isinstance(value, tuple):
            return F.lit(value)
        return F.col(f"`{name}`") if name in have else F.lit(None)

    return rows.select(*(column(name).cast(kind).alias(name) for name, kind in part.table.types.items()))
