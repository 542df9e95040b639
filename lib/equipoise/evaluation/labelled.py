"""Classes for pools without labels: a labelled set of the same encoder votes about every centroid.

Vo et al. 2024, figure 4: ImageNet's 1000 classes label the centroids, then the number of clusters of a class and their
mean size stand against the size of the class.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, GroupedData
from pyspark.sql import functions as F
from sklearn.neighbors import KNeighborsClassifier

from equipoise.errors import InputError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.sharing import share
from equipoise.pipeline.workers import settle
from equipoise.schemas import POOL_NAME, Col

MOST_BYTES = 2**30
"""Of labelled vectors: the driver and every worker hold them."""
_SCHEMA = f"{Col.cluster_id} bigint, {Col.label} string"


@dataclass(frozen=True)
class Labelled:
    """Vectors (n, d) float32 and the label (n,) str of each; ``k`` of them vote."""

    vectors: Floats
    labels: NDArray[np.str_]
    k: int = 5

    def __post_init__(self) -> None:
        """Refuses what cannot vote."""
        n = len(self.labels)
        if self.vectors.ndim != 2 or len(self.vectors) != n or not n:
            raise InputError(f"a labelled set has vectors {self.vectors.shape} and {n} labels: give one label a vector")
        if not np.isfinite(self.vectors).all():
            raise InputError("a labelled set holds vectors with NaN or infinity: leave them out")
        if not 1 <= self.k <= n:
            raise InputError(f"k = {self.k} neighbours of a labelled set of {n}: k must be 1 to {n}")


def check_bytes(n: int, dim: int, *, most: int = MOST_BYTES) -> None:
    """Check that ``n`` labelled vectors of ``dim`` numbers may be held by the driver and every worker.

    Raises:
        InputError: they are more than ``most`` bytes.
    """
    if 4 * n * dim > most:
        raise InputError(
            f"a labelled set of {n:,} vectors of {dim:,} numbers takes {4 * n * dim:,} bytes, above the {most:,} that "
            f"driver and workers hold: bring at most {most // (4 * dim):,}, some of every class"
        )


@contextmanager
def labelled_clusters(centroids: DataFrame, labelled: Labelled, *, spherical: bool) -> Iterator[DataFrame]:
    """Give every cluster the label that most of its centroid's k nearest labelled vectors have.

    Args:
        centroids: cluster_id BIGINT, centroid ARRAY<FLOAT>, those of one level.
        labelled: vectors of the same encoder.
        spherical: nearest by cosine, else by Euclidean distance. Ties of the vote go to the label that sorts first.

    Yields:
        cluster_id BIGINT, label STRING; to be used inside the context alone.

    Raises:
        InputError: the vectors differ in length from the centroids, or one is zero where ``spherical``.
    """
    first = centroids.select(F.size(Col.centroid)).first()
    if first is not None and first[0] != labelled.vectors.shape[1]:
        raise InputError(
            f"the labelled set has vectors of {labelled.vectors.shape[1]} numbers, the centroids have {first[0]}: "
            "both must come from one encoder"
        )
    if spherical and not labelled.vectors.any(axis=1).all():
        raise InputError("a labelled vector is zero and has no direction; metric: cosine needs it left out")
    context = centroids.sparkSession.sparkContext
    vectors = share(context, unit_length(labelled.vectors) if spherical else labelled.vectors)
    labels, k = share(context, labelled.labels), labelled.k

    def voted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        settle()
        voters: KNeighborsClassifier | None = None
        for batch in batches:
            if voters is None:
                voters = KNeighborsClassifier(k, algorithm="brute").fit(vectors.value, labels.value)
            yield _voted(batch, voters, spherical=spherical)

    try:
        yield centroids.select(Col.cluster_id, Col.centroid).mapInArrow(voted, _SCHEMA)
    finally:
        vectors.destroy()
        labels.destroy()


def class_clusters(sizes: DataFrame, labels: DataFrame) -> DataFrame:
    """Count the clusters of every class, in the pool and in each selection.

    Args:
        sizes: what :func:`equipoise.evaluation.clusters.cluster_sizes` returned, the rows of one level.
        labels: cluster_id BIGINT, label STRING of that level.

    Returns:
        selection STRING ("pool" for the pool), label STRING, n_clusters BIGINT (with items), n_items BIGINT: the size
        of the class; over n_clusters it is the mean size of its clusters.
    """
    labelled = sizes.join(labels, Col.cluster_id, "inner")
    curated = _counted(labelled.groupBy(Col.selection, Col.label), Col.n_curated)
    # Every selection has a row for every cluster: their pictures of the pool are all the same.
    pool = _counted(labelled.groupBy(Col.selection, Col.label), Col.n_pool).groupBy(Col.label)
    pool_rows = pool.agg(F.max(Col.n_clusters).alias(Col.n_clusters), F.max(Col.n_items).alias(Col.n_items))
    both = curated.unionByName(pool_rows.withColumn(Col.selection, F.lit(POOL_NAME)))
    return both.select(Col.selection, Col.label, Col.n_clusters, Col.n_items)


def _counted(classes: GroupedData, count: str) -> DataFrame:
    return classes.agg(F.count_if(F.col(count) > 0).alias(Col.n_clusters), F.sum(count).alias(Col.n_items))


def _voted(batch: pa.RecordBatch, voters: KNeighborsClassifier, *, spherical: bool) -> pa.RecordBatch:
    centroids = batch.column(1).flatten().to_numpy(zero_copy_only=False).reshape(batch.num_rows, -1)
    labels = voters.predict(unit_length(centroids) if spherical else centroids) if batch.num_rows else []
    columns = [batch.column(0), pa.array([str(label) for label in labels], pa.string())]
    return pa.RecordBatch.from_arrays(columns, [Col.cluster_id, Col.label])
