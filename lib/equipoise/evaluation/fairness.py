"""How evenly groups of items or people are served: rates by group and the gap between the best and the worst."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.schemas import Col


def gap(rates: ArrayLike) -> float:
    """Return (max - min) / max: 0 where all groups fare alike (also where none has anything), 1 where one has nothing.

    Args:
        rates: (groups,) accuracies or selection rates, none negative.

    Raises:
        InputError: no groups, or rates that are negative or not finite.

    Source: Vo et al. 2024, section 4.2.3 and table 5c: Dollar Street by region and income.
    """
    values = np.asarray(rates, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or (values < 0).any():
        raise InputError(f"rates are {values.tolist()}: give one for each group, none negative")
    largest = values.max()
    return float((largest - values.min()) / largest) if largest > 0 else 0.0


def accuracy_by_group(correct: ArrayLike, groups: ArrayLike) -> pd.DataFrame:
    """Return how many of each group's items were right.

    Args:
        correct: (n,) booleans, or shares from 0 to 1 (the mean of several trials).
        groups: (n,) the group of each item, of any type that sorts.

    Returns:
        group (as given, ascending), n_items int64, value float64: the mean of ``correct``. :func:`gap` of ``value`` is
        the gap.

    Raises:
        InputError: the arrays differ in length, are empty, or ``correct`` leaves 0 to 1.
    """
    shares, names = np.asarray(correct, dtype=np.float64), np.asarray(groups)
    if shares.ndim != 1 or names.shape != shares.shape or not shares.size:
        raise InputError(f"correct has shape {shares.shape}, groups {names.shape}: give one of each an item")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise InputError(f"correct holds values from {shares.min()} to {shares.max()}: they must lie in 0 to 1")
    return mean_by_group(shares, names)


def mean_by_group(values: ArrayLike, groups: ArrayLike) -> pd.DataFrame:
    """Return the mean of each group's values.

    Args:
        values: (n,) numbers.
        groups: (n,) the group of each item, of any type that sorts; None for items in no group.

    Returns:
        group (as given, ascending), n_items int64, value float64.
    """
    found = pd.DataFrame({Col.group: groups, Col.value: values}).groupby(Col.group, as_index=False)
    return found.agg(**{Col.n_items: (Col.value, "size"), Col.value: (Col.value, "mean")})


def selection_rates(sizes: DataFrame) -> DataFrame:
    """Return the share of every group's items that each selection took.

    Args:
        sizes: what :func:`equipoise.evaluation.groups.group_sizes` returned.

    Returns:
        selection, name, group STRING, n_pool BIGINT, value DOUBLE: items taken (once, whatever the copies) over items.
    """
    rate = (F.col(Col.n_selected) / F.col(Col.n_pool)).alias(Col.value)  # a group that has a row has items
    return sizes.select(Col.selection, Col.name, Col.group, Col.n_pool, rate)


def selection_gaps(rates: DataFrame) -> DataFrame:
    """Return the gap of :func:`gap` over all groups of each name.

    Args:
        rates: what :func:`selection_rates` returned.

    Returns:
        selection, name STRING, value DOUBLE.
    """
    largest, smallest = F.max(Col.value), F.min(Col.value)
    found = F.coalesce(F.try_divide(largest - smallest, largest), F.lit(0.0))
    return rates.groupBy(Col.selection, Col.name).agg(found.alias(Col.value))
