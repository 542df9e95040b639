"""Labelled vectors: what a frozen model makes of a benchmark."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError

Labels = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Features:
    """``vectors`` (n, d) floating and ``labels`` (n,), of any one type that numpy sorts.

    Raises:
        InputError: shapes that do not fit, no rows, or values that are not finite.
    """

    vectors: NDArray[np.floating[Any]]
    labels: Labels

    def __post_init__(self) -> None:
        """Checks the shapes and the values."""
        if self.vectors.ndim != 2 or not self.vectors.size or self.labels.shape != (len(self.vectors),):
            raise InputError(
                f"vectors have shape {self.vectors.shape}, labels {self.labels.shape}: give (n, d) and (n,), n above 0"
            )
        bad = np.flatnonzero(~np.isfinite(self.vectors).all(axis=1))
        if bad.size:
            raise InputError(f"{bad.size} vectors are not finite, the first is row {bad[0]}; leave them out")
