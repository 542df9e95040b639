"""What a selection is made by, checked before any work."""

from dataclasses import dataclass

from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.errors import ConfigError
from equipoise.schemas import CENTROIDS, Col

METHODS = ("flat", "hierarchical")
WITHIN = ("random", "closest", "farthest")
PREDICATE_COLUMNS = (
    Col.level, Col.cluster_id, Col.parent_id, Col.n_children, Col.n_items, Col.mean_distance_sq,
)  # fmt: skip


@dataclass(frozen=True)
class Rule:
    """How a selection is made.

    Attributes:
        method: ``hierarchical`` shares the target down the tree, level by level, and takes items inside
            level-1 clusters; ``flat`` shares it over the clusters of one level, and takes items anywhere inside these.
        within: which items of a cluster come first: ``random``, ``closest`` to the centroid or ``farthest``.
        target: items to select, copies counted; above what is ``available``, everything is selected.
        per_cluster: instead of a target, at most this many from each level-1 (flat: top-level, or ``level``) cluster.
        max_copies: how often an item may be selected, where its cluster is smaller than its share.
        where: SQL predicate on cluster rows of all levels, as they stand in ``clusters`` (so n_items is the
            size before any exclusion). As with SQL's WHERE, rows for which it is true are kept; where it is
            false or null, the cluster goes with all below it. For one level: ``level <> 1 or n_items >= 10``.
        level: of ``flat``: whose clusters share, the top by default.

    Raises:
        ConfigError: one outside of what is said above.
    """

    method: str = "hierarchical"
    within: str = "random"
    target: int | None = None
    per_cluster: int | None = None
    max_copies: int = 1
    where: str | None = None
    level: int | None = None

    def __post_init__(self) -> None:
        for key, value, choices in (("method", self.method, METHODS), ("within", self.within, WITHIN)):
            if value not in choices:
                raise ConfigError(f"{key} is {value!r}; it must be one of {', '.join(choices)}")
        if (self.target is None) == (self.per_cluster is None):
            raise ConfigError(
                f"target is {self.target} and per_cluster is {self.per_cluster}: give exactly one of them"
            )
        check_at_least_one(
            target=self.target, per_cluster=self.per_cluster, max_copies=self.max_copies, level=self.level
        )
        if self.level is not None and self.method != "flat":
            raise ConfigError(f"level is {self.level} and method {self.method!r}: only flat has one; drop it")

    def lowest(self, levels: int) -> int:
        """The level that the sharing ends at.

        Raises:
            ConfigError: the tree is not as high as the rule says.
        """
        if self.level is not None and self.level > levels:
            raise ConfigError(f"level is {self.level} and the tree has {levels}: lower it, or drop it for the top")
        return (self.level or levels) if self.method == "flat" else 1


def check_at_least_one(**values: int | None) -> None:
    """Raises ConfigError for a value, by its key, that is there and below 1."""
    for key, value in values.items():
        if value is not None and value < 1:
            raise ConfigError(f"{key} is {value}; it must be at least 1")


def check_where(spark: SparkSession, where: str) -> None:
    """Check that ``where`` is a predicate on cluster rows, before any work.

    Args:
        spark: the session that parses it.
        where: SQL on the columns level, cluster_id, parent_id, n_children, n_items, mean_distance_sq.

    Raises:
        ConfigError: no SQL, an unknown column, not a boolean, or not deterministic.
    """
    fields = [CENTROIDS.schema[name] for name in PREDICATE_COLUMNS]
    try:
        clusters = spark.createDataFrame([], t.StructType(fields)).where(where)
        # Aggregates refuse what is not deterministic, filters do not; .schema has Spark Connect look now.
        _ = clusters.agg(F.max(F.expr(where).cast("int"))).schema
    except (AnalysisException, ParseException) as error:
        lines = [line.strip() for line in str(error).splitlines()]
        said = next((line for line in lines if line), type(error).__name__).split(" SQLSTATE")[0]
        raise ConfigError(
            f"where is {where!r}, which Spark refuses: {said} It must be a deterministic SQL condition on "
            f"{', '.join(PREDICATE_COLUMNS)}; clusters for which it is true are kept"
        ) from error
