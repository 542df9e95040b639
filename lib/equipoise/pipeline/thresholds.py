"""What a threshold on stored edges would remove: from the edges alone."""

from collections.abc import Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.components import merge_similarities, removed_above, threshold_for
from equipoise.pipeline.components import DRIVER_EDGES
from equipoise.schemas import Col

STEPS = 200
"""Thresholds that are tried between the lowest and 1."""


def shares_removed(
    edges: DataFrame, thresholds: Sequence[float], *, n_items: int, most_edges: int = DRIVER_EDGES
) -> list[float]:
    """Find the share of the items that each threshold would remove, where one item of a component stays. Runs two jobs.

    Args:
        edges: src, dst BIGINT, similarity FLOAT, above the lowest of the thresholds: of all items, or of a sample made
            of whole blocks. They are collected.
        thresholds: an edge counts where its similarity is above.
        n_items: that the edges were looked for among, those without any included.
        most_edges: that the driver takes.

    Returns:
        One share a threshold, 0 to 1: exact for these edges. :func:`equipoise.kernels.components.threshold_for` finds
        the threshold for a share between them.

    Raises:
        InputError: there are more edges.
    """
    n_edges = edges.count()
    if n_edges > most_edges:
        raise InputError(
            f"{n_edges:,} pairs lie above the lowest threshold, the driver takes {most_edges:,}: "
            "calibrate on a smaller share of the items, or from a higher threshold"
        )
    found = edges.select(Col.src, Col.dst, Col.similarity).toPandas()  # within the limit
    src, dst = (found[name].to_numpy(np.int64) for name in (Col.src, Col.dst))
    merges = merge_similarities(src, dst, found[Col.similarity].to_numpy(np.float32))
    return (removed_above(merges, thresholds) / max(n_items, 1)).tolist()


def threshold_leaving(edges: DataFrame, n_keep: int, *, n_items: int, lowest: float) -> float:
    """Find the threshold that leaves about so many items, where one item of a component stays. Runs two jobs.

    Args:
        edges: src, dst BIGINT, similarity FLOAT.
        n_keep: items that are to stay.
        n_items: that the edges were looked for among.
        lowest: no threshold below it is looked at.

    Returns:
        Between ``lowest`` and 1, interpolated from :data:`STEPS` steps of what is exact for these edges.

    Raises:
        ConfigError: none leaves so few, or there are not so many items.
        InputError: there are more edges than the driver takes.
    """
    if n_keep > n_items:
        raise ConfigError(f"target_keep is {n_keep:,} and the pool has {n_items:,} items: lower it")
    thresholds = np.linspace(lowest, 1.0, STEPS + 1).tolist()
    above = edges.where(F.col(Col.similarity) > F.lit(lowest).cast("float"))
    shares = shares_removed(above, thresholds, n_items=n_items)
    return threshold_for(1 - n_keep / n_items, thresholds, shares)
