"""Items through a model, as many at once as its memory holds."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import ConfigError

log = logging.getLogger("equipoise")
Found = TypeVar("Found")


class Passes:
    """How many items a model takes at once: half as many from where they did not fit, which is told once a worker.

    Args:
        n_at_once: items of a pass, at most.
        items: what they are, for messages: ``pictures`` or ``texts``.
        encoder: its name, for messages.
        place: where it runs, for messages.
    """

    def __init__(self, n_at_once: int, *, items: str, encoder: str, place: str) -> None:
        self._pass, self._items, self._encoder, self._place = n_at_once, items, encoder, place
        self._is_split = False

    def over(self, items: Any, forward: Callable[[Any], NDArray[np.float32]]) -> NDArray[np.float32]:
        """What ``forward`` gives of all items, (n, d), in their order; they are a sequence or an array.

        Raises:
            Exception: what ``forward`` raises, other than that several items do not fit.
        """
        found, n_done = [], 0
        while n_done < len(items):
            part = items[n_done : n_done + self._pass]
            try:
                found.append(forward(part))
            except Exception as error:  # what a model raises is its own affair
                self._halve(len(part), error)
            else:
                n_done += len(part)
        return np.concatenate(found)

    def whole(self, items: Sequence[Any], forward: Callable[[int], Found]) -> Found:
        """What ``forward`` gives that makes passes of ``items`` itself, of the size that it is told.

        Raises:
            Exception: what ``forward`` raises, other than that several items do not fit.
        """
        while True:
            try:
                return forward(self._pass)
            except Exception as error:  # what a model raises is its own affair
                self._halve(min(self._pass, len(items)), error)

    def _halve(self, n: int, error: Exception) -> None:
        """Takes fewer items at once from here on, where it is memory that ``n`` of them were too many for."""
        if n == 1 or isinstance(error, ConfigError) or not is_out_of_memory(error):
            raise error
        self._pass = n // 2
        if not self._is_split:
            log.warning(
                "encoder %s: %d %s at once do not fit into the memory of %s; from here on it takes fewer",
                *(self._encoder, n, self._items, self._place),
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
