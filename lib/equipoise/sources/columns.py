"""Columns of the user's: their names are data, and so are the bytes of their texts."""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.sources.arrow_types import FILE_FIELDS

BYTES = (t.StringType, t.BinaryType)
# Its encoder is the one that all versions of Spark send through Java's texts, which no broken byte survives.
_TEXTS = "UTF-16BE"


def is_file(kind: t.DataType) -> bool:
    """Whether values are files, as Hugging Face's ``datasets`` has them: struct<bytes: binary, path: string>."""
    kinds = {} if not isinstance(kind, t.StructType) else {field.name: field.dataType for field in kind}
    return kinds == dict(zip(FILE_FIELDS, (t.BinaryType(), t.StringType()), strict=True))


def column(name: str) -> Column:
    """The column of exactly this name, whatever is in it: a dot is no struct's, a backtick no quote."""
    return F.col("`{}`".format(name.replace("`", "``")))


def as_text(given: Column, kind: t.DataType) -> Column:
    """A value as text; bytes, and texts that are no UTF-8, in lower-case hex."""
    text = given.cast("string")
    if not isinstance(kind, BYTES):
        return text
    is_text = F.decode(F.encode(text, _TEXTS), _TEXTS) == text
    return F.when(is_text, text).otherwise(F.lower(F.hex(given.cast("binary"))))
