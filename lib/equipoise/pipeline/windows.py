"""Windows of arrays: how a uri names one, and how it is read as a picture. Needs no Spark.

``window:3,0+256,512+256;array=amplitude;scale=-1.5..2.25:file:/survey.npz`` is, of the array ``amplitude`` in
``/survey.npz``, of the slice 3 of its first axis, 256 rows from row 0 and 256 columns from column 512, where -1.5
becomes 0 and 2.25 becomes 1. ``*`` in the place of an axis are all channels, ``*2.1.0`` these in this order.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from urllib.parse import quote, unquote

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from equipoise.encoders.base import UnreadableItem, unreadable
from equipoise.pipeline.reasons import NOT_FINITE
from equipoise.pipeline.stored_arrays import StoredArray, open_array

SCHEME = "window"
UNREADABLE_FILE = "unreadable_file"
_FORM = re.compile(rf"{SCHEME}:([^:]*):(.*)", re.DOTALL)
_FORM_OF_CHANNELS = "*"


@dataclass(frozen=True)
class Channels:
    """An axis of channels: all, or those that are taken, in their order."""

    take: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As it stands in a uri."""
        return _FORM_OF_CHANNELS + ".".join(map(str, self.take))


Axis = int | tuple[int, int] | Channels
"""One index of an axis, (start, size), or channels."""


@dataclass(frozen=True)
class Scale:
    """What becomes 0 and what 1; what is beyond becomes these. ``fill``: what NaN and infinity become."""

    low: float
    high: float
    fill: float | None = None

    def scaled(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """The values from 0 to 1.

        Raises:
            UnreadableItem: ``not_finite``: there are others than numbers, and nothing to put in their place.
        """
        numbers = values.astype(np.float64)
        is_odd = ~np.isfinite(numbers)
        if is_odd.any() and self.fill is None:
            raise UnreadableItem(
                NOT_FINITE, f"{int(is_odd.sum()):,} of {numbers.size:,} numbers of the window are NaN or infinite"
            )
        with np.errstate(invalid="ignore", over="ignore"):
            width = self.high - self.low
            found = (numbers - self.low) / width if width > 0 else numbers > self.low
            unit = np.clip(found, 0, 1).astype(np.float32)
        unit[is_odd] = self.fill or 0
        return unit


@dataclass(frozen=True)
class Window:
    """A window of the array ``array`` of a file: an entry an axis; ``is_padded``: it may go beyond the end."""

    uri: str
    array: str
    axes: tuple[Axis, ...]
    is_padded: bool = False
    scale: Scale | None = None

    def scaled(self, scale: Scale) -> "Window":
        """The same with what becomes 0 and 1."""
        return replace(self, scale=scale)

    def form(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Of the picture, of an array of this shape: (height, width) or (height, width, channels)."""
        sides = [axis[1] for axis in self.axes if isinstance(axis, tuple)]
        channels = [
            len(axis.take) or length
            for axis, length in zip(self.axes, shape, strict=True)
            if isinstance(axis, Channels)
        ]
        return (*sides, *channels)

    @property
    def key(self) -> str:
        """What it is called for ever: its place, whatever its scale is."""
        return str(replace(self, scale=None))

    def __str__(self) -> str:
        """The uri."""
        parts = [",".join(_written(axis) for axis in self.axes)]
        parts += [f"array={quote(self.array, safe='/')}"] if self.array else []
        parts += ["pad"] if self.is_padded else []
        if self.scale is not None:
            parts += [f"scale={self.scale.low!r}..{self.scale.high!r}"]
            parts += [] if self.scale.fill is None else [f"fill={self.scale.fill!r}"]
        return f"{SCHEME}:{';'.join(parts)}:{self.uri}"

    @classmethod
    def of(cls, uri: str) -> "Window":
        """What a uri names.

        Raises:
            ValueError: it is no window's.
        """
        match = _FORM.fullmatch(uri)
        if match is None:
            raise ValueError(f"{uri!r} names no window")
        region, *more = match[1].split(";")
        given = dict(part.partition("=")[::2] for part in more)
        low, _, high = given.get("scale", "0.0..1.0").partition("..")
        scale = Scale(float(low), float(high), float(given["fill"]) if "fill" in given else None)
        axes = tuple(_read(axis) for axis in region.split(","))
        return cls(match[2], unquote(given.get("array", "")), axes, "pad" in given, scale)

    def numbers(self, array: StoredArray) -> NDArray[np.generic]:
        """Its values as they are stored, (height, width) or (height, width, channels).

        Raises:
            UnreadableItem: ``unreadable_file``: the array has another shape by now.
        """
        region = tuple(self._slices(array.shape))
        if len(region) != len(array.shape) or not all(map(_is_inside, region, array.shape)):
            raise UnreadableItem(UNREADABLE_FILE, f"the array has the shape {array.shape}: the window is not in it")
        values = array.read(region)
        kept = values[tuple(0 if isinstance(axis, int) else slice(None) for axis in self.axes)]
        places = [axis for axis in self.axes if not isinstance(axis, int)]
        for place, axis in enumerate(places):
            if isinstance(axis, Channels):
                last = np.moveaxis(kept, place, -1)
                return last[..., list(axis.take)] if axis.take else last
        return kept

    def picture(self, array: StoredArray) -> NDArray[np.float32]:
        """Scaled to 0..1, and black (or what fills) beyond the end of the array.

        Raises:
            UnreadableItem: ``not_finite``, or ``unreadable_file``.
        """
        scale = self.scale or Scale(0, 1)
        found, form = scale.scaled(self.numbers(array)), self.form(array.shape)
        if found.shape == form:
            return found
        padded = np.full(form, scale.fill or 0, np.float32)
        padded[: found.shape[0], : found.shape[1]] = found
        return padded

    def _slices(self, shape: Sequence[int]) -> Iterator[slice]:
        for axis, length in zip(self.axes, shape, strict=False):
            if isinstance(axis, Channels):
                yield slice(0, length)
            elif isinstance(axis, int):
                yield slice(axis, axis + 1)
            else:
                stop = sum(axis)
                yield slice(axis[0], min(stop, length) if self.is_padded else stop)


def read_window(uri: str) -> bytes:
    """What a window shows, as the bytes of a ``.npy``: float32 from 0 to 1, (height, width) or with channels behind.

    Raises:
        UnreadableItem: ``unreadable_file``: the file is gone, damaged, or has another shape by now; ``not_finite``.
    """
    with unreadable(UNREADABLE_FILE):
        window = Window.of(uri)
        return npy_bytes(window.picture(open_array(window.uri, window.array)))


def npy_bytes(picture: NDArray[np.float32]) -> bytes:
    """An array as a file."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(picture, np.float32), allow_pickle=False)
    return file.getvalue()


@cache
def npy_size(shape: tuple[int, ...]) -> int:
    """The bytes of such a file."""
    header = io.BytesIO()
    npy.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return header.tell() + 4 * int(np.prod(shape, dtype=object))


def _is_inside(part: slice, length: int) -> bool:
    return 0 <= part.start < part.stop <= length


def _written(axis: Axis) -> str:
    return "+".join(map(str, axis)) if isinstance(axis, tuple) else str(axis)


def _read(text: str) -> Axis:
    if text.startswith(_FORM_OF_CHANNELS):
        return Channels(tuple(int(channel) for channel in text[1:].split(".") if channel))
    start, plus, size = text.partition("+")
    return (int(start), int(size)) if plus else int(start)
