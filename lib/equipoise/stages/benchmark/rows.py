"""Rows of a benchmark on the driver: in the order of their ids, whole, and the same items for all models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import Scores

ID, SHOWS = "id", "shows"
MOST_SHOWN = 1000
"""Characters of an item that a failure shows."""

Texts = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """``vectors`` (n, d) float32; ``texts`` by key: (n,) str or None; ``lists`` by key: n arrays of str."""

    vectors: NDArray[np.float32]
    texts: Mapping[str, Texts]
    lists: Mapping[str, list[Texts]] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One model on one benchmark: its scores, and rows of failures (all columns of the table but the run's)."""

    scores: Scores
    failures: Sequence[tuple[Any, ...]] = ()


@dataclass(frozen=True)
class Loaded:
    """What is read of one model for one benchmark: ``ids``, sorted, by what they are of, and how it is scored."""

    ids: Mapping[str, Texts]
    score: Callable[[], list[Result]]


def group_keys(columns: Iterable[str]) -> dict[str, str]:
    """The columns with groups, by key."""
    return {f"groups.{column}": column for column in columns}


def by_id(rows: Rows, path: str) -> Rows:
    """The rows in the order of their ids: of equal cosines the lower id comes first.

    Raises:
        InputError: an id stands there more than once.
    """
    ids = rows.texts[ID]
    order = np.argsort(ids, kind="stable")
    twice = ids[order][1:] == ids[order][:-1]
    if twice.any():
        raise InputError(
            f"{path} has the id {ids[order][1:][twice][0]!r} more than once: give each item one of its own"
        )
    texts = {key: column[order] for key, column in rows.texts.items()}
    lists = {key: [column[place] for place in order] for key, column in rows.lists.items()}
    return Rows(rows.vectors[order], texts, lists)


def check_finite(rows: Rows, place: str) -> None:
    """Checks the values, so that the message names what a person can find again: the order is not that of the table.

    Raises:
        InputError: vectors are not finite; ``place`` is where they are.
    """
    bad = np.flatnonzero(~np.isfinite(rows.vectors).all(axis=1))
    if bad.size:
        one = f", that of id {rows.texts[ID][bad[0]]!r} for one" if ID in rows.texts else ""
        n = len(rows.vectors)
        raise InputError(f"{place}: {bad.size:,} of {n:,} vectors are not finite{one}; leave those out")


def check_same(ids: Mapping[str, Texts], expected: Mapping[str, Texts], model: str) -> None:
    """Checks that two models made vectors of the same items.

    Args:
        ids: of one, by what they are of.
        expected: those of the other.
        model: the name of the other.

    Raises:
        InputError: they did not.
    """
    for what, own in ids.items():
        odd = np.setxor1d(own, expected[what])
        if odd.size:
            raise InputError(
                f"it has {len(own):,} {what}, model {model} has {len(expected[what]):,}; ids of one of them alone: "
                f"{odd.size:,}, {odd[0]!r} for one. Models are compared on the same items: give those to both"
            )
