"""What can be said of a source before Spark starts: whether its local files are there and can be read."""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

from equipoise.config import ArraysSource, EmbeddingsSource, Place, Source
from equipoise.errors import ConfigError, InputError
from equipoise.pipeline.locating import local_path, missing
from equipoise.pipeline.stored_arrays import ZARR
from equipoise.sources.array_rows import user_function
from equipoise.sources.npy_parts import is_of_npy, no_parts, open_parts


def check_source(source: Source, place: Place) -> None:
    """Checks what lies on this machine; other file systems answer later.

    Raises:
        InputError: a path, or a list of what is blocked, is missing or not readable; a ``.npy`` is broken, of another
            shape or type, or there is not one id a vector.
        ConfigError: a reader, or the library that the files need, is not there.
    """
    for key, path in source.blocks.lists.items() if source.blocks else ():
        check_path(path, place.key(f"block.{key}"), is_file=True)
    if local_path(source.path) is not None:
        CHECKS.get(source.kind, _check_files)(source, place)


def _check_files(source: Source, place: Place) -> None:
    check_path(source.path, place.key("path"))


def _check_arrays(source: ArraysSource, place: Place) -> None:
    check_path(source.path, place.key("path"))
    if source.reader is not None:
        user_function(source.reader)
    elif source.path.rstrip("/").lower().endswith(ZARR) and find_spec("zarr") is None:
        raise ConfigError(f"{place.key('path')} {source.path} needs the library zarr: pip install 'equipoise[zarr]'")


def _check_table(source: Source, place: Place) -> None:
    check_path(source.path, place.key("path"), is_table=True)


def _check_embeddings(source: EmbeddingsSource, place: Place) -> None:
    is_npy = is_of_npy(source)
    check_path(source.path, place.key("path"), is_table=not is_npy)
    if not is_npy and source.ids is not None:
        raise InputError(no_parts(source, place))
    if is_npy and source.ids is not None and local_path(source.ids):
        check_path(source.ids, place.key("ids"))
        open_parts(source, place)
    elif is_npy and (source.ids is None or source.is_npy):
        open_parts(source, place, is_without_ids=True)


def check_path(path: str, key: str, *, is_table: bool = False, is_file: bool = False) -> None:
    """Checks a path that is surely local.

    Args:
        path: what the user gave.
        key: where.
        is_table: it may also be the name of one in the catalog: only what is plainly a path is looked for.
        is_file: it is to be one file.

    Raises:
        InputError: it is not there, may not be read, or is a folder where a file is wanted.
    """
    local = local_path(path)
    if local is None or (is_table and not local.exists() and "/" not in path):
        return
    if not local.exists():
        raise InputError(missing(path, key))
    if is_file and local.is_dir():
        raise InputError(f"{key} {path} is a folder: name a file")
    if not os.access(local, os.R_OK | (os.X_OK if local.is_dir() else 0)):
        raise InputError(f"{key} {path} may not be read by this user: change its permissions, or run as another one")


CHECKS: Mapping[str, Callable[[Any, Place], None]] = {
    "table": _check_table,
    "embeddings": _check_embeddings,
    "arrays": _check_arrays,
}
"""Of the kinds whose paths are no plain files or folders."""
