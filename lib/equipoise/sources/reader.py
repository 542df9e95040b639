"""What every kind of source can be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from pyspark.sql import DataFrame, SparkSession

from equipoise.config import Place

S = TypeVar("S")


@dataclass(frozen=True)
class Reader(Generic[S]):
    """A kind of source. All may raise an InputError for a path that is missing, or not what the config says.

    Attributes:
        items: raw items (:data:`equipoise.pipeline.items.RAW`), not yet read where they are files; ready-made vectors
            bring ``embedding``.
        passed: what lies there and is no item, by ending or by what it is.
        nothing: where there is no item: how to go on.
        careful_items: the same items after every value of every file was looked at; None: nothing needs that.
    """

    items: Callable[[SparkSession, S, Place], DataFrame]
    passed: Callable[[SparkSession, S, Place], Mapping[str, int]]
    nothing: Callable[[S, Place], str]
    careful_items: Callable[[SparkSession, S, Place], DataFrame] | None = None


def no_rows(source: S, place: Place) -> str:
    """Of a table or file: how to go on where it has no rows."""
    return f"{place.key('path')} {source.path} has no rows: point it at a table or file that has"  # type: ignore[attr-defined]
