"""Types of Parquet's columns, as Arrow has them -> those in which Spark takes the values. Needs no Spark."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_UNSIGNED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
}
FILE_FIELDS = ("bytes", "path")
"""Of a file in a column, as Hugging Face's ``datasets`` writes pictures: its content, else where it lies."""
_A_FILE = pa.struct([pa.field(name, kind) for name, kind in zip(FILE_FIELDS, (pa.binary(), pa.string()), strict=True)])
_MOST_DIGITS = 38
_BYTES = ("string", "large_string", "string_view"), ("binary", "large_binary", "binary_view")
_UUID = b"uuid"


@dataclass(frozen=True)
class Kind:
    """What a file has in a column; a UUID is 16 bytes there."""

    type: pa.DataType
    is_uuid: bool = False

    def __str__(self) -> str:
        return "uuid" if self.is_uuid else str(self.type)

    @property
    def taken_as(self) -> pa.DataType | None:
        """The type in which Spark is given it; None where it has none."""
        return pa.string() if self.is_uuid else taken_as(self.type)

    def field(self, name: str) -> pa.Field:
        """It as a field, which can be sent."""
        return pa.field(name, self.type, metadata={_UUID: b""} if self.is_uuid else None)


def kind_of(field: pa.Field) -> Kind:
    """The inverse of :meth:`Kind.field`."""
    return Kind(field.type, _UUID in (field.metadata or {}))


def taken_as(kind: pa.DataType) -> pa.DataType | None:
    """As Spark reads Parquet, where it does; halves as floats, times as text, nanoseconds included."""
    if isinstance(kind, pa.BaseExtensionType):
        return taken_as(kind.storage_type)
    if types.is_dictionary(kind):
        return taken_as(kind.value_type)
    if is_list(kind):
        inner = taken_as(kind.value_type)
        return None if inner is None else pa.list_(inner)
    if types.is_struct(kind):
        return _A_FILE if _is_file(kind) else None
    if types.is_decimal(kind):
        return pa.decimal128(kind.precision, kind.scale) if kind.precision <= _MOST_DIGITS else None
    return _plain(kind)


def _plain(kind: pa.DataType) -> pa.DataType | None:
    if kind in _UNSIGNED:
        return _UNSIGNED[kind]
    if types.is_float16(kind):
        return pa.float32()
    if types.is_timestamp(kind) or types.is_time(kind) or str(kind) in _BYTES[0]:
        return pa.string()
    if types.is_fixed_size_binary(kind) or str(kind) in _BYTES[1]:
        return pa.binary()
    if types.is_date(kind):
        return pa.date32()
    is_own = types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_null(kind)
    return kind if is_own else None


def _is_file(kind: pa.DataType) -> bool:
    inner = {kind.field(number).name: taken_as(kind.field(number).type) for number in range(kind.num_fields)}
    known = [(inner.get(field.name), field.type) for field in _A_FILE]
    return len(inner) == len(known) and all(found in (wanted, pa.null()) for found, wanted in known)


def is_list(kind: pa.DataType) -> bool:
    """Whether it is a list of any make."""
    return str(kind).startswith(("list<", "large_list<", "fixed_size_list<", "list_view<", "large_list_view<"))


def family(kind: pa.DataType) -> str:
    """Types of one family go into one column; those of another are another column under its name."""
    if types.is_integer(kind):
        return "integers"
    if types.is_floating(kind):
        return "numbers"
    if types.is_list(kind):
        inner = family(kind.value_type)
        return "lists of numbers" if inner in ("integers", "numbers") else f"lists of {inner}"
    return str(kind)


def widest(kinds: Iterable[pa.DataType]) -> pa.DataType:
    """The type that holds all of one family; of nulls alone, text."""
    left = sorted({kind for kind in kinds if not types.is_null(kind)}, key=str)
    if len(left) < 2:
        return left[0] if left else pa.string()
    if types.is_list(left[0]):
        return pa.list_(widest(kind.value_type for kind in left))
    if {types.is_integer(kind) for kind in left} == {True, False}:
        return pa.float64()
    return max(left, key=lambda kind: int(kind.bit_width))


def taken(array: pa.Array, kind: Kind, wanted: pa.DataType) -> pa.Array:
    """The values in the type ``wanted``.

    Raises:
        pa.ArrowException: they do not fit into it.
    """
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if kind.is_uuid:
        return pa.array([None if one is None else str(UUID(bytes=one)) for one in array.to_pylist()], wanted)
    if types.is_timestamp(kind.type) or types.is_time(kind.type):
        return _times(array)
    if types.is_struct(wanted):
        inner = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
        arrays = [inner[field.name].cast(field.type) for field in wanted]
        return pa.StructArray.from_arrays(arrays, fields=list(wanted), mask=array.is_null())
    return array if array.type == wanted else array.cast(wanted)


def _times(array: pa.Array) -> pa.Array:
    """As Spark writes them, in UTC, with as many digits of a second as there are."""
    if types.is_timestamp(array.type) and array.type.tz:
        array = array.cast(pa.timestamp(array.type.unit, "UTC")).cast(pa.timestamp(array.type.unit))
    cut = pc.replace_substring_regex(array.cast(pa.string()), r"(\.[0-9]*?)0+$", r"\1")
    return pc.replace_substring_regex(cut, r"\.$", "")
