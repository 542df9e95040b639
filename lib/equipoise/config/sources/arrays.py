"""Arrays of numbers, cut into windows: sections, spectrograms, scans."""

import re
from operator import ge
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from equipoise.config.sections import Count, Section
from equipoise.config.sources.base import AnySource, plain_endings
from equipoise.encoders.base import Kind
from equipoise.encoders.importing import FORM

LARGEST_SIDE = 4096
"""Of a window: 64 MiB a channel."""
FORMATS = ("npy", "npz", "zarr")
Side = Annotated[int, Field(gt=0, le=LARGEST_SIDE)]
Shared = Annotated[int, Field(ge=0, lt=LARGEST_SIDE)]
Percent = Annotated[float, Field(ge=0, le=100)]
Limit = Annotated[float, Field(ge=-1e38, le=1e38)]
Channel = Annotated[int, Field(ge=0, lt=2**31)]
_FUNCTION = re.compile(f"python:{FORM}")


class Scaling(Section):
    """What becomes 0 and what 1: percentiles of the whole array, or two values; what is beyond is cut off."""

    percentiles: tuple[Percent, Percent] | None = None
    limits: tuple[Limit, Limit] | None = None

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        if (self.percentiles is None) == (self.limits is None):
            raise ValueError("scaling needs either percentiles, as [1, 99], or limits, as [-1.0, 1.0]")
        low, high = self.percentiles or self.limits or (0, 0)
        if low >= high:
            raise ValueError(f"scaling goes from {low:g} to {high:g}: the first must be less than the second")
        return self


class ArraysSource(AnySource):
    """Windows of ``.npy``, ``.npz`` and zarr of 2-D or 3-D numbers: every one is an item, by reference.

    ``axis`` cuts a 3-D array into slices, every ``every``-th of them; ``channels`` makes it one picture, of which
    ``take`` keeps some channels in this order. ``fill`` takes the place of NaN and infinity, after scaling.
    """

    content_kind: ClassVar[Kind | None] = "images"

    kind: Literal["arrays"]
    window: tuple[Side, Side] | None = None
    scaling: Scaling | None = None
    overlap: Shared | tuple[Shared, Shared] = 0
    partial: Literal["drop", "pad"] = "drop"
    axis: Annotated[int, Field(ge=0, le=2)] | None = None
    every: Count = 1
    channels: Literal["first", "last"] | None = None
    take: tuple[Channel, ...] = ()
    fill: Annotated[float, Field(ge=0, le=1)] | None = None
    reader: str | None = None
    extensions: tuple[str, ...] = ()
    label: Literal["parent_folder"] | None = None
    inline: bool = False

    @property
    def overlaps(self) -> tuple[int, int]:
        """Rows and columns that a window shares with the next."""
        return self.overlap if isinstance(self.overlap, tuple) else (self.overlap, self.overlap)

    @property
    def endings(self) -> tuple[str, ...]:
        """Of the files that are read; a reader of the user's takes any unless it says which."""
        return self.extensions or (("",) if self.reader else FORMATS)

    @field_validator("extensions")
    @classmethod
    def _endings(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        return plain_endings(given)

    @field_validator("reader")
    @classmethod
    def _names_a_function(cls, given: str | None) -> str | None:
        if given is not None and not _FUNCTION.fullmatch(given):
            raise ValueError("must be python:module:function, a function that yields windows")
        return given

    @model_validator(mode="after")
    def _keys_go_together(self) -> Self:
        if self.reader is not None:
            for key in ("partial", "axis", "every", "channels", "take"):
                if getattr(self, key) != type(self).model_fields[key].default:
                    raise ValueError(
                        f"{key} does not go with reader, which cuts windows and channels by itself: drop it"
                    )
            self._check_needs("fill", self.scaling, "scaling")
            return self
        if self.window is None or self.scaling is None:
            key, example = ("window", "[256, 256]") if self.window is None else ("scaling", "{percentiles: [1, 99]}")
            raise ValueError(f"arrays need {key}, as {example}")
        if self.extensions:
            raise ValueError(f"extensions goes with reader; without one {', '.join(FORMATS)} are read: drop it")
        if self.axis is not None and self.channels is not None:
            raise ValueError("axis cuts a 3-D array into slices, channels makes it one picture: name one of them")
        self._check_needs("every", self.axis, "axis")
        self._check_needs("take", self.channels, "channels")
        return self

    @model_validator(mode="after")
    def _windows_go_on(self) -> Self:
        if self.window is not None and any(map(ge, self.overlaps, self.window)):
            raise ValueError(f"overlap is {list(self.overlaps)}: it must be less than the window, {list(self.window)}")
        return self

    def _check_needs(self, key: str, other: object, name: str) -> None:
        if getattr(self, key) != type(self).model_fields[key].default and other is None:
            raise ValueError(f"{key} goes with {name}: name that, or drop it")
