"""Which threshold leaves how many items: from the stored edges alone."""

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.errors import ConfigError, InputError
from equipoise.kernels.components import merge_similarities, threshold_removing
from equipoise.kernels.nearest import Floats
from equipoise.pipeline.components import DRIVER_EDGES
from equipoise.schemas import Col


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
    merges = _merges(edges.where(F.col(Col.similarity) > F.lit(lowest).cast("float")))
    n_always = int(np.isinf(merges).sum())
    most, fewest = n_items - n_always, n_items - len(merges)
    if not fewest <= n_keep <= most:
        way_out = "lower the threshold" if n_keep < fewest else "see exact_copies: equal contents go whatever it is"
        raise ConfigError(
            f"target_keep is {n_keep:,}, and thresholds from {lowest:g} to 1 leave {fewest:,} to {most:,} of "
            f"{n_items:,} items: change it, or {way_out}"
        )
    return threshold_removing(most - n_keep, merges[n_always:], lowest=lowest)


def _merges(edges: DataFrame) -> Floats:
    """At which similarities components merge, descending."""
    n_edges = edges.count()
    if n_edges > DRIVER_EDGES:
        raise InputError(
            f"target_keep: {n_edges:,} pairs lie above the lowest threshold, and the driver takes {DRIVER_EDGES:,}: "
            "raise the threshold, from which on it looks, or set it in the place of target_keep"
        )
    found = edges.select(Col.src, Col.dst, Col.similarity).toPandas()  # within the limit
    src, dst = (found[name].to_numpy(np.int64) for name in (Col.src, Col.dst))
    return merge_similarities(src, dst, found[Col.similarity].to_numpy(np.float32))
