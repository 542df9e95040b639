"""The tables of a workspace in a local folder, read without a JVM."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from equipoise.errors import TableError
from equipoise.pipeline.locating import CATALOG_NAME
from equipoise.schemas import SCHEMA_VERSION, TABLES, Slice

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

VERSION_PROPERTY = "equipoise.schemaVersion"
MAPPING_PROPERTY = "delta.columnMapping.mode"
_ELSEWHERE = re.compile(r"(?!file:)[A-Za-z][\w+.\-]*:|.*%")


def local_folder(workspace: str) -> Path | None:
    """The folder of a workspace; None for a catalog, another scheme, and a path that Spark may take otherwise."""
    if CATALOG_NAME.fullmatch(workspace) or _ELSEWHERE.match(workspace):
        return None
    return Path(re.sub(r"^file:(//(?=/))?", "", workspace))


def present_tables(folder: Path) -> list[str]:
    """The names of the tables in the folder."""
    return [name for name in TABLES if (folder / name / "_delta_log").is_dir()]


def empty_table(name: str) -> "pa.Table":
    """A table that nothing was written to yet."""
    import pyarrow as pa

    atomic = {
        "bigint": pa.int64(),
        "int": pa.int32(),
        "string": pa.string(),
        "double": pa.float64(),
        "float": pa.float32(),
        "binary": pa.binary(),
        "timestamp": pa.timestamp("us", "UTC"),
        "boolean": pa.bool_(),
    }

    def type_of(kind: str) -> "pa.DataType":
        outer, _, inner = kind.partition("<")
        parts = [atomic[part] for part in inner.removesuffix(">").split(",")] if inner else []
        if outer == "map":
            return pa.map_(*parts)
        return pa.list_(*parts) if parts else atomic[outer]

    return pa.schema([(column, type_of(kind)) for column, kind in TABLES[name].types.items()]).empty_table()


def open_table(folder: Path, name: str) -> "DeltaTable":
    """The newest version of a table.

    Raises:
        TableError: the table is of another schema version, or its columns have other names in the files.
        deltalake.exceptions.DeltaError: there is no such table, or it has a feature that needs another reader.
    """
    from deltalake import DeltaTable  # the package's users need not all have it loaded

    table = DeltaTable(folder / name)
    settings = table.metadata().configuration
    found = settings.get(VERSION_PROPERTY)
    if found != str(SCHEMA_VERSION):
        raise TableError(f"table {name} has schema version {found}, this code reads {SCHEMA_VERSION}")
    # Of protocols before table features, delta-rs reads such a table without a word: all of it null.
    if settings.get(MAPPING_PROPERTY, "none") != "none":
        raise TableError(f"table {name} has {MAPPING_PROPERTY}")
    return table


def has_rows(folder: Path, part: Slice) -> bool | None:
    """Whether a slice of whole partitions has any; None where Spark has to tell."""
    if part.table.name not in present_tables(folder):
        return False
    from deltalake.exceptions import DeltaError

    try:
        wanted = {name: str(value) for name, value in part.where.items()}
        return any(wanted.items() <= values.items() for values in open_table(folder, part.table.name).partitions())
    except (DeltaError, TableError, OSError):
        return None


def matching_rows(folder: Path, name: str, column: str, value: str) -> list[dict[str, Any]] | None:
    """The rows of a small table with a value; none before its birth, None where Spark has to read it. Times are UTC."""
    if name not in present_tables(folder):
        return []
    import duckdb  # imports no pandas, as pyarrow's datasets do
    from deltalake.exceptions import DeltaError

    try:
        files = open_table(folder, name).file_uris()
        with duckdb.connect() as connection:
            query = f'select * from read_parquet(?, hive_partitioning = false) where "{column}" = ?'
            answer = connection.execute(query, [files, value]) if files else None
            names = [one[0] for one in answer.description or ()] if answer else []
            return [dict(zip(names, row, strict=True)) for row in answer.fetchall()] if answer else []
    except (duckdb.Error, DeltaError, TableError, OSError):
        return None
