"""DataFrames of vectors to packed blocks and back."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.errors import InputError, NoVectorsError
from equipoise.kernels.nearest import Floats
from equipoise.kernels.packing import Block, pack
from equipoise.kernels.statistics import ROWS_PER_BLOCK
from equipoise.kernels.vectors import Assignments, Ids, check_numbers, unit_length
from equipoise.pipeline.crossing import BLOCK, BLOCK_SCHEMA, as_stream, rows_frame
from equipoise.schemas import Col

BYTES_PER_MESSAGE = 100 * 2**20
"""What the driver sends to a task: Spark takes no more than 128 MiB (`spark.rpc.message.maxSize`)."""
BYTES_PER_BLOCK = 2**20 - 2**10
"""What is stored and moved as one value. The JVM's collector gives larger ones several regions in a row (G1: from half
a region on, which is a MiB with a heap of 4 GiB), and a heap full of cached blocks may have none."""
BYTES_PER_TASK = 64 * 2**20
"""Arrays of the driver that one task gets, and makes one file of where they are written."""
LARGEST_HALF = float(np.finfo(np.float16).max)

VECTOR_SCHEMA = t.StructType(
    [
        t.StructField(Col.item_id, t.LongType()),
        t.StructField(Col.embedding, t.ArrayType(t.FloatType(), False)),
    ]
)
ASSIGNED = t.StructType(
    [
        t.StructField(Col.item_id, t.LongType()),
        t.StructField(Col.cluster_id, t.LongType()),
        t.StructField(Col.distance_sq, t.FloatType()),
    ]
)


def is_zero(embedding: str) -> Column:
    """Whether all numbers of a vector are 0: it has no direction."""
    return F.forall(embedding, lambda number: number == 0)


def is_too_large_for_half(embedding: str) -> Column:
    """Whether some number of a vector is beyond float16."""
    return F.exists(embedding, lambda number: F.abs(number) > LARGEST_HALF)


def count_and_dim(embeddings: DataFrame, *, spherical: bool, half: bool = False) -> tuple[int, int]:
    """Number of vectors and their length; runs a job.

    Raises:
        InputError: there are none, one is null, they differ in length, one is zero where ``spherical``, or beyond
            float16 where ``half``.
    """
    size = F.size(Col.embedding)
    zero = _first_item(is_zero(Col.embedding)) if spherical else F.lit(None)
    # Vectors that are brought to unit length fit, whatever they were.
    large = _first_item(is_too_large_for_half(Col.embedding)) if half and not spherical else F.lit(None)
    there = F.count(Col.item_id), F.count(Col.embedding)
    found = embeddings.agg(F.count("*"), *there, F.min(size), F.max(size), zero, large).collect()[0]  # one row
    count, n_ids, n_vectors, shortest, longest, zero_id, large_id = found
    if not count:
        raise NoVectorsError("there are no embeddings to cluster: check the source and what became of it in rejects")
    for name, n_there in ((Col.item_id, n_ids), (Col.embedding, n_vectors)):
        if n_there < count:
            raise InputError(f"{name} is null in {count - n_there:,} of {count:,} rows: leave them out")
    if shortest != longest or shortest < 1:
        raise InputError(
            f"vectors of {shortest} and of {longest} numbers cannot be clustered together: make them one length"
        )
    if zero_id is not None:
        raise InputError(f"the vector of item {zero_id} is zero and has no direction; cosine needs it left out")
    if large_id is not None:
        raise InputError(
            f"the vector of item {large_id} holds a number beyond {LARGEST_HALF:.0f}, the largest of float16: "
            "drop half, or scale the vectors"
        )
    return count, longest


def _first_item(condition: Column) -> Column:
    return F.min(F.when(condition, F.col(Col.item_id)))


def rows_per_block(dim: int) -> int:
    """Rows of a block that is full."""
    return max(1, min(ROWS_PER_BLOCK, BYTES_PER_BLOCK // (4 * dim + 8)))


def even_rows(count: int, dim: int, partitions: int) -> int:
    """Rows of a block such that all partitions of ``count`` vectors hold as many blocks, none too large."""
    most = rows_per_block(dim)
    in_partition = -(-count // partitions)
    return -(-in_partition // -(-in_partition // most))


def blocks(embeddings: DataFrame, *, partitions: int, dim: int, spherical: bool, half: bool = False) -> DataFrame:
    """Embeddings (item_id, embedding) packed into blocks, the same ones on any number of cores.

    ``spherical`` brings the vectors to unit length; ``half`` stores float16.
    """
    n_rows, dtype = rows_per_block(dim), np.float16 if half else np.float32

    def packed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        last = np.empty(0, np.int64)
        for block in _rebatched(batches, n_rows=n_rows, dim=dim):
            _check(block, last)
            last = block.item_ids[-1:]
            vectors = unit_length(block.vectors) if spherical else block.vectors
            stored = pack(Block(block.item_ids, vectors.astype(dtype)))
            yield pa.RecordBatch.from_arrays([pa.array([stored], pa.binary())], [BLOCK])

    spread = embeddings.select(Col.item_id, Col.embedding).repartition(partitions, Col.item_id)
    return spread.sortWithinPartitions(Col.item_id).mapInArrow(packed, BLOCK_SCHEMA)


def _check(block: Block, last: Ids) -> None:
    """Refuses, in the worker, what only a caller from Python can bring: ids come sorted, ``last`` is the one before."""
    ids = np.concatenate([last, block.item_ids])
    doubled = ids[1:][ids[1:] == ids[:-1]]
    if len(doubled):
        raise InputError(f"item {doubled[0]} is there more than once: each item has one vector")
    check_numbers(block.vectors, block.item_ids)


def _rebatched(batches: Iterator[pa.RecordBatch], *, n_rows: int, dim: int) -> Iterator[Block]:
    """Blocks of exactly ``n_rows`` rows (the last one shorter), whatever size the batches come in."""
    waiting: list[Block] = []
    n_waiting = 0
    for batch in batches:
        vectors = batch.column(1).flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
        waiting.append(Block(batch.column(0).to_numpy(), vectors.reshape(-1, dim)))
        n_waiting += batch.num_rows
        while n_waiting >= n_rows:
            joined = concatenated(waiting)
            yield Block(joined.item_ids[:n_rows], joined.vectors[:n_rows])
            waiting = [Block(joined.item_ids[n_rows:], joined.vectors[n_rows:])]
            n_waiting -= n_rows
    if n_waiting:
        yield concatenated(waiting)


def concatenated(parts: list[Block]) -> Block:
    """One block of several."""
    if len(parts) == 1:
        return parts[0]
    return Block(np.concatenate([part.item_ids for part in parts]), np.concatenate([part.vectors for part in parts]))


def packed_arrays(item_ids: Ids, vectors: Floats, *, partitions: int) -> list[bytes]:
    """Arrays as a list of packed blocks, to be spread over so many partitions."""
    count, dim = vectors.shape
    return list(packed_rows(item_ids, vectors, rows=even_rows(count, dim, partitions)))


def packed_rows(item_ids: Ids, vectors: NDArray[np.floating[Any]], *, rows: int) -> Iterator[bytes]:
    """Arrays as packed blocks of so many rows, the last one of what is left."""
    for start in range(0, len(item_ids), rows):
        yield pack(Block(item_ids[start : start + rows], vectors[start : start + rows]))


def arrays_frame(
    spark: SparkSession, columns: Mapping[str, NDArray[Any] | pa.Array], schema: t.StructType
) -> DataFrame:
    """Columns on the driver, (n,) or (n, d) for vectors, as a DataFrame; they travel as Arrow batches, not as rows."""
    n_rows = len(columns[schema.names[0]])
    rows = max(1, min(ROWS_PER_BLOCK, *(BYTES_PER_BLOCK // _row_bytes(column) for column in columns.values())))
    batches = (
        pa.RecordBatch.from_arrays([_arrow(columns[name][start : start + rows]) for name in schema.names], schema.names)
        for start in range(0, n_rows, rows)
    )
    streams = [as_stream(batch) for batch in batches]
    n_tasks = -(-sum(map(len, streams)) // BYTES_PER_TASK)
    return rows_frame(spark, spark.sparkContext.parallelize(streams, max(1, n_tasks)), schema)


def vectors_frame(spark: SparkSession, item_ids: Ids, vectors: Floats) -> DataFrame:
    """Vectors on the driver as a DataFrame (item_id, embedding)."""
    return arrays_frame(spark, {Col.item_id: item_ids, Col.embedding: vectors}, VECTOR_SCHEMA)


def assignments_frame(spark: SparkSession, labelled: Assignments) -> DataFrame:
    """Labels on the driver as a DataFrame (item_id, cluster_id, distance_sq)."""
    return arrays_frame(spark, dict(zip(ASSIGNED.names, labelled, strict=True)), ASSIGNED)


def _row_bytes(column: NDArray[Any] | pa.Array) -> int:
    return column[:1].nbytes or 1


def _arrow(column: NDArray[Any] | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array) or column.ndim == 1:
        return pa.array(column)
    numbers = pa.array(np.ascontiguousarray(column).ravel())
    return pa.FixedSizeListArray.from_arrays(numbers, column.shape[1]).cast(pa.list_(numbers.type))


def assignments_batch(labelled: Assignments) -> pa.RecordBatch:
    """Labels as a batch of rows (item_id, cluster_id, distance_sq)."""
    return pa.RecordBatch.from_arrays([pa.array(column) for column in labelled], ASSIGNED.names)


def assignments_arrays(labelled: DataFrame) -> Assignments:
    """The same back on the driver, in the order of the ids; for as many rows as a level has clusters."""
    rows = labelled.toPandas().sort_values(Col.item_id)
    return Assignments(*(rows[name].to_numpy() for name in ASSIGNED.names))
