"""How far the members of groups are from their group's mean, on Spark: no group is ever held as a whole."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.kernels.means import squared_distances, unit_sums
from equipoise.pipeline.blocks import ASSIGNED
from equipoise.schemas import Col

_SUMS = "sums"
_SUM_ROWS = t.StructType(
    [
        t.StructField(Col.cluster_id, t.LongType()),
        t.StructField(Col.n_items, t.LongType()),
        t.StructField(_SUMS, t.ArrayType(t.LongType())),
    ]
)


def distances_to_means(members: DataFrame, vectors: DataFrame) -> DataFrame:
    """Measure the distances of unit vectors to the means of their groups. Lazy.

    Args:
        members: item_id BIGINT, cluster_id BIGINT (the group).
        vectors: item_id BIGINT, embedding ARRAY<FLOAT>; only those of members are looked at.

    Returns:
        item_id, cluster_id BIGINT, distance_sq FLOAT, of the members that have a vector: squared Euclidean, of vectors
        of unit length to the mean of such vectors. The same bits whatever the partitioning. A task streams the members
        of its groups, and holds one sum.
    """
    placed = members.select(Col.item_id, Col.cluster_id).join(
        vectors.select(Col.item_id, Col.embedding), Col.item_id, "inner"
    )
    grouped = placed.repartition(Col.cluster_id).sortWithinPartitions(Col.cluster_id)
    sums = grouped.select(Col.cluster_id, Col.embedding).mapInArrow(_summed, _SUM_ROWS)
    beside = placed.join(sums, Col.cluster_id, "inner")
    return beside.select(Col.item_id, Col.cluster_id, Col.embedding, Col.n_items, _SUMS).mapInArrow(_measured, ASSIGNED)


def one_cluster(vectors: DataFrame) -> DataFrame:
    """Put all items into one cluster, 0, around their mean: item_id, cluster_id, distance_sq. For small pools. Lazy."""
    members = vectors.select(Col.item_id, F.lit(0).cast("bigint").alias(Col.cluster_id))
    return distances_to_means(members, vectors)


def _summed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """One row a group of a partition whose rows (cluster_id, embedding) are sorted; the last of a batch may go on."""
    waiting: tuple[int, int, np.ndarray] | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        groups, sizes, sums = unit_sums(batch.column(0).to_numpy(), _matrix(batch.column(1)))
        if waiting is not None and waiting[0] == groups[0]:
            sizes[0] += waiting[1]
            sums[0] += waiting[2]
        elif waiting is not None:
            yield _sum_rows(np.array([waiting[0]]), np.array([waiting[1]]), waiting[2][None])
        if len(groups) > 1:
            yield _sum_rows(groups[:-1], sizes[:-1], sums[:-1])
        waiting = (int(groups[-1]), int(sizes[-1]), sums[-1].copy())
    if waiting is not None:
        yield _sum_rows(np.array([waiting[0]]), np.array([waiting[1]]), waiting[2][None])


def _measured(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if batch.num_rows:
            item_ids, groups, embeddings, sizes, sums = batch.columns
            distances = squared_distances(_matrix(embeddings), _matrix(sums), sizes.to_numpy())
            yield pa.RecordBatch.from_arrays([item_ids, groups, pa.array(distances.astype(np.float32))], ASSIGNED.names)


def _sum_rows(groups: np.ndarray, sizes: np.ndarray, sums: np.ndarray) -> pa.RecordBatch:
    offsets = np.arange(0, sums.size + 1, sums.shape[1], dtype=np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.ascontiguousarray(sums).reshape(-1)))
    return pa.RecordBatch.from_arrays([pa.array(groups), pa.array(sizes), lists], _SUM_ROWS.names)


def _matrix(lists: pa.Array) -> np.ndarray:
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)
