"""Pictures that are arrays: the bytes of a ``.npy``, floats from 0 to 1, (height, width) or with channels behind."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from equipoise.encoders.base import UnreadableItem

UNREADABLE_ARRAY = "unreadable_array"
_MAGIC = b"\x93NUMPY"
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue, as Pillow has them."""
_OF_MODE = {"L": 1, "RGB": 3}
Floats = NDArray[np.float32]


def is_array(content: bytes) -> bool:
    """Whether it is the content of a ``.npy``."""
    return content.startswith(_MAGIC)


def array_size(content: bytes) -> tuple[int, int]:
    """Width and height.

    Raises:
        UnreadableItem: ``unreadable_array``.
    """
    height, width = _loaded(content).shape[:2]
    return width, height


class FloatPicture:
    """A picture of which nothing is rounded, with what of Pillow's pictures its users need.

    Args:
        layers: (height, width, channels) float32 from 0 to 1.
    """

    def __init__(self, layers: Floats) -> None:
        self.layers = layers
        self.height, self.width = layers.shape[:2]
        self.size = self.width, self.height

    def resize(self, size: tuple[int, int], method: Image.Resampling) -> "FloatPicture":
        """At another (width, height): each channel by Pillow, in floats."""
        channels = (Image.fromarray(np.ascontiguousarray(channel)) for channel in np.moveaxis(self.layers, 2, 0))
        return FloatPicture(np.stack([np.asarray(channel.resize(size, method)) for channel in channels], axis=2))

    def crop(self, box: tuple[int, int, int, int]) -> "FloatPicture":
        """What lies from left and top to right and bottom."""
        left, top, right, bottom = box
        return FloatPicture(self.layers[top:bottom, left:right])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """The layers."""
        return np.array(self.layers, dtype=dtype) if copy else np.asarray(self.layers, dtype=dtype)

    def in_8_bits(self) -> Image.Image:
        """As a picture of Pillow's, grey or RGB."""
        pixels = np.rint(self.layers * 255).astype(np.uint8)
        return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def decode_array(content: bytes, mode: str) -> FloatPicture:
    """The picture in the channels of a mode of Pillow's.

    One channel is grey: as ``"RGB"`` it is there three times. Three are red, green and blue: as ``"L"`` their luma.

    Raises:
        UnreadableItem: ``unreadable_array``: it is damaged, holds other numbers, or has another number of channels.
    """
    layers = layers_of(content)
    n_channels, wanted = layers.shape[2], _OF_MODE[mode]
    if n_channels not in _OF_MODE.values():
        raise UnreadableItem(
            UNREADABLE_ARRAY,
            f"it has {n_channels} channels; models of pictures read 1 or 3: have the source take some, take: [2, 1, 0]",
        )
    if n_channels > wanted:
        return FloatPicture((layers @ _LUMA)[..., None])
    return FloatPicture(np.repeat(layers, wanted // n_channels, axis=2))


def shown_array(content: bytes) -> Image.Image:
    """What people are shown of it, RGB: of other than one or three channels their mean, in grey.

    Raises:
        UnreadableItem: ``unreadable_array``.
    """
    layers = layers_of(content)
    if layers.shape[2] not in _OF_MODE.values():
        layers = layers.mean(axis=2, keepdims=True)
    return FloatPicture(layers).in_8_bits().convert("RGB")


def layers_of(content: bytes) -> Floats:
    """All channels, (height, width, channels) from 0 to 1.

    Raises:
        UnreadableItem: ``unreadable_array``.
    """
    array = _loaded(content)
    return array.reshape(*array.shape[:2], -1)


def _loaded(content: bytes) -> Floats:
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # a reader of broken contents raises anything
        raise UnreadableItem(UNREADABLE_ARRAY, f"{type(error).__name__}: {error}") from error
    if array.ndim not in (2, 3) or 0 in array.shape or array.dtype.kind != "f":
        raise UnreadableItem(
            UNREADABLE_ARRAY,
            f"it holds {array.dtype} of {array.shape}; a picture is floats of (height, width) or (height, width, "
            "channels)",
        )
    if not (array.min() >= 0 and array.max() <= 1):  # NaN is neither
        raise UnreadableItem(
            UNREADABLE_ARRAY, f"its values are from {array.min():g} to {array.max():g}; those of a picture from 0 to 1"
        )
    return np.asarray(array, np.float32)
