"""Models that are one file: whether it is there, and what its bytes are."""

import hashlib
from functools import cache
from pathlib import Path

from equipoise.errors import ConfigError


def model_file(path: str, *, encoder: str) -> Path:
    """The file of a model.

    Raises:
        ConfigError: there is none.
    """
    file = Path(path).expanduser()
    try:
        if file.is_file():
            return file.resolve()
        found = "is a folder" if file.is_dir() else "does not exist"
    except (OSError, ValueError) as error:  # a name too long, a zero byte
        found = f"cannot be looked at ({error})"
    raise ConfigError(
        f"encoder {encoder}: the file {file} {found}; name the model's file, under a path that driver and executors see"
    )


def file_hash(path: str, *, encoder: str) -> str:
    """The SHA-256 of a model's bytes, in hex: what pins a file, wherever it lies and whatever it is called.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
    """
    file = model_file(path, encoder=encoder)
    try:
        found = file.stat()
        return _hash(file, found.st_size, found.st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"encoder {encoder}: the file {file} cannot be read: {error.strerror}") from error


@cache
def _hash(file: Path, size: int, changed_ns: int) -> str:
    """Of a file in this state: asked for several times by every config."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
