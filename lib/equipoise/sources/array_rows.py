"""What a task finds in a file of arrays: a row a window, or why there is none. Needs no Spark."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import fs

from equipoise.config import ArraysSource
from equipoise.encoders.base import UnreadableItem
from equipoise.encoders.importing import imported
from equipoise.errors import ConfigError
from equipoise.pipeline.locating import locate
from equipoise.pipeline.reasons import DAMAGED_FILE
from equipoise.pipeline.stored_arrays import (
    ZARR_MARKS,
    PackedError,
    StoredArray,
    ZarrArray,
    array_names,
    open_array,
    unpacked,
)
from equipoise.pipeline.windows import Scale, Window, npy_bytes, npy_size
from equipoise.sources.array_windows import (
    UNUSABLE_ARRAY,
    check_numbers,
    layout,
    scale_of,
    scale_of_values,
    windows_of,
)
from equipoise.sources.listing import below

Windows = Iterator[tuple[str, NDArray[Any]]]
"""What a user's reader gives: a name that is one in its file, and numbers, (height, width) or with channels behind."""


@dataclass(frozen=True)
class Row:
    """An item, or with a ``reason`` what is none; ``modified_at``: where the file's own time says nothing."""

    key: str
    uri: str
    n_bytes: int | None = None
    content: bytes | None = None
    modified_at: datetime | None = None
    reason: str | None = None
    detail: str | None = None


def rows_of(uri: str, source: ArraysSource) -> Iterator[Row]:
    """The windows of a file; of an array that cannot be used one row.

    Raises:
        ConfigError: the library zarr or the user's reader is not there.
    """
    try:
        names = [] if source.reader else array_names(uri)
    except ModuleNotFoundError as error:
        raise _missing(error, uri) from error
    except Exception as error:  # readers of broken contents raise anything
        yield _damaged(uri, uri, error)
        return
    parts = [_of_reader(uri, source)] if source.reader else [_guarded(uri, name, source) for name in names]
    rows = chain.from_iterable(parts)
    nothing = Row(uri, uri, reason=UNUSABLE_ARRAY, detail="it holds no array")
    yield next(rows, nothing)
    yield from rows


def user_function(reader: str) -> Callable[..., Windows]:
    """The function that ``python:module:function`` names.

    Raises:
        ConfigError: there is none.
    """
    function: Callable[..., Windows] = imported(reader.partition(":")[2], place=f"reader {reader}")[1]
    return function


def _guarded(uri: str, name: str, source: ArraysSource) -> Iterator[Row]:
    try:
        yield from _of_array(uri, name, source)
    except UnreadableItem as item:
        yield Row(_whole(uri, name), uri, reason=item.reason, detail=item.detail)
    except Exception as error:  # readers of broken contents raise anything
        yield _damaged(_whole(uri, name), uri, error)


def _of_array(uri: str, name: str, source: ArraysSource) -> Iterator[Row]:
    try:
        array = open_array(uri, name)
    except PackedError:
        with unpacked(uri, name) as array:
            for window in _scaled_windows(uri, name, array, source):
                yield _inline(window.key, str(window), partial(window.picture, array))
        return
    modified_at = _modified_at(uri, name) if isinstance(array, ZarrArray) else None
    for window in _scaled_windows(uri, name, array, source):
        yield Row(window.key, str(window), npy_size(window.form(array.shape)), None, modified_at)


def _scaled_windows(uri: str, name: str, array: StoredArray, source: ArraysSource) -> Iterator[Window]:
    found = layout(array, source)
    scale = scale_of(array, found, source)
    return (window.scaled(scale) for window in windows_of(uri, name, found, source))


def _of_reader(uri: str, source: ArraysSource) -> Iterator[Row]:
    """The windows that a user's reader gives, which is asked twice where percentiles are to be known first."""
    try:
        scale = scale_of_values((array for _, array in _read(uri, source) if array.dtype.kind in "biuf"), source)
        for name, array in _read(uri, source):
            yield _inline(_whole(uri, name), uri, partial(_picture, array, scale, source))
    except ConfigError:
        raise
    except Exception as error:  # what a user's code raises is its own affair
        yield _damaged(uri, uri, RuntimeError(f"reader {source.reader}: {type(error).__name__}: {error}"))


def _read(uri: str, source: ArraysSource) -> Windows:
    filesystem, path = locate(uri)
    given: dict[str, Any] = {} if source.window is None else {"window": source.window, "overlap": source.overlaps}
    function = user_function(str(source.reader))
    for name, array in function(path if isinstance(filesystem, fs.LocalFileSystem) else uri, **given):
        yield str(name), np.asarray(array)


def _picture(array: NDArray[Any], scale: Scale, source: ArraysSource) -> NDArray[np.float32]:
    check_numbers(array.dtype, array.shape)
    return np.asarray(array, np.float32) if source.scaling is None else scale.scaled(array)


def _inline(key: str, uri: str, picture: Callable[[], NDArray[np.float32]]) -> Row:
    try:
        content = npy_bytes(picture())
    except UnreadableItem as item:
        return Row(key, uri, reason=item.reason, detail=item.detail)
    return Row(key, uri, len(content), content)


def _damaged(key: str, uri: str, error: Exception) -> Row:
    said = " ".join(str(error).replace(uri, "the file").replace(locate(uri)[1], "the file").split())
    return Row(key, uri, reason=DAMAGED_FILE, detail=said or type(error).__name__)


def _whole(uri: str, name: str) -> str:
    """The key of an array that cannot be cut, or of what a reader named."""
    return f"{uri}#{name}" if name else uri


def _modified_at(uri: str, name: str) -> datetime | None:
    """When the shape of an array of zarr's was last written: the times of its chunks would be as many as these."""
    filesystem, path = locate(uri)
    folder = below(path, name) if name else path
    times = [info.mtime for info in filesystem.get_file_info([below(folder, mark) for mark in ZARR_MARKS])]
    return max((time for time in times if time is not None), default=None)


def _missing(error: ModuleNotFoundError, uri: str) -> ConfigError:
    return ConfigError(f"{uri} needs the library {error.name}: pip install 'equipoise[zarr]'")
