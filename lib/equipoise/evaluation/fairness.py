"""Do all groups of items fare alike? Accuracy by group, and the gap between the best and the worst."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from equipoise.errors import InputError


def accuracy_by_group(correct: ArrayLike, groups: ArrayLike) -> dict[str, float]:
    """Return the mean of ``correct`` of every group, by the group's name.

    Args:
        correct: (n,) bool or scores.
        groups: (n,) the group of each item; None or an empty text: the item is in none.

    Raises:
        InputError: lengths that differ.
    """
    scores, names = np.asarray(correct, dtype=np.float64), np.asarray(groups, dtype=object)
    if scores.shape != names.shape or scores.ndim != 1:
        raise InputError(f"scores have shape {scores.shape}, groups {names.shape}: give one group an item")
    texts = np.array(["" if name is None else str(name) for name in names])
    known, codes = np.unique(texts, return_inverse=True)
    means = np.bincount(codes, scores) / np.bincount(codes) if len(codes) else []
    return {str(name): float(mean) for name, mean in zip(known, means, strict=True) if name}


def gap(rates: Mapping[str, float]) -> float:
    """Return (max - min) / max of the groups' rates: 0 is even, 1 one group gets nothing; 0 where all do.

    Raises:
        InputError: there are no groups.

    Source: the form in which Dollar Street's results are given (Vo et al. 2024).
    """
    if not rates:
        raise InputError("there are no groups to compare: name a column that is not empty")
    highest = max(rates.values())
    return (highest - min(rates.values())) / highest if highest > 0 else 0.0
