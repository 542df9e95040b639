"""A GPU of this machine that no other process works on, by a lock on a file."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SECONDS_BETWEEN_LOOKS = 0.05
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_own: list[int] = []
"""The device that the models of this process lie on: it does not move."""


@contextmanager
def held_device(n_devices: int, tasks_per_device: int, *, first: int) -> Iterator[int]:
    """One of the devices, that of before where this process had one; ``first``, modulo their number, if it is free.

    Held by a lock on a file in the machine's folder for temporary ones, which ends with the process.
    """
    if not n_devices:
        yield 0
        return
    wanted = _own or [(first + step) % n_devices for step in range(n_devices)]
    places = [(device, slot) for slot in range(tasks_per_device) for device in wanted]
    lock = None
    try:
        while lock is None:
            for device, slot in places:
                if (lock := _locked(device, slot)) is not None:
                    break
            else:
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        _own[:] = [device]
        yield device
    finally:
        if lock is not None:
            os.close(lock)


def _locked(device: int, slot: int) -> int | None:
    """The open file of a lock that is ours now; None where it is another's."""
    import fcntl  # not on Windows, where Spark's workers have no GPU to share by this

    lock = _opened(_lock_file(device, slot))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _lock_file(device: int, slot: int) -> Path:
    """Named by the device that this process sees under the number: another may see it under another."""
    visible = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",")]
    name = visible[device] if device < len(visible) and visible[device] else str(device)
    return Path(tempfile.gettempdir()) / f"equipoise-gpu-{name.replace(os.sep, '-')}-{slot}.lock"


def _opened(path: Path) -> int:
    """To be read is enough for a lock; a file that another user made may not be opened as a new one."""
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(FileExistsError):
            return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
