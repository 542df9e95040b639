"""Items through a model, as many at once as a budget allows, and fewer where its memory does not hold them."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError

log = logging.getLogger("equipoise")


class Passes:
    """How many items a model takes at once; fewer from where they did not fit, which is told once a worker.

    Args:
        n_at_once: items of a pass, at most.
        budget: of what the items of a pass cost together, one alone excepted: pixels, tokens.
        items: what they are, for messages: ``pictures`` or ``texts``.
        encoder: its name, for messages.
        place: where it runs, for messages.
    """

    def __init__(self, n_at_once: int, *, budget: int, items: str, encoder: str, place: str) -> None:
        self._most, self._budget = n_at_once, budget
        self._items, self._encoder, self._place = items, encoder, place
        self._is_split = False

    def n_of(self, cost: int) -> int:
        """Items of a pass, each of which costs at most so much."""
        return max(1, min(self._most, self._budget // max(1, cost)))

    def over(
        self, items: Any, forward: Callable[[Any], NDArray[np.float32]], *, cost: Callable[[Any], int]
    ) -> NDArray[np.float32]:
        """What ``forward`` gives of all items, (n, d), in their order.

        Args:
            items: a sequence or an array, the dearest first.
            forward: makes one pass.
            cost: of an item, in the unit of the budget.

        Raises:
            Exception: what ``forward`` raises, other than that several items do not fit.
        """
        found, n_done = [], 0
        while n_done < len(items):
            dearest = cost(items[n_done])
            part = items[n_done : n_done + self.n_of(dearest)]
            try:
                found.append(forward(part))
            except Exception as error:  # what a model raises is its own affair
                self.halve(len(part), dearest, error)
            else:
                n_done += len(part)
        return np.concatenate(found)

    def halve(self, n_items: int, cost: int, error: Exception) -> None:
        """Takes fewer items at once from here on, where it is memory that so many were too many for.

        Args:
            n_items: of the pass.
            cost: of the dearest of them.
            error: what the model raised.

        Raises:
            Exception: ``error``, where it says something else, or one item was alone.
        """
        if n_items == 1 or isinstance(error, ConfigError) or not is_out_of_memory(error):
            raise error
        self._budget = n_items // 2 * max(1, cost)
        if not self._is_split:
            log.warning(
                "encoder %s: %d %s at once do not fit into the memory of %s; from here on it takes fewer",
                *(self._encoder, n_items, self._items, self._place),
            )
        self._is_split = True


def is_out_of_memory(error: BaseException) -> bool:
    """Whether there was too little memory: TorchScript and ONNX Runtime say it in words alone."""
    said = str(error).casefold()
    words = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate memory", "bad_alloc")
    return isinstance(error, MemoryError) or any(word in said for word in words)


def last_line(error: BaseException) -> str:
    """What went wrong, of a message that begins with traces."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
