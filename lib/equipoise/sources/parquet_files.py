"""The Parquet files of a folder, looked at and read by pyarrow, on the driver or in tasks. Needs no Spark."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from equipoise.pipeline.locating import locate
from equipoise.sources.arrow_types import Kind

NO_PARQUET = "it is no Parquet file"
NO_BYTES = "it has no bytes"
_MAGIC = (b"PAR1", b"PARE")
_NULL = "__HIVE_DEFAULT_PARTITION__"
_FOLDER_MARK = "_$folder$"
"""Hadoop's own, for a folder in a store that has none."""
_UUID_BYTES = 16
_BATCH_BYTES = 8 << 20
_MOST_ROWS = 65_536
_MOST_TOLD = 200


@dataclass(frozen=True)
class TableFile:
    """A file of a table: ``parts`` are the values of its folders ``key=value``."""

    uri: str
    n_bytes: int | None = None
    parts: Mapping[str, str | None] = field(default_factory=dict)
    is_nested: bool = False


def table_files(root: str) -> list[TableFile] | None:
    """What Spark takes for the files of a table: all at any depth whose names, and folders, do not begin with _ or dot.

    None where that cannot be told: nothing is there, or its file system is unknown here or does not answer.
    """
    try:
        filesystem, place = locate(root)
        top = filesystem.get_file_info(place)
        if top.type == fs.FileType.NotFound:
            return None
        if top.type == fs.FileType.File:
            return [TableFile(root, top.size)]
        infos = filesystem.get_file_info(fs.FileSelector(place, recursive=True))
    except (OSError, ValueError):
        return None
    below = [(info.path[len(place.rstrip("/")) :].lstrip("/"), info.size) for info in infos if info.is_file]
    return [_table_file(root, name, size) for name, size in sorted(below) if not is_hidden(name)]


def stored_files(uris: Iterable[str]) -> list[TableFile]:
    """Those of a table that knows its files, as Spark spells them; such as are no Parquet are left out."""
    return [TableFile(unquote(uri)) for uri in uris if uri.endswith(".parquet")]


def is_hidden(name: str) -> bool:
    """Whether no reader of Parquet looks at what has this name below the folder."""
    parts = name.split("/")
    return name.endswith(_FOLDER_MARK) or any(
        part.startswith(".") or (part.startswith("_") and "=" not in part) for part in parts
    )


def _table_file(root: str, name: str, n_bytes: int) -> TableFile:
    folders = [folder.partition("=") for folder in name.split("/")[:-1]]
    values = {unquote(key): None if value == _NULL else unquote(value) for key, equals, value in folders if equals}
    return TableFile(f"{root.rstrip('/')}/{name}", n_bytes, values, is_nested=len(values) < len(folders))


@contextmanager
def opened(uri: str) -> Iterator[pq.ParquetFile]:
    """The file, its footer read.

    Raises:
        OSError, pa.ArrowException: it is not there, or none.
    """
    filesystem, path = locate(uri)
    with filesystem.open_input_file(path) as source:
        if source.size() == 0:
            raise pa.ArrowInvalid(NO_BYTES)
        if source.read(4) not in _MAGIC:
            raise pa.ArrowInvalid(NO_PARQUET)
        yield pq.ParquetFile(source)


def kinds(file: pq.ParquetFile, wanted: Sequence[str] | None = None) -> dict[str, Kind]:
    """The columns of a file by name, or those of them that are wanted."""
    leaves = (file.schema.column(number) for number in range(len(file.schema.names)))
    uuids = {leaf.path for leaf in leaves if leaf.logical_type.type == "UUID"}
    found = {}
    for one in file.schema_arrow:
        if wanted is None or one.name in wanted:
            kind = one.type.storage_type if isinstance(one.type, pa.BaseExtensionType) else one.type
            found[one.name] = Kind(kind, one.name in uuids and kind == pa.binary(_UUID_BYTES))
    return found


def names_of(file: TableFile) -> list[str]:
    """All columns of a file, then those of its folders; a name that is there twice comes twice.

    Raises:
        OSError, pa.ArrowException: it is damaged.
    """
    with opened(file.uri) as parquet:
        own = list(parquet.schema_arrow.names)
    return [*own, *(name for name in file.parts if name not in own)]


def batches(
    file: pq.ParquetFile, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows, a few MB at once; every value of the columns is decoded.

    Raises:
        OSError, pa.ArrowException: a page is damaged.
    """
    totals = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    row_bytes = sum(one.total_byte_size for one in totals) // max(1, file.metadata.num_rows)
    n_rows = max(1, min(_MOST_ROWS, _BATCH_BYTES // max(1, row_bytes)))
    yield from file.iter_batches(n_rows, row_groups=groups, columns=columns, use_threads=False)


def damage(uri: str, error: Exception) -> str:
    """What is wrong with a file, in words."""
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    told = (
        " ".join(str(error).replace(uri, "the file").replace(locate(uri)[1], "the file").split())
        or type(error).__name__
    )
    return told[:_MOST_TOLD]
