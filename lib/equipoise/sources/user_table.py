"""What is asked of a table of the user's, what was read of it, and what is said of its files that are damaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.sources.columns import as_text, column
from equipoise.sources.parquet_tasks import FILE, ROW

T = TypeVar("T")
_MOST_NAMED = 3
_OF_FILES = ("failed_read_file", "parquet", "pyarrow", "filenotfound")


@dataclass(frozen=True)
class Request:
    """Columns of a table: ``wanted`` are their names by the config's key, None where the config names none.

    ``damaged``: what is to become of its files that cannot be read; None where the config has no such key.
    ``is_careful``: look at every value of every file first.
    """

    path: str
    wanted: Mapping[str, str | None]
    place: Place
    damaged: Literal["refuse", "skip"] | None = None
    is_careful: bool = False

    @property
    def names(self) -> list[str]:
        """Those that are named, each once."""
        return list(dict.fromkeys(name for name in self.wanted.values() if name is not None))

    def key_of(self, name: str) -> str:
        """The key of the config that names a column."""
        return self.place.key(next(key for key, one in self.wanted.items() if one == name))


class DamagedFile(NamedTuple):
    """A file that cannot be read, and what is wrong with it."""

    uri: str
    detail: str


@dataclass(frozen=True)
class UserTable:
    """``columns``: the names of all; ``rows``: the wanted ones, by the names ``held``; FILE and ROW where known."""

    request: Request
    columns: Sequence[str]
    rows: DataFrame
    held: Mapping[str, str]
    damaged: Sequence[DamagedFile] = ()

    def column(self, name: str) -> Column:
        """A wanted column."""
        return column(self.held[name])

    def kind(self, name: str) -> t.DataType:
        """Its type."""
        return self.rows.schema[self.held[name]].dataType

    def text(self, name: str) -> Column:
        """Its values as text: see :func:`as_text`."""
        return as_text(self.column(name), self.kind(name))

    def origin(self) -> tuple[Column, Column]:
        """The file of a row, and the row in words; null, and no more than that it is one, where they are not known."""
        file, row = (column(name) if name in self.rows.columns else F.lit(None) for name in (FILE, ROW))
        return file.cast("string"), F.concat_ws(" ", F.lit("row"), F.format_number(row.cast("bigint"), 0))

    def vector(self, name: str) -> Column:
        """Its values as ARRAY<FLOAT>.

        Raises:
            InputError: they are no lists of numbers.
        """
        kind = self.kind(name)
        if not (isinstance(kind, t.ArrayType) and isinstance(kind.elementType, t.NumericType)):
            raise InputError(
                f"{self.request.key_of(name)}: the column {name!r} of {self.request.path} is {kind.simpleString()}; "
                "it must be array<float> or array<double>, or a list of other numbers"
            )
        return self.column(name).cast("array<float>")


def carefully(read: Callable[[bool], T]) -> T:
    """What ``read`` returns; where it fails for files that cannot be read it is called again, and told to be careful.

    So nothing is paid for a look at every file where there is nothing to see.
    """
    try:
        return read(False)
    except (PySparkException, Py4JJavaError) as error:
        if not any(mark in str(error).lower() for mark in _OF_FILES):
            raise
    return read(True)


def refusal(request: Request, damaged: Sequence[DamagedFile], n_files: int, *, way_out: str) -> InputError:
    """The error for a table with damaged files; the first of them are named."""
    named = "; ".join(f"{file.uri} ({file.detail})" for file in damaged[:_MOST_NAMED])
    more = f"; and {len(damaged) - _MOST_NAMED:,} more" if len(damaged) > _MOST_NAMED else ""
    return InputError(
        f"{request.place.key('path')} {request.path}: {len(damaged):,} of {n_files:,} files cannot be read: "
        f"{named}{more}; {way_out}"
    )
