"""The tables of a workspace and the names of their columns: code refers to these through :class:`Col`."""

from equipoise.schemas.columns import Col
from equipoise.schemas.tables import (
    ASSIGNMENTS,
    CENTROIDS,
    CHECKPOINTS,
    CURATED,
    EMBEDDINGS,
    FAILURES,
    ITERATIONS,
    METRICS,
    POOL,
    REJECTS,
    RUNS,
    Table,
)

__all__ = [
    "ASSIGNMENTS",
    "CENTROIDS",
    "CHECKPOINTS",
    "CURATED",
    "EMBEDDINGS",
    "FAILURES",
    "ITERATIONS",
    "METRICS",
    "POOL",
    "POOL_NAME",
    "REJECTS",
    "RUNS",
    "SCHEMA_VERSION",
    "TABLES",
    "Col",
    "Table",
]

SCHEMA_VERSION = 3
POOL_NAME = "pool"  # stands in the column `selection` of metrics for the whole pool: no selection may have this name
TABLES = {
    table.name: table
    for table in (
        POOL,
        REJECTS,
        EMBEDDINGS,
        CENTROIDS,
        ASSIGNMENTS,
        CURATED,
        ITERATIONS,
        METRICS,
        FAILURES,
        CHECKPOINTS,
        RUNS,
    )
}
