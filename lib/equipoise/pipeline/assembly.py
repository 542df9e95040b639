"""From centroids and who belongs to them to the levels of the tree: parents below, sizes and mean costs above."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import Assignments, Ids
from equipoise.pipeline.blocks import arrays_frame, assignments_arrays, assignments_frame
from equipoise.pipeline.checkpoint import ROWS, AnyAssignments, AnyLevel, DistributedLevel, FittedLevel
from equipoise.schemas import CENTROIDS, Col

_SIZES = [Col.cluster_id, Col.n_children, Col.n_items, Col.mean_distance_sq]


def with_level(fitted: Sequence[AnyLevel], centroids: Floats | DataFrame, labelled: AnyAssignments) -> list[AnyLevel]:
    """The levels with one more on top, whose members now know their parents.

    Args:
        fitted: the levels so far, from the finest up; none where items were clustered.
        centroids: (k, d), or rows (cluster_id, centroid) that stay where they are.
        labelled: (item_id, cluster_id, distance_sq) of all items or, by their cluster_id, clusters of the level below.
    """
    below = fitted[-1] if fitted else None
    if isinstance(below, FittedLevel) and isinstance(labelled, DataFrame) and isinstance(centroids, np.ndarray):
        labelled = assignments_arrays(labelled)
    if isinstance(below, DistributedLevel) and isinstance(labelled, Assignments):
        labelled = assignments_frame(below.rows.sparkSession, labelled)
    if isinstance(labelled, Assignments):
        assert isinstance(centroids, np.ndarray) and not isinstance(below, DistributedLevel), "all is on the driver"
        n_items = below.n_items if below else np.ones(len(labelled.labels), dtype=np.int64)
        top: AnyLevel = _summed_up(labelled, centroids, n_items=n_items)
    else:
        top = _level(centroids, _sizes(labelled, below))
    return [*fitted[:-1], *([_with_parents(below, labelled)] if below else []), top]


def _level(centroids: Floats | DataFrame, sizes: DataFrame) -> AnyLevel:
    if isinstance(centroids, DataFrame):
        rows = sizes.join(centroids, on=Col.cluster_id, how="inner")
        parent = F.lit(None).cast("bigint").alias(Col.parent_id)
        return DistributedLevel(rows.select(*(parent if name == Col.parent_id else name for name in ROWS)))
    found = sizes.toPandas().sort_values(Col.cluster_id)
    ids, *columns = (found[name].to_numpy() for name in _SIZES)
    return FittedLevel(ids, centroids[ids], *columns)


def _with_parents(below: AnyLevel, labelled: AnyAssignments) -> AnyLevel:
    if isinstance(below, FittedLevel):
        members = assignments_arrays(labelled) if isinstance(labelled, DataFrame) else labelled
        return replace(below, parents=members.labels)
    assert isinstance(labelled, DataFrame), "what is not on the driver is labelled where it is"
    parents = labelled.select(F.col(Col.item_id).alias(Col.cluster_id), F.col(Col.cluster_id).alias(Col.parent_id))
    joined = below.rows.drop(Col.parent_id).join(parents, on=Col.cluster_id, how="inner")
    return DistributedLevel(joined.select(*ROWS))


def _sizes(labelled: DataFrame, below: AnyLevel | None) -> DataFrame:
    """One row a cluster: (cluster_id, n_children, n_items, mean_distance_sq)."""
    n_items = F.count("*") if below is None else F.sum(Col.n_items)
    counted = labelled if below is None else labelled.join(_items_below(labelled, below), on=Col.item_id, how="inner")
    grouped = counted.groupBy(Col.cluster_id).agg(
        F.count("*").alias(Col.n_children),
        n_items.alias(Col.n_items),
        # In float32, as the distances are: the order in which a shuffle brings them would show in the last bits.
        F.avg(Col.distance_sq).cast("float").cast("double").alias(Col.mean_distance_sq),
    )
    return grouped.select(*_SIZES)


def _items_below(labelled: DataFrame, below: AnyLevel) -> DataFrame:
    """(item_id, n_items): how many items every cluster of the level below stands for."""
    if isinstance(below, DistributedLevel):
        return below.rows.select(F.col(Col.cluster_id).alias(Col.item_id), Col.n_items)
    schema = CENTROIDS.schema
    columns = {Col.cluster_id: below.cluster_ids, Col.n_items: below.n_items}
    sizes = arrays_frame(labelled.sparkSession, columns, type(schema)([schema[name] for name in columns]))
    return sizes.select(F.col(Col.cluster_id).alias(Col.item_id), Col.n_items)


def _summed_up(members: Assignments, centroids: Floats, *, n_items: Ids) -> FittedLevel:
    """A level from its members, each of which stands for ``n_items``."""
    ids, position, counts = np.unique(members.labels, return_inverse=True, return_counts=True)
    items = np.zeros(len(ids), dtype=np.int64)
    np.add.at(items, position, n_items)
    means = (np.bincount(position, weights=members.distances_sq) / counts).astype(np.float32).astype(np.float64)
    return FittedLevel(ids, centroids[ids], counts, items, means)
