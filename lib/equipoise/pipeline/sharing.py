"""Arrays that every worker needs: broadcast in pieces, and destroyed when the work is done."""

import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyspark import Broadcast, SparkContext

from equipoise.kernels.placement import BYTES_PER_PIECE


@dataclass(frozen=True)
class SharedArray:
    """An array (n, ...) on every worker; ``number`` tells it from all others, also of other drivers."""

    number: int
    pieces: tuple["Broadcast[NDArray[Any]]", ...] = field(compare=False)

    @property
    def value(self) -> NDArray[Any]:
        """The array; where it came in pieces a new one."""
        values = [piece.value for piece in self.pieces]
        return values[0] if len(values) == 1 else np.concatenate(values)

    def destroy(self) -> None:
        """Frees it everywhere; to unpersist alone would leave it on the driver's disk."""
        for piece in self.pieces:
            piece.destroy()


def share(context: SparkContext, array: NDArray[Any], *, bytes_per_piece: int = BYTES_PER_PIECE) -> SharedArray:
    """Broadcasts an array."""
    rows = max(1, bytes_per_piece // max(1, array[:1].nbytes))
    starts = range(0, max(1, len(array)), rows)
    return SharedArray(uuid.uuid4().int, tuple(context.broadcast(array[start : start + rows]) for start in starts))
