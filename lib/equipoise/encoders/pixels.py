"""The plainest encoder: the pixels themselves."""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from equipoise.encoders.base import Kind, unit_vectors
from equipoise.encoders.images import decode_picture
from equipoise.errors import ConfigError

LARGEST_SIZE = 512
"""Of a side: 786,432 numbers, beyond what a clustering is for."""
_CHANNELS = {"L": 1, "RGB": 3}


class PixelsEncoder:
    """Images resized to ``size`` x ``size``, flattened, L2-normalised: d = size * size * (L: 1, RGB: 3).

    A black image has no direction: it keeps the zero vector, and the clustering decides about it.

    Raises:
        ConfigError: ``size`` no integer from 1 to 512, ``mode`` neither L nor RGB.
    """

    kind: Kind = "images"
    code_revision = 2  # pictures upright, transparent ones on white

    def __init__(
        self, *, size: Annotated[int, Field(gt=0, le=LARGEST_SIZE)] = 32, mode: Literal["L", "RGB"] = "RGB"
    ) -> None:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= LARGEST_SIZE:
            raise ConfigError(f"encoder pixels: size is {size!r}; it must be an integer from 1 to {LARGEST_SIZE}")
        if mode not in _CHANNELS:
            raise ConfigError(f"encoder pixels: mode is {mode!r}; it must be one of {', '.join(_CHANNELS)}")
        self.size = size
        self.mode = mode

    def decode(self, content: bytes) -> NDArray[np.uint8 | np.float32]:
        """The resized pixels, (d,) uint8; of an array float32 from 0 to 1, which has the same direction."""
        image = decode_picture(content, self.mode)
        if image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
        return np.asarray(image).reshape(-1)

    def encode(self, items: Sequence[NDArray[np.uint8 | np.float32]]) -> NDArray[np.float32]:
        """Unit vectors (or zero), (n, d) float32."""
        return unit_vectors(np.stack(items).astype(np.float32))
