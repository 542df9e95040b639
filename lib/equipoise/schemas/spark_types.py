"""SQL types as Spark's classes."""

from collections.abc import Mapping

from pyspark.sql import types as t

_ATOMIC: Mapping[str, t.DataType] = {
    "bigint": t.LongType(),
    "int": t.IntegerType(),
    "string": t.StringType(),
    "double": t.DoubleType(),
    "float": t.FloatType(),
    "binary": t.BinaryType(),
    "timestamp": t.TimestampType(),
    "boolean": t.BooleanType(),
}


def struct_of(types: Mapping[str, str]) -> t.StructType:
    """Columns by name, with SQL types; all may be null, as in Parquet: Spark casts no array that may hold nulls."""
    return t.StructType([t.StructField(name, _type_of(kind)) for name, kind in types.items()])


def _type_of(kind: str) -> t.DataType:
    outer, _, inner = kind.partition("<")
    parts = [_ATOMIC[part] for part in inner.removesuffix(">").split(",")] if inner else []
    match outer, parts:
        case "array", [element]:
            return t.ArrayType(element)
        case "map", [key, value]:
            return t.MapType(key, value)
    return _ATOMIC[kind]
