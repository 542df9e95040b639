"""Which windows an array has, and what of it becomes 0 and 1. Needs no Spark."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.config import ArraysSource
from equipoise.encoders.base import UnreadableItem
from equipoise.pipeline.reasons import CONTENT_TOO_LARGE
from equipoise.pipeline.stored_arrays import StoredArray
from equipoise.pipeline.windows import Axis, Channels, Scale, Window

UNUSABLE_ARRAY = "unusable_array"
SMALLER_THAN_WINDOW = "smaller_than_window"
SAMPLED_TILES, VALUES_OF_TILE = 64, 1 << 16
"""Of an array, for its percentiles."""
_LARGEST_WINDOW = 1 << 30
_PAD = "pad"


@dataclass(frozen=True)
class Layout:
    """What the axes of an array are: the numbers of those of rows and columns, of slices and of channels."""

    shape: tuple[int, ...]
    rows: int
    columns: int
    slices: int | None = None
    channels: int | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of a picture."""
        return self.shape[self.rows], self.shape[self.columns]

    def n_channels(self, take: Sequence[int]) -> int:
        """Of a picture."""
        return len(take) or (1 if self.channels is None else self.shape[self.channels])

    def axes(
        self, index: int, part: tuple[tuple[int, int], tuple[int, int]], take: tuple[int, ...]
    ) -> tuple[Axis, ...]:
        """Of a window: of the slice ``index`` the (start, size) of rows and of columns."""
        found: dict[int | None, Axis] = {self.slices: index, self.channels: Channels(take)}
        found |= {self.rows: part[0], self.columns: part[1]}
        return tuple(found[axis] for axis in range(len(self.shape)))


def layout(array: StoredArray, source: ArraysSource) -> Layout:
    """How the source looks at an array.

    Raises:
        UnreadableItem: ``unusable_array``: it holds no plain numbers, has other axes or none; ``smaller_than_window``;
            ``content_too_large``: a window would be above 1 GiB.
    """
    check_numbers(array.dtype, array.shape)
    found = _layout(array.shape, source)
    if source.channels and found.channels is None and source.take:
        raise UnreadableItem(UNUSABLE_ARRAY, f"its shape {array.shape} has no channels, of which take is to keep some")
    if found.channels is not None and max(source.take, default=0) >= found.shape[found.channels]:
        n_channels = found.shape[found.channels]
        raise UnreadableItem(UNUSABLE_ARRAY, f"it has {n_channels} channels, from 0; take is {list(source.take)}")
    window = source.window or found.size
    if source.partial != _PAD and any(own < wanted for own, wanted in zip(found.size, window, strict=True)):
        raise UnreadableItem(
            SMALLER_THAN_WINDOW, f"it is {found.size}, the window {window}: partial: pad takes what there is"
        )
    n_bytes = 4 * prod(window) * found.n_channels(source.take)
    if n_bytes > _LARGEST_WINDOW:
        raise UnreadableItem(
            CONTENT_TOO_LARGE, f"a window of all its channels has {n_bytes:,} bytes, above {_LARGEST_WINDOW:,}"
        )
    return found


def check_numbers(dtype: Any, shape: tuple[int, ...]) -> None:
    """Looks whether an array may be a picture or several.

    Raises:
        UnreadableItem: ``unusable_array``: it may not.
    """
    if getattr(dtype, "kind", "") not in "biuf" or dtype.itemsize > 8:
        raise UnreadableItem(UNUSABLE_ARRAY, f"it holds {dtype}; it must hold whole numbers, floats or booleans")
    if len(shape) not in (2, 3):
        raise UnreadableItem(UNUSABLE_ARRAY, f"its shape is {shape}; it must have 2 or 3 axes")
    if 0 in shape:
        raise UnreadableItem(UNUSABLE_ARRAY, f"its shape is {shape}: it holds no number")


def windows_of(uri: str, name: str, found: Layout, source: ArraysSource) -> Iterator[Window]:
    """The windows of an array, slice by slice, from the top left to the bottom right; their scale is yet to come."""
    window, is_padded = source.window or found.size, source.partial == _PAD
    starts = [
        _starts(length, size, size - shared, is_padded=is_padded)
        for length, size, shared in zip(found.size, window, source.overlaps, strict=True)
    ]
    for index, row, column in product(_indices(found)[:: source.every], *starts):
        part = (row, window[0]), (column, window[1])
        beyond = is_padded and any(
            start + size > length for (start, size), length in zip(part, found.size, strict=True)
        )
        yield Window(uri, name, found.axes(index, part, source.take), beyond)


