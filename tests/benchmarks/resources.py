"""Memory of this process and all that it started."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class Peak:
    """The most memory that was seen, in bytes: of all processes, and of the largest Python worker of Spark."""

    bytes = 0
    worker_bytes = 0

    def look(self, root: int) -> None:
        """Looks at a process and its descendants; what several of them share counts once."""
        whole = psutil.Process(root)
        below = [(process, _proportional_bytes(process)) for process in whole.children(recursive=True)]
        self.bytes = max(self.bytes, _proportional_bytes(whole) + sum(size for _, size in below))
        self.worker_bytes = max([self.worker_bytes, *(size for process, size in below if not _is_java(process))])


def _is_java(process: psutil.Process) -> bool:
    try:
        return process.name() == "java"
    except psutil.Error:  # it has just ended
        return False


def _proportional_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:  # it has just ended
        return 0


@contextmanager
def watched(every: float = 0.5) -> Iterator[Peak]:
    """The peak of memory as long as the context lasts."""
    peak, done = Peak(), threading.Event()

    def watch() -> None:
        while not done.wait(every):
            peak.look(os.getpid())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
