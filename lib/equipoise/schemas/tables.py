"""Every table of a workspace: its columns, key, partitioning and one-line meaning."""

from dataclasses import dataclass

from pyspark.sql import types as t

from equipoise.schemas.columns import Col


@dataclass(frozen=True)
class Table:
    """One table: ``key`` columns identify a row, ``partitions`` are those that writes replace by."""

    name: str
    meaning: str
    schema: t.StructType
    key: tuple[str, ...]
    partitions: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Column names in the order of the schema."""
        return self.schema.fieldNames()


def _schema(**fields: t.DataType) -> t.StructType:
    return t.StructType([t.StructField(name, kind) for name, kind in fields.items()])


_LONG, _INT, _TEXT, _DOUBLE, _FLOAT = (
    t.LongType(),
    t.IntegerType(),
    t.StringType(),
    t.DoubleType(),
    t.FloatType(),
)
_BINARY, _TIME, _BOOLEAN = t.BinaryType(), t.TimestampType(), t.BooleanType()
_VECTOR = t.ArrayType(
    _FLOAT
)  # as SQL and Parquet have it: Spark casts no array that may hold nulls to one that may not

POOL = Table(
    "pool",
    "every item that was ever ingested, by reference unless its source says inline",
    _schema(
        item_id=_LONG,
        source=_TEXT,
        key=_TEXT,
        uri=_TEXT,
        content_hash=_TEXT,
        modified_at=_TIME,
        content=_BINARY,
        label=_TEXT,
        width=_INT,
        height=_INT,
        bytes=_LONG,
        attributes=t.MapType(_TEXT, _TEXT),
    ),
    key=(Col.item_id,),
)
REJECTS = Table(
    "rejects",
    "items that a stage could not use, with the reason",
    _schema(run_id=_TEXT, item_id=_LONG, stage=_TEXT, key=_TEXT, uri=_TEXT, reason=_TEXT, detail=_TEXT),
    key=(Col.run_id, Col.item_id, Col.stage),
    partitions=(Col.run_id,),
)
EMBEDDINGS = Table(
    "embeddings",
    "one vector an item and encoder",
    _schema(encoder_id=_TEXT, item_id=_LONG, embedding=_VECTOR),
    key=(Col.encoder_id, Col.item_id),
    partitions=(Col.encoder_id,),
)
CENTROIDS = Table(
    "centroids",
    "the cluster tree: one row a cluster and level",
    _schema(
        run_id=_TEXT,
        level=_INT,
        cluster_id=_LONG,
        parent_id=_LONG,
        centroid=_VECTOR,
        n_children=_LONG,
        n_items=_LONG,
        mean_distance_sq=_DOUBLE,
    ),
    key=(Col.run_id, Col.level, Col.cluster_id),
    partitions=(Col.run_id,),
)
ASSIGNMENTS = Table(
    "assignments",
    "the level-1 cluster of every item",
    _schema(run_id=_TEXT, item_id=_LONG, cluster_id=_LONG, distance_sq=_FLOAT),
    key=(Col.run_id, Col.item_id),
    partitions=(Col.run_id,),
)
CURATED = Table(
    "curated",
    "the selections: what to train on, with the number of copies",
    _schema(run_id=_TEXT, selection=_TEXT, item_id=_LONG, copies=_INT, cluster_id=_LONG, origin=_TEXT),
    key=(Col.run_id, Col.selection, Col.item_id),
    partitions=(Col.run_id,),
)
ITERATIONS = Table(
    "iterations",
    "the k-means iterations, one row each",
    _schema(
        run_id=_TEXT,
        level=_INT,
        resampling=_INT,
        iteration=_INT,
        objective=_DOUBLE,
        n_empty=_LONG,
        seconds=_DOUBLE,
    ),
    key=(Col.run_id, Col.level, Col.resampling, Col.iteration),
    partitions=(Col.run_id,),
)
METRICS = Table(
    "metrics",
    "measurements of pools and selections",
    _schema(run_id=_TEXT, selection=_TEXT, name=_TEXT, group=_TEXT, value=_DOUBLE),
    key=(Col.run_id, Col.selection, Col.name, Col.group),
    partitions=(Col.run_id,),
)
FAILURES = Table(
    "failures",
    "the worst retrievals of a model on a benchmark, by the distance of query and correct item",
    _schema(
        run_id=_TEXT,
        selection=_TEXT,
        group=_TEXT,
        rank=_INT,
        query_id=_TEXT,
        predicted_id=_TEXT,
        correct_id=_TEXT,
        predicted_distance=_DOUBLE,
        correct_distance=_DOUBLE,
        query_shown=_TEXT,
        predicted_shown=_TEXT,
        correct_shown=_TEXT,
    ),
    key=(Col.run_id, Col.selection, Col.group, Col.rank),
    partitions=(Col.run_id,),
)
CHECKPOINTS = Table(
    "checkpoints",
    "the state of a level that is being built",
    _schema(run_id=_TEXT, stage=_TEXT, key=_TEXT, state=_BINARY),
    key=(Col.run_id, Col.stage, Col.key),
    partitions=(Col.run_id,),
)
RUNS = Table(
    "runs",
    "what happened: append-only events, the newest row of a run_id and stage is its state",
    _schema(
        run_id=_TEXT,
        stage=_TEXT,
        status=_TEXT,
        config=_TEXT,
        fingerprint=_TEXT,
        seed=_LONG,
        input_versions=t.MapType(_TEXT, _LONG),
        code_version=_TEXT,
        application_id=_TEXT,
        at=_TIME,
        n_in=_LONG,
        n_out=_LONG,
        n_rejected=_LONG,
        n_dropped=_LONG,
        n_partitions=_LONG,
        drops=t.MapType(_TEXT, _LONG),
    ),
    key=(Col.run_id, Col.stage, Col.at),
)
