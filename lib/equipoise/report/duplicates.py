"""What a report shows of copies, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from equipoise.report.items import Item


@dataclass(frozen=True)
class DuplicateGroup:
    """A group of items that are the same to the eye: ``kept`` and some of the others with their similarity to it."""

    n_items: int
    kept: Item | None
    others: Sequence[tuple[Item, float | None]]


@dataclass(frozen=True)
class Duplicates:
    """Groups of duplicates, largest first; ``counts[i]`` similarities lie between ``edges[i]`` and ``edges[i + 1]``."""

    n_items: int
    n_groups: int
    n_removed: int
    groups: Sequence[DuplicateGroup]
    edges: Sequence[float]
    counts: Sequence[int]
    threshold: float | None
