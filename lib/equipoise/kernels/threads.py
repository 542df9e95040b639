"""The one place that sets how many threads BLAS and OpenMP use."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def blas_threads(n_threads: int) -> AbstractContextManager[object]:
    """Inside this context BLAS and OpenMP use ``n_threads``: one thread gives the same bits on any number of cores."""
    return _controller().limit(limits=n_threads)


@cache
def limit_worker_threads(n_threads: int) -> None:
    """Gives the process of a Spark task as many threads as the task has cores, once, for its whole life."""
    blas_threads(n_threads)


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``map`` over all cores, results in the order of the items, each item computed with one BLAS thread."""
    with blas_threads(1), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(function, items)
