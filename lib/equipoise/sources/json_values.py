"""JSON -> objects whose values are text: numbers as they were written, what is nested as its JSON. Needs no Spark."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

MALFORMED = "malformed_json"
_CUT_TOKEN = re.compile(r"[\w+\-.\\]*\s*")
_BLANK = " \t\r\n"
_BLANKS = re.compile(rf"[{_BLANK}]*")
_KINDS = {list: "an array", str: "a text or a number", bool: "true or false", type(None): "null"}
# Text, so that nothing is rounded and no number is too long to be one.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


class Value(NamedTuple):
    """One value as it stands in a file: ``fields`` where it is an object, else the ``problem``."""

    written: str
    fields: dict[str, Any] | None
    problem: str | None = None

    def text(self, name: str) -> str | None:
        """The field as text, None where it is null or not there: ``1.50`` and ``{"a": [1]}`` as they were written."""
        value = None if self.fields is None else self.fields.get(name)
        if value is None or isinstance(value, str):
            return value
        return json.dumps(value) if isinstance(value, bool) else _as_written(self.written, name)


def only_value(text: str) -> Value:
    """The one object of a line that is not blank; what is none, or has something after it, says so."""
    written = text.lstrip("\ufeff").strip(_BLANK)
    try:
        value, end = _DECODER.raw_decode(written)
    except json.JSONDecodeError as error:
        return Value(written, None, f"no JSON: {error.msg}, at character {error.pos + 1}")
    except RecursionError:
        return Value(written, None, "nested too deeply")
    if end < len(written):
        end = _blank(written, end)
        more = "a second value" if written[end] in "{[" else "something"
        return Value(written, None, f"{more} after the first value, at character {end + 1}: write one object a line")
    return _value(written, value)


def values(text: str) -> Iterator[Value]:
    """The objects of a whole text: elements of arrays, and objects that stand alone.

    Raises:
        ValueError: it is no JSON, or nested too deeply; where.
    """
    at = _blank(text, text.startswith("\ufeff"))
    while at < len(text):
        if text[at] == "[":
            for value, end in _elements(text, at):
                at = end
                if value is not None:
                    yield value
        else:
            value, at = _next(text, at)
            yield value
        at = _blank(text, at)


def spans_lines(text: str) -> bool:
    """Whether a file begins with a value that goes on in the next line, or with an array that is the whole of it.

    The first line of JSON lines is a value of its own; that one may be an array, with more lines after it. Where the
    first line is no value, and the second alone is one, they are lines of which the first is broken.

    Args:
        text: the whole first line, and some of what follows it.
    """
    text = text.lstrip("\ufeff").lstrip(_BLANK)
    first, _, rest = text.partition("\n")
    rest = rest.lstrip(_BLANK)
    if first.strip(_BLANK) in ("{", "["):
        return True
    try:
        _, end = _DECODER.raw_decode(first)
    except json.JSONDecodeError as error:
        is_unfinished = bool(rest) and not first[error.pos :].strip(f"{_BLANK},:")
        return (is_unfinished and _goes_on(text)) or _is_array_alone(text, rest)
    except RecursionError:
        return _is_array_alone(text, rest)
    return text.startswith("[") and not (first[end:] + rest).strip(_BLANK)


def _goes_on(text: str) -> bool:
    """Whether the value that a first line does not end is carried on by the second, as far as the text goes."""
    second = text.partition("\n")[2].lstrip(_BLANK)
    try:
        _DECODER.raw_decode(text)
    except json.JSONDecodeError as error:
        if error.msg.startswith("Unterminated"):
            return True
        if error.pos <= len(text) - len(second):
            return False
        return _CUT_TOKEN.fullmatch(text, error.pos) is not None or not _is_value(second.partition("\n")[0])
    except RecursionError:
        return not _is_value(second.partition("\n")[0])
    return True


def _is_array_alone(text: str, rest: str) -> bool:
    return text.startswith("[") and not _is_value(rest.partition("\n")[0])


def _elements(text: str, at: int) -> Iterator[tuple[Value | None, int]]:
    """Every element with the place after it; at last None with the place after the array."""
    at = _blank(text, at + 1)
    if text.startswith("]", at):
        yield None, at + 1
        return
    while True:
        value, at = _next(text, at)
        at = _blank(text, at)
        mark = text[at : at + 1]
        if mark not in (",", "]"):
            raise json.JSONDecodeError("Expecting ',' delimiter or the end of the array", text, at)
        yield value, at
        at = _blank(text, at + 1) if mark == "," else at + 1
        if mark == "]":
            yield None, at
            return


def _next(text: str, at: int) -> tuple[Value, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except RecursionError as error:
        raise json.JSONDecodeError("Nested too deeply", text, at) from error
    return _value(text[at:end], value), end


def _value(written: str, value: Any) -> Value:
    if isinstance(value, dict):
        return Value(written, value)
    return Value(written, None, f"{_KINDS[type(value)]}, no object")


def _is_value(line: str) -> bool:
    try:
        return not line[_DECODER.raw_decode(line)[1] :].strip(_BLANK)
    except (json.JSONDecodeError, RecursionError):
        return False


def _as_written(written: str, name: str) -> str | None:
    """What stands at a field of an object; the last, as decoders take it, where there are several of the name."""
    found, at = None, _blank(written, 1)
    while written[at] != "}":
        key, at = _DECODER.raw_decode(written, at)
        start = _blank(written, _blank(written, at) + 1)
        _, end = _DECODER.raw_decode(written, start)
        found = written[start:end] if key == name else found
        at = _blank(written, end)
        at = _blank(written, at + 1) if written[at] == "," else at
    return found


def _blank(text: str, at: int) -> int:
    """The next place that is not blank."""
    match = _BLANKS.match(text, at)
    return match.end() if match else at
