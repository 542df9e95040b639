"""What a mistake in a configuration is answered: pydantic's findings, in the words of the file."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from equipoise.config.sections import Section
from equipoise.config.sources import KINDS
from equipoise.errors import nearest

_SECTION = {"model_type", "model_attributes_type", "dict_type"}
_LIST = {"tuple_type", "list_type"}


def explain(error: ValidationError) -> str:
    """All mistakes in one line: the dotted key of each, what it must be, and what it is."""
    problems = error.errors(include_url=False)
    found: dict[str, list[ErrorDetails]] = {}
    for problem in problems:
        if not _follows_from_another(problem, problems):
            found.setdefault(".".join(_place(problem["loc"])), []).append(problem)
    return "; ".join(_line(place, alternatives) for place, alternatives in found.items())


def _follows_from_another(problem: ErrorDetails, problems: Sequence[ErrorDetails]) -> bool:
    """A list whose entries are wrong also counts as one that is too short."""
    place = problem["loc"]
    inner = (other["loc"] for other in problems if len(other["loc"]) > len(place))
    return problem["type"] == "too_short" and any(other[: len(place)] == place for other in inner)


def _place(location: tuple[int | str, ...]) -> Iterator[str]:
    """The keys of the file alone: pydantic also names the kind of a source, and the types that a value may have."""
    for number, part in enumerate(location):
        is_kind = (number, location[0]) in ((1, "source"), (2, "sources"))
        is_type = isinstance(part, str) and (part in _types() or "[" in part or part.startswith("constrained-"))
        if not (is_kind or is_type):
            yield str(part)


@cache
def _types() -> set[str]:
    """Names of types, which stand in a place where a value may be of several."""
    return {"int", *(kind.__name__ for kind in Section.__subclasses__())}


def _line(place: str, alternatives: Sequence[ErrorDetails]) -> str:
    message = " or ".join(_message(problem) for problem in alternatives).replace(" or must be ", " or ")
    value = alternatives[0]["input"]
    is_told = alternatives[0]["type"] in {"missing", "union_tag_not_found", "union_tag_invalid"}
    shown = "" if is_told or isinstance(value, dict | list | BaseModel) else f" (got {value!r})"
    return f"{place}: {message}{shown}" if place else message


def _message(problem: ErrorDetails) -> str:
    context: dict[str, Any] = problem.get("ctx", {})
    match problem["type"]:
        case "missing":
            return "is needed and not there"
        case "union_tag_not_found":
            return f"needs a kind, one of: {', '.join(KINDS)}"
        case "union_tag_invalid":
            return f"unknown kind {context['tag']!r}; {nearest(context['tag'], KINDS)}"
        case "too_short":
            return "must not be empty: name one, or drop the key"
        case "string_pattern_mismatch":
            dot = ", '.'" if "." in context["pattern"] else ""
            return f"may hold letters, digits, '_'{dot} and '-' alone"
        case kind if kind in _SECTION:
            return "must be a section of keys and values, {} where there are none to give"
        case kind if kind in _LIST:
            return "must be a list"
    said: str = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return said.partition(", unable to parse")[0]
