"""How balanced a set is over its classes. Labels judge a selection; nothing that selects may read them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.schemas import Col


def normalised_entropy(counts: ArrayLike) -> float:
    """Return the entropy of the classes' shares over that of equal shares: 1 is balanced, 0 all in one class.

    Args:
        counts: (classes,) items of each class, none negative. Classes that a set lacks count as 0 and lower
            the result, so give the pool's classes for every set. A single class is balanced: 1.

    Raises:
        InputError: no classes, negative or non-finite counts, or no items at all.
    """
    shares = _shares(counts)
    return float(_entropy(shares) / np.log(shares.size)) if shares.size > 1 else 1.0


def effective_number(counts: ArrayLike) -> float:
    """Return how many equally large classes would have the same entropy: 1 to the number of classes.

    Args and raises: as :func:`normalised_entropy`.
    """
    return float(np.exp(_entropy(_shares(counts))))


def imbalance(counts: ArrayLike) -> float:
    """Return the largest class over the smallest: 1 is balanced, infinite where a class has no items.

    Args and raises: as :func:`normalised_entropy`.
    """
    shares = _shares(counts)
    return float(shares.max() / shares.min()) if shares.min() > 0 else float("inf")


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


def _shares(counts: ArrayLike) -> NDArray[np.float64]:
    items = np.asarray(counts, dtype=np.float64)
    if items.ndim != 1 or not np.isfinite(items).all() or (items < 0).any() or not items.sum() > 0:
        raise InputError(f"counts of classes are {items.tolist()}: give one each, none negative, not all 0")
    return items / items.sum()


def _entropy(shares: NDArray[np.float64]) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log(present)).sum())
