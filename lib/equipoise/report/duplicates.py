"""What a report shows of copies, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from equipoise.report.items import Item


@dataclass(frozen=True)
class Pair:
    """Two items that are alike, with their cosine."""

    one: Item
    other: Item
    similarity: float


@dataclass(frozen=True)
class Pairs:
    """The stored pairs of one kind: ``counts[i]`` of their similarities lie between ``edges[i]`` and ``edges[i + 1]``.

    ``of`` is the set whose items the pool's are held against, None inside the pool. ``above`` and ``below`` are pairs
    next to the ``threshold``, the closest first. Where it ``is_of_drops``, each pair is an item that went and what it
    went for, and none lies below. ``recall`` is the share of all pairs that were found, None where all were.
    """

    n: int
    edges: Sequence[float]
    counts: Sequence[int]
    threshold: float | None
    of: str | None = None
    stored_above: float | None = None
    recall: float | None = None
    above: Sequence[Pair] = ()
    below: Sequence[Pair] = ()
    is_of_drops: bool = False


@dataclass(frozen=True)
class Member:
    """One item of a group that goes, with its similarity, and what there is to add to that."""

    item: Item
    similarity: float | None
    note: str = ""


@dataclass(frozen=True)
class DuplicateGroup:
    """A group of items that are the same to the eye, of ``n_items``, and some of those that go.

    ``head`` is the one kept or, where the whole group went because of an evaluation set, an item of that set, ``of``.
    """

    n_items: int
    head: Item | None
    others: Sequence[Member]
    of: str | None = None


@dataclass(frozen=True)
class Duplicates:
    """What a run found of copies, and what became of them.

    ``n_in`` and ``n_out`` items went in and go on, the others by reason in ``drops``; None where it is not decided yet.
    ``groups`` are the largest of ``n_groups``, ``pairs`` those of the pool first; ``n_kinds_left_out`` kinds of them
    are not shown. ``n_copies`` pairs have equal contents. ``remaining`` are the items after each round.
    """

    n_in: int | None = None
    n_out: int | None = None
    drops: Mapping[str, int] = field(default_factory=dict)
    n_items: int = 0
    n_groups: int = 0
    groups: Sequence[DuplicateGroup] = ()
    pairs: Sequence[Pairs] = ()
    n_copies: int = 0
    neighbours: int | None = None
    remaining: Sequence[int] = ()
    n_kinds_left_out: int = 0
