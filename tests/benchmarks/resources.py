"""Memory of this process and all that it started."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Peak:
    """The most memory that was seen, in bytes."""

    bytes = 0


def resident_bytes(root: int) -> int:
    """Resident memory of a process and its descendants; what several of them share counts once."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):  # it has just ended
                continue
            children.setdefault(parent, []).append(int(entry.name))
    waiting, total = [root], 0
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        total += _proportional_bytes(process)
    return total


def _proportional_bytes(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


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