def scale_of(array: StoredArray, found: Layout, source: ArraysSource) -> Scale:
    """What becomes 0 and 1 of an array: the config's limits, or percentiles of its finite values.

    These are of all values where there are at most 64 tiles as large as a window with 65,536 values each; else of so
    many tiles, evenly through the array, and in each of rows and columns at an even distance.
    """
    if source.scaling is None or source.scaling.percentiles is None:
        return _of_limits(source)
    tiles = _Tiles(_along_the_file(found), source.window or found.size, source.take)
    n_sampled = min(SAMPLED_TILES, len(tiles))
    chosen = (tiles[number * len(tiles) // n_sampled] for number in range(n_sampled))
    return scale_of_values((Window("", "", axes).numbers(array) for axes in chosen), source)


def scale_of_values(pictures: Iterable[NDArray[Any]], source: ArraysSource) -> Scale:
    """The same of pictures, (height, width) or with channels behind: of every n-th where there are more than 128."""
    if source.scaling is None or source.scaling.percentiles is None:
        return _of_limits(source)
    kept: list[NDArray[np.float64]] = []
    step = 1
    for number, picture in enumerate(pictures):
        if number % step == 0:
            kept.append(_thinned(picture))
        if len(kept) > 2 * SAMPLED_TILES:
            kept, step = kept[::2], 2 * step
    values = np.concatenate(kept) if kept else np.empty(0)
    if not values.size:
        return Scale(0.0, 1.0, source.fill)
    low, high = np.percentile(values, source.scaling.percentiles)
    return Scale(float(low), float(high), source.fill)


def _of_limits(source: ArraysSource) -> Scale:
    low, high = source.scaling.limits if source.scaling and source.scaling.limits else (0.0, 1.0)
    return Scale(low, high, source.fill)


def _layout(shape: tuple[int, ...], source: ArraysSource) -> Layout:
    if len(shape) == 2:
        return Layout(shape, 0, 1)
    if source.axis is not None:
        rows, columns = (axis for axis in range(3) if axis != source.axis)
        return Layout(shape, rows, columns, slices=source.axis)
    if source.channels is None:
        raise UnreadableItem(
            UNUSABLE_ARRAY,
            f"its shape is {shape}: axis says along which of the three slices are taken, channels that it is one "
            "picture, and where its channels are",
        )
    return Layout(shape, 1, 2, channels=0) if source.channels == "first" else Layout(shape, 0, 1, channels=2)


def _indices(found: Layout) -> range:
    return range(1 if found.slices is None else found.shape[found.slices])


def _along_the_file(found: Layout) -> Layout:
    """Of a volume the slices of its first axis, whose numbers lie together, whatever the pictures are slices of."""
    return found if found.slices is None else Layout(found.shape, 1, 2, slices=0)


def _starts(length: int, size: int, step: int, *, is_padded: bool) -> range:
    """Where windows begin: as many as fit; padded, as many as it takes to have all."""
    n_steps = max(0, ceil((length - size) / step)) if is_padded else (length - size) // step
    return range(0, n_steps * step + 1, step)


@dataclass(frozen=True)
class _Tiles(Sequence[tuple[Axis, ...]]):
    """All of an array, in pieces as large as a window, none twice; those at its end are smaller."""

    found: Layout
    size: tuple[int, int]
    take: tuple[int, ...]

    def __len__(self) -> int:
        rows, columns = self._counts
        return len(_indices(self.found)) * rows * columns

    def __getitem__(self, number: Any) -> Any:
        rows, columns = self._counts
        index, place = divmod(number, rows * columns)
        starts = (at * size for at, size in zip(divmod(place, columns), self.size, strict=True))
        ends = zip(starts, self.size, self.found.size, strict=True)
        part = tuple((start, min(size, length - start)) for start, size, length in ends)
        return self.found.axes(index, (part[0], part[1]), self.take)

    @property
    def _counts(self) -> tuple[int, int]:
        rows, columns = (-(-length // size) for length, size in zip(self.found.size, self.size, strict=True))
        return rows, columns


def _thinned(picture: NDArray[Any]) -> NDArray[np.float64]:
    """Its finite values, of rows and columns at an even distance where there are many."""
    step = ceil(sqrt(max(1, picture.size / VALUES_OF_TILE)))
    values = picture[::step, ::step].astype(np.float64).ravel()
    return values[np.isfinite(values)]
