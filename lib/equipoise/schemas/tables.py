"""Every table of a workspace: its columns, key, partitioning and one-line meaning."""

from equipoise.schemas.columns import Col
from equipoise.schemas.table import Table

POOL = Table(
    "pool",
    "every item that was ever ingested, by reference unless its source says inline",
    {
        Col.item_id: "bigint",
        Col.source: "string",
        Col.key: "string",
        Col.uri: "string",
        Col.content_hash: "string",
        Col.modified_at: "timestamp",
        Col.content: "binary",
        Col.label: "string",
        Col.width: "int",
        Col.height: "int",
        Col.n_bytes: "bigint",
        Col.attributes: "map<string,string>",
    },
    key=(Col.item_id,),
    partitions=(Col.source,),
)
REJECTS = Table(
    "rejects",
    "items that a stage could not use, with the reason",
    {
        Col.run_id: "string",
        Col.item_id: "bigint",
        Col.stage: "string",
        Col.key: "string",
        Col.uri: "string",
        Col.reason: "string",
        Col.detail: "string",
    },
    key=(Col.run_id, Col.item_id, Col.stage),
    partitions=(Col.run_id, Col.stage),
)
EMBEDDINGS = Table(
    "embeddings",
    "one vector an item and encoder",
    {Col.encoder_id: "string", Col.source: "string", Col.item_id: "bigint", Col.embedding: "array<float>"},
    key=(Col.encoder_id, Col.item_id),
    partitions=(Col.encoder_id, Col.source),
)
DUPLICATE_EDGES = Table(
    "duplicate_edges",
    "pairs of items that are alike, each once, with their cosine",
    {
        Col.run_id: "string",
        Col.stage: "string",
        Col.encoder_id: "string",
        Col.kind: "string",
        Col.src: "bigint",
        Col.dst: "bigint",
        Col.similarity: "float",
    },
    key=(Col.run_id, Col.stage, Col.encoder_id, Col.kind, Col.src, Col.dst),
    partitions=(Col.run_id, Col.stage),
)
DUPLICATES = Table(
    "duplicates",
    "the items that have duplicates: which stay, which do not go on, and what those duplicate",
    {
        Col.run_id: "string",
        Col.stage: "string",
        Col.item_id: "bigint",
        Col.component_id: "bigint",
        Col.is_kept: "boolean",
        Col.kept_id: "bigint",
        Col.similarity: "float",
        Col.method: "string",
    },
    key=(Col.run_id, Col.stage, Col.item_id),
    partitions=(Col.run_id, Col.stage, Col.is_kept),
)
CENTROIDS = Table(
    "centroids",
    "the cluster tree: one row a cluster and level",
    {
        Col.run_id: "string",
        Col.level: "int",
        Col.cluster_id: "bigint",
        Col.parent_id: "bigint",
        Col.centroid: "array<float>",
        Col.n_children: "bigint",
        Col.n_items: "bigint",
        Col.mean_distance_sq: "double",
    },
    key=(Col.run_id, Col.level, Col.cluster_id),
    partitions=(Col.run_id, Col.level),
)
ASSIGNMENTS = Table(
    "assignments",
    "the level-1 cluster of every item",
    {Col.run_id: "string", Col.item_id: "bigint", Col.cluster_id: "bigint", Col.distance_sq: "float"},
    key=(Col.run_id, Col.item_id),
    partitions=(Col.run_id,),
)
CURATED = Table(
    "curated",
    "the selections: what to train on, with the number of copies",
    {
        Col.run_id: "string",
        Col.selection: "string",
        Col.item_id: "bigint",
        Col.copies: "int",
        Col.cluster_id: "bigint",
        Col.origin: "string",
    },
    key=(Col.run_id, Col.selection, Col.item_id),
    partitions=(Col.run_id, Col.selection),
)
ITERATIONS = Table(
    "iterations",
    "the k-means iterations, one row each",
    {
        Col.run_id: "string",
        Col.level: "int",
        Col.resampling: "int",
        Col.iteration: "int",
        Col.objective: "double",
        Col.n_empty: "bigint",
        Col.seconds: "double",
    },
    key=(Col.run_id, Col.level, Col.resampling, Col.iteration),
    partitions=(Col.run_id,),
)
METRICS = Table(
    "metrics",
    "measurements of pools and selections",
    {
        Col.run_id: "string",
        Col.stage: "string",
        Col.selection: "string",
        Col.name: "string",
        Col.group: "string",
        Col.value: "double",
    },
    key=(Col.run_id, Col.stage, Col.selection, Col.name, Col.group),
    partitions=(Col.run_id, Col.stage),
)
FAILURES = Table(
    "failures",
    "the worst retrievals of a model on a benchmark, by the distance of query and correct item",
    {
        Col.run_id: "string",
        Col.selection: "string",
        Col.group: "string",
        Col.rank: "int",
        Col.query_id: "string",
        Col.predicted_id: "string",
        Col.correct_id: "string",
        Col.predicted_distance: "double",
        Col.correct_distance: "double",
        Col.query_shown: "string",
        Col.predicted_shown: "string",
        Col.correct_shown: "string",
    },
    key=(Col.run_id, Col.selection, Col.group, Col.rank),
    partitions=(Col.run_id,),
)
CHECKPOINTS = Table(
    "checkpoints",
    "the state of a level that is being built",
    {Col.run_id: "string", Col.stage: "string", Col.key: "string", Col.state: "binary"},
    key=(Col.run_id, Col.stage, Col.key),
    partitions=(Col.run_id, Col.stage),
)
RUNS = Table(
    "runs",
    "what happened: append-only events, the newest row of a run_id and stage is its state",
    {
        Col.run_id: "string",
        Col.stage: "string",
        Col.status: "string",
        Col.config: "string",
        Col.fingerprint: "string",
        Col.seed: "bigint",
        Col.input_versions: "map<string,bigint>",
        Col.code_version: "string",
        Col.application_id: "string",
        Col.at: "timestamp",
        Col.n_in: "bigint",
        Col.n_out: "bigint",
        Col.n_rejected: "bigint",
        Col.n_dropped: "bigint",
        Col.n_partitions: "bigint",
        Col.drops: "map<string,bigint>",
        Col.n_items: "bigint",
        Col.stands_on: "array<string>",
        Col.made: "map<string,bigint>",
    },
    key=(Col.run_id, Col.stage, Col.at),
)
