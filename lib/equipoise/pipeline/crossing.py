"""Bytes between DataFrames and RDDs: they cross as they are, with no Python process that takes rows apart."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark import RDD
from pyspark.serializers import NoOpSerializer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as t

BLOCK = "block"
BLOCK_SCHEMA = t.StructType([t.StructField(BLOCK, t.BinaryType())])


def bytes_of(blocks: DataFrame) -> "RDD[bytes]":
    """The values of a frame whose only column is BINARY, none of them null."""
    spark = blocks.sparkSession
    values = getattr(blocks._jdf, "as")(_encoder(spark)).toJavaRDD()
    return RDD(values, spark.sparkContext, NoOpSerializer())


def rows_frame(spark: SparkSession, streams: "RDD[bytes]", schema: t.StructType) -> DataFrame:
    """The rows of Arrow streams, as :func:`as_stream` makes them, computed when they are used."""
    values = streams._reserialize(NoOpSerializer())._jrdd.rdd()
    packed = DataFrame(spark._jsparkSession.createDataset(values, _encoder(spark)).toDF(), spark)
    return packed.mapInArrow(_from_streams, schema)


def as_stream(batch: pa.RecordBatch) -> bytes:
    """A batch as the bytes of an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _from_streams(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for packed in batch.column(0):
            yield from pa.ipc.open_stream(packed.as_buffer())


def _encoder(spark: SparkSession) -> Any:
    jvm: Any = spark.sparkContext._jvm
    return jvm.org.apache.spark.sql.Encoders.BINARY()
