"""What a key of a config may hold at all, whatever its section says of it: found by its type annotation."""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic_core import InitErrorDetails, PydanticCustomError

ANY_TEXT = "any text"
"""Marks a text that may be empty: ``Annotated[str, ANY_TEXT]``."""
WHOLE = 2**63
"""Whole numbers stay below it, as in Spark's tables."""
_FLAGS = ("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def misfits(value: Any, annotation: Any, place: tuple[str | int, ...] = ()) -> Iterator[InitErrorDetails]:
    """What pydantic would take for something else: booleans for numbers, quoted numbers and flags, text of nothing.

    Args:
        value: as it stands in the file.
        annotation: the type of its key.
        place: the key, for the message; of an entry of a list or mapping its number or key, too.
    """
    types = list(_alternatives(annotation))
    if problem := _problem(value, types):
        yield InitErrorDetails(type=problem, loc=place, input=value)
    elif isinstance(value, list | tuple | dict):
        origin = dict if isinstance(value, dict) else tuple
        inner = [get_args(one)[-1 if origin is dict else 0] for one in types if get_origin(one) is origin]
        for part, entry in value.items() if isinstance(value, dict) else enumerate(value):
            for kind in inner:
                yield from misfits(entry, kind, (*place, part))


def _problem(value: Any, types: list[Any]) -> PydanticCustomError | str | None:
    numbers = [kind for kind in (int, float) if kind in types]
    match value:
        case bool():
            return f"{numbers[0].__name__}_type" if numbers and bool not in types else None
        case int() | float() if bool in types and not numbers:
            return "bool_type"
        case int() if numbers and abs(value) > WHOLE:
            return PydanticCustomError("too_large", "must be a number that fits into 64 bits")
        case str() if numbers and str not in types and _is_number(value):
            return PydanticCustomError("quoted", "must be a number, and in quotes it is a text: drop the quotes")
        case str() if bool in types and str not in types and (_is_number(value) or value.strip().lower() in _FLAGS):
            return PydanticCustomError("quoted", "must be true or false, and in quotes it is a text: drop the quotes")
        case str() if str in types and not value.strip():
            return PydanticCustomError("empty", "must not be empty: write a text, or drop the key")
        case str() if str in types and _CONTROL.search(value):
            return PydanticCustomError("control", "must not hold control characters")
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The types of a union, without what annotates them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from () if ANY_TEXT in annotation.__metadata__ else _alternatives(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation
