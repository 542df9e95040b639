"""How the number of clusters of a class follows the size of the class (Vo et al. 2024, figure 4)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import linregress

from equipoise.errors import InputError
from equipoise.evaluation.names import (
    CLUSTERS_EXPONENT,
    CLUSTERS_EXPONENT_R2,
    CLUSTERS_INTERCEPT,
    CLUSTERS_R2,
    CLUSTERS_SLOPE,
)

Doubles = NDArray[np.float64]


def class_fit(sizes: ArrayLike, n_clusters: ArrayLike) -> dict[str, float]:
    """Fit clusters against size over the classes that have items, by ordinary least squares.

    Plain k-means gives a class clusters in proportion to its items; clusters that balance classes give all of them as
    many. The line is in the units of the paper's figure; its slope depends on how many clusters and items there are,
    the power does not.

    Args:
        sizes: (classes,) items of each class; those without any are left out.
        n_clusters: (classes,) clusters with items of each class, at least 1 where there are any.

    Returns:
        ``clusters_slope`` b and ``clusters_intercept`` a of n_clusters = a + b size, the least sum of squares;
        ``clusters_r2``, 1 - (residual sum of squares) / (sum of squares about the mean);
        ``clusters_exponent``, the slope of ln n_clusters over ln size, and ``clusters_exponent_r2``, of that line.
        No R2 where all classes have as many clusters; nothing where fewer than two sizes differ.

    Raises:
        InputError: the lengths differ, or a class has items and no cluster.
    """
    of_size, of_clusters = np.asarray(sizes, dtype=np.float64), np.asarray(n_clusters, dtype=np.float64)
    if of_size.ndim != 1 or of_size.shape != of_clusters.shape:
        raise InputError(
            f"sizes are {of_size.shape} and numbers of clusters {of_clusters.shape}: give one each a class"
        )
    present = of_size > 0
    of_size, of_clusters = of_size[present], of_clusters[present]
    if (of_clusters < 1).any():
        raise InputError(f"{int((of_clusters < 1).sum())} classes have items and no cluster: count the clusters of all")
    if len(np.unique(of_size)) < 2:
        return {}
    line, power = linregress(of_size, of_clusters), linregress(np.log(of_size), np.log(of_clusters))
    found = {CLUSTERS_SLOPE: line.slope, CLUSTERS_INTERCEPT: line.intercept, CLUSTERS_EXPONENT: power.slope}
    if len(np.unique(of_clusters)) > 1:
        found |= {CLUSTERS_R2: line.rvalue**2, CLUSTERS_EXPONENT_R2: power.rvalue**2}
    return {name: float(value) for name, value in found.items()}
