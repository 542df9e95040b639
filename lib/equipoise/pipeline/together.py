"""What goes through a task together: so many, and so large."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def together(items: Iterable[T], size: Callable[[T], int], *, n_items: int, n_bytes: int) -> Iterator[list[T]]:
    """The items in their order, in lists of at most ``n_items`` that are within ``n_bytes``, or of one that is not."""
    waiting: list[T] = []
    total = 0
    for one in items:
        own = size(one)
        if waiting and (len(waiting) == n_items or total + own > n_bytes):
            yield waiting
            waiting, total = [], 0
        waiting.append(one)
        total += own
    if waiting:
        yield waiting
