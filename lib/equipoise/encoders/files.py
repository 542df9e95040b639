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


def model_folder(path: str, *marks: str, encoder: str) -> Path:
    """The folder of a model.

    Raises:
        ConfigError: there is none, or a file that it must have is not in it.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"encoder {encoder}: the folder {folder} does not exist, or not for all who need it")
    for mark in marks:
        if not (folder / mark).is_file():
            raise ConfigError(f"encoder {encoder}: the folder {folder} holds no {mark}")
    return folder.resolve()


def folder_hash(path: str, *, encoder: str, endings: tuple[str, ...] = ("",)) -> str:
    """The SHA-256 of a folder's files and their places in it: all but hidden ones and what Python compiled.

    Args:
        path: of the folder.
        encoder: for messages.
        endings: of the names of files that count.

    Raises:
        ConfigError: there is no such folder, or it cannot be read.
    """
    folder = model_folder(path, encoder=encoder)
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        place = file.relative_to(folder)
        is_kept = "__pycache__" not in place.parts and not any(part[0] == "." for part in place.parts)
        if is_kept and file.name.endswith(endings) and file.is_file():
            found.update(f"{place.as_posix()}\0{file_hash(str(file), encoder=encoder)}\n".encode())
    return found.hexdigest()
