"""The headers of ``.npy`` files: what is in them, and where. Needs no Spark."""

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy


@dataclass(frozen=True)
class Header:
    """``offset``: of the first number, in bytes of what was read from."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool
    offset: int

    @property
    def end(self) -> int:
        """The byte after the last number; of objects, whose numbers are elsewhere, a lower bound."""
        return self.offset + int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def read_header(file: BinaryIO) -> Header:
    """The header that begins where the file stands.

    Raises:
        ValueError: there is none.
    """
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    return Header(shape, dtype, is_fortran, file.tell())
