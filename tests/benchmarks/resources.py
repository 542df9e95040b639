"""Memory of this process and all that it started."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class Peak:
    """The most memory that was seen, in bytes."""

    bytes = 0


def resident_bytes(root: int) -> int:
    """Resident memory of a process and its descendants; what several of them share counts once."""
    whole = psutil.Process(root)
    return sum(_proportional_bytes(process) for process in [whole, *whole.children(recursive=True)])


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
            peak.bytes = max(peak.bytes, resident_bytes(os.getpid()))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
