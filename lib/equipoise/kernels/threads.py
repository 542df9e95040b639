"""The one place that sets how many threads BLAS and OpenMP use."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")
_WITH_THREADS = ("torch", "faiss", "scipy", "sklearn")
"""Libraries that bring a BLAS or OpenMP of their own."""
_n_threads: int | None = None
"""Of this process; all cores where nothing else was said."""


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(n_threads: int) -> AbstractContextManager[object]:
    """Inside this context BLAS and OpenMP use ``n_threads``: one thread gives the same bits on any number of cores."""
    return _controller().limit(limits=n_threads)


def limit_worker_threads(n_threads: int) -> None:
    """Gives the process of a Spark task as many threads as the task has cores, for its whole life.

    Again where a library has come since: a worker that is used again may load a model, whose threads nobody limited.
    """
    _limit(n_threads, tuple(name for name in _WITH_THREADS if name in sys.modules))


@cache
def _limit(n_threads: int, loaded: tuple[str, ...]) -> None:
    global _n_threads
    _n_threads = n_threads
    _controller.cache_clear()
    blas_threads(n_threads)


@contextmanager
def ordered_mapper() -> Iterator[Callable[[Callable[[Item], Result], Iterable[Item]], Iterator[Result]]]:
    """A ``map`` over the cores of this process: results in the order of the items, one BLAS thread for each item."""
    n_threads = _n_threads or os.cpu_count() or 1
    with blas_threads(1):
        if n_threads == 1:
            yield map
            return
        with ThreadPoolExecutor(n_threads) as pool:
            yield pool.map


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The same for one use."""
    with ordered_mapper() as mapped:
        yield from mapped(function, items)


def ahead(
    threads: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    n_items: int,
    weight: Callable[[Item], int],
    grown: Callable[[Result], int] = lambda result: 0,
    most: int,
) -> Iterator[Result]:
    """Results in the order of the items, which threads make while the caller is busy with those that it has.

    Args:
        threads: what makes them; ``items`` is read by the caller's own thread.
        function: of one item.
        items: as they come.
        n_items: that are begun and not given out, at most.
        weight: of an item.
        grown: what a result weighs, where that may be more: those that follow are taken to become as heavy.
        most: of the weights of those, or one item.
    """
    waiting: deque[tuple[Future[Result], int]] = deque()
    begun = expected = 0
    try:
        for item in items:
            if waiting and (first := waiting[0][0]).done() and first.exception() is None:
                expected = grown(first.result())
            own = max(weight(item), expected)
            while waiting and (len(waiting) == n_items or begun + own > most):
                result, done = waiting.popleft()
                begun -= done
                yield result.result()
            waiting.append((threads.submit(function, item), own))
            begun += own
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        for result, _ in waiting:
            result.cancel()
