"""What a threshold on stored edges would remove: from the edges alone."""

from collections.abc import Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.components import merge_similarities, removed_above, threshold_removing
from equipoise.kernels.nearest import Floats
from equipoise.pipeline.components import DRIVER_EDGES
from equipoise.schemas import Col


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
        One share a threshold, 0 to 1: exact for these edges.

    Raises:
        InputError: there are more edges.
    """
    return (removed_above(_merges(edges, most_edges), thresholds) / max(n_items, 1)).tolist()


def _merges(edges: DataFrame, most_edges: int) -> Floats:
    """At which similarities components merge, descending."""
    n_edges = edges.count()
    if n_edges > most_edges:
        raise InputError(
            f"{n_edges:,} pairs lie above the lowest threshold, the driver takes {most_edges:,}: "
            "calibrate on a smaller share of the items, or from a higher threshold"
        )
    found = edges.select(Col.src, Col.dst, Col.similarity).toPandas()  # within the limit
    src, dst = (found[name].to_numpy(np.int64) for name in (Col.src, Col.dst))
    return merge_similarities(src, dst, found[Col.similarity].to_numpy(np.float32))


def threshold_leaving(edges: DataFrame, n_keep: int, *, n_items: int, lowest: float) -> float:
    """Find the threshold that leaves as nearly so many items as any does, where one item of a component stays.

    Runs two jobs.

    Args:
        edges: src, dst BIGINT, similarity FLOAT; infinite: the edge counts whatever the threshold.
        n_keep: items that are to stay.
        n_items: that the edges were looked for among.
        lowest: no threshold below it is looked at.

    Returns:
        Between ``lowest`` and 1, exact for these edges: where many merge at one similarity, all of them go or none.

    Raises:
        ConfigError: none leaves so few, or so many, or there are not so many items.
        InputError: there are more edges than the driver takes.
    """
    if n_keep > n_items:
        raise ConfigError(f"target_keep is {n_keep:,} and the pool has {n_items:,} items: lower it")
    merges = _merges(edges.where(F.col(Col.similarity) > F.lit(lowest).cast("float")), DRIVER_EDGES)
    n_always = int(np.isinf(merges).sum())
    most, fewest = n_items - n_always, n_items - len(merges)
    if not fewest <= n_keep <= most:
        way_out = "lower the threshold" if n_keep < fewest else "see exact_copies: equal contents go whatever it is"
        raise ConfigError(
            f"target_keep is {n_keep:,}, and thresholds from {lowest:g} to 1 leave {fewest:,} to {most:,} of "
            f"{n_items:,} items: change it, or {way_out}"
        )
    return threshold_removing(most - n_keep, merges[n_always:], lowest=lowest)
