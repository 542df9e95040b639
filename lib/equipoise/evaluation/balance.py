"""How evenly a set is spread over groups, classes or clusters. Labels judge; nothing that selects may read them.

Every measure takes the sizes of the groups, or, where groups are too many to list, the distinct sizes with weights: how
many groups have each size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.evaluation.names import (
    COVERAGE,
    EFFECTIVE_NUMBER,
    GINI,
    IMBALANCE,
    MAX_OVER_MEDIAN,
    N_PRESENT,
    NORMALISED_ENTROPY,
    TOP_SHARE,
)
from equipoise.schemas import Col

ONE_IN = 100  # of the groups, the largest: what `top_share` is about

Doubles = NDArray[np.float64]


def measures(sizes: ArrayLike, weights: ArrayLike | None = None) -> dict[str, float]:
    """Return all measures of balance by name.

    Args:
        sizes: (m,) items of each group, none negative. Groups that a set lacks count as 0, so give the pool's
            groups for every set.
        weights: (m,) how many groups have that size, whole numbers; 1 each without.

    Returns:
        ``n_groups`` (given), ``n_present`` (not empty), ``coverage`` (their ratio), ``normalised_entropy``,
        ``effective_number``, ``gini`` (0 is balanced, (n - 1) / n all in one of n), ``max_over_median`` (infinite where
        half of the groups are empty), ``top_share`` (of the items, in the largest 1% of the groups, at least one group)
        and ``imbalance``.

    Raises:
        InputError: no groups, sizes or weights that are negative or not finite, or no items at all.
    """
    groups = _grouped(sizes, weights)
    return {
        Col.n_groups: groups.count,
        N_PRESENT: groups.n_present,
        COVERAGE: groups.n_present / groups.count,
        NORMALISED_ENTROPY: _normalised_entropy(groups),
        EFFECTIVE_NUMBER: float(np.exp(_entropy(groups))),
        GINI: _gini(groups),
        MAX_OVER_MEDIAN: _ratio(groups.sizes[-1], _median(groups)),
        TOP_SHARE: _top_share(groups),
        IMBALANCE: _ratio(groups.sizes[-1], groups.sizes[0]),
    }


def normalised_entropy(counts: ArrayLike) -> float:
    """Return the entropy of the classes' shares over that of equal shares: 1 is balanced, 0 all in one class.

    Args:
        counts: (classes,) items of each class, none negative. Classes that a set lacks count as 0 and lower
            the result, so give the pool's classes for every set. A single class is balanced: 1.

    Raises:
        InputError: no classes, negative or non-finite counts, or no items at all.
    """
    return _normalised_entropy(_grouped(counts))


def effective_number(counts: ArrayLike) -> float:
    """Return how many equally large classes would have the same entropy: 1 to the number of classes.

    Args and raises: as :func:`normalised_entropy`.
    """
    return float(np.exp(_entropy(_grouped(counts))))


def imbalance(counts: ArrayLike) -> float:
    """Return the largest class over the smallest: 1 is balanced, infinite where a class has no items.

    Args and raises: as :func:`normalised_entropy`.
    """
    groups = _grouped(counts)
    return _ratio(groups.sizes[-1], groups.sizes[0])


def class_counts(pool: DataFrame, curated: DataFrame, baseline: DataFrame) -> DataFrame:
    """Count the items of every class in the pool, in a selection and in the random one it is compared with.

    Args:
        pool: item_id BIGINT, label STRING; items without a label are left out.
        curated: item_id, copies INT; copies count.
        baseline: item_id, as :func:`equipoise.pipeline.sampling.random_items` gives them.

    Returns:
        label STRING, n_pool, n_curated, n_baseline BIGINT; 0 for classes that a set lacks.
    """
    labelled = pool.where(F.col(Col.label).isNotNull()).select(Col.item_id, Col.label)
    drawn = baseline.select(Col.item_id, F.lit(1).cast("bigint").alias(Col.n_baseline))
    marked = labelled.join(curated.select(Col.item_id, Col.copies), Col.item_id, "left").join(
        drawn, Col.item_id, "left"
    )
    none = F.lit(0).cast("bigint")
    return marked.groupBy(Col.label).agg(
        F.count("*").alias(Col.n_pool),
        F.coalesce(F.sum(Col.copies), none).alias(Col.n_curated),
        F.coalesce(F.sum(Col.n_baseline), none).alias(Col.n_baseline),
    )


@dataclass(frozen=True)
class _Groups:
    """Distinct or repeated ``sizes`` (m,), ascending, and how many groups have each, ``weights`` (m,), all above 0."""

    sizes: Doubles
    weights: Doubles

    @property
    def count(self) -> float:
        return float(self.weights.sum())

    @property
    def n_present(self) -> float:
        return float(self.weights[self.sizes > 0].sum())

    @property
    def n_items(self) -> float:
        return float(self.sizes @ self.weights)


def _grouped(sizes: ArrayLike, weights: ArrayLike | None = None) -> _Groups:
    items = np.asarray(sizes, dtype=np.float64)
    groups = np.ones_like(items) if weights is None else np.asarray(weights, dtype=np.float64)
    if items.ndim != 1 or not np.isfinite(items).all() or (items < 0).any():
        raise InputError(f"counts of classes are {items.tolist()}: give one each, none negative, not all 0")
    if groups.shape != items.shape or not np.isfinite(groups).all() or (groups < 0).any():
        raise InputError(f"weights are {groups.tolist()} for {items.size} sizes: give one each, none negative")
    if not items @ groups > 0:
        raise InputError(f"counts of classes are {items.tolist()}: give one each, none negative, not all 0")
    order = np.argsort(items, kind="stable")
    order = order[groups[order] > 0]
    return _Groups(items[order], groups[order])


def _entropy(groups: _Groups) -> float:
    is_present = groups.sizes > 0
    shares = groups.sizes[is_present] / groups.n_items
    return float(-(groups.weights[is_present] * shares * np.log(shares)).sum())


def _normalised_entropy(groups: _Groups) -> float:
    return float(_entropy(groups) / np.log(groups.count)) if groups.count > 1 else 1.0


def _gini(groups: _Groups) -> float:
    """``sum_i (2 i - n - 1) x_i / (n sum x)`` for sizes x_1 <= ... <= x_n; equal ones share the sum of their ranks."""
    before = np.cumsum(groups.weights) - groups.weights
    # the mean of 2 i - n - 1 over the ranks that a size takes; whole numbers, so equal sizes give exactly 0
    places = 2 * before + groups.weights - groups.count
    return float((groups.sizes * groups.weights) @ places / (groups.count * groups.n_items))


def _median(groups: _Groups) -> float:
    """The middle size, or the mean of the two in the middle."""
    upto, count = np.cumsum(groups.weights), groups.count
    middle = np.searchsorted(upto, [(count - 1) // 2, count // 2], side="right")
    return float(groups.sizes[middle].mean())


def _top_share(groups: _Groups) -> float:
    wanted = max(1.0, groups.count // ONE_IN)
    weights = groups.weights[::-1]
    taken = np.clip(wanted - (np.cumsum(weights) - weights), 0, weights)
    return float(taken @ groups.sizes[::-1] / groups.n_items)


def _ratio(largest: float, other: float) -> float:
    return float(largest / other) if other > 0 else float("inf")
