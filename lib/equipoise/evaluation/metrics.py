"""From counts to rows of the table ``metrics``: selection, name, group, value."""

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.evaluation.balance import measures
from equipoise.evaluation.class_fit import class_fit
from equipoise.evaluation.clusters import largest, size_histograms
from equipoise.evaluation.fairness import selection_gaps, selection_rates
from equipoise.evaluation.names import (
    CLUSTER_SHARE,
    CLUSTER_SHARE_RATIO,
    LARGEST_SHARE,
    LARGEST_SHARE_POOL,
    MEAN_CLUSTER_SIZE,
    N_ITEMS,
    N_SHRUNK,
    SELECTION_RATE,
    SELECTION_RATE_GAP,
    SHRUNK_SHARE,
    SHRUNK_SHARE_POOL,
)
from equipoise.schemas import POOL_NAME, Col

CLASS = "class"
OWN_CLASS = "own_class"
"""The classes as a method's own clusters have them, where methods are compared in the clusters of one of them."""
MOST_GROUPS = 1000
"""Classes or other groups, the largest of each grouping, that get rows of their own."""
COLUMNS = [Col.selection, Col.name, Col.group, Col.value]


def is_single() -> Column:
    """Whether a row of metrics is about one class or cluster, like ``class=zebra``: there may be thousands."""
    return F.col(Col.group).contains("=")


def balance_metrics(histograms: pd.DataFrame) -> pd.DataFrame:
    """Measure every set of clusters or classes.

    Args:
        histograms: selection, group (what the sizes are of), n_items, n_groups: how many have each size.

    Returns:
        selection, name, group, value float64: all of :func:`equipoise.evaluation.balance.measures` and ``n_items``; the
        latter alone where a selection has no items there.
    """
    rows = []
    for (selection, group), found in histograms.groupby([Col.selection, Col.group]):
        sizes, weights = found[Col.n_items].to_numpy(float), found[Col.n_groups].to_numpy(float)
        values = {N_ITEMS: float(sizes @ weights)}
        values |= measures(sizes, weights) if values[N_ITEMS] else {}
        rows += [(selection, name, group, value) for name, value in values.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def cluster_metrics(sizes: DataFrame, shrunk: DataFrame, *, n: int = MOST_GROUPS) -> pd.DataFrame:
    """Measure the clusters of every level, and what became of the largest. Runs Spark jobs.

    Args:
        sizes: what :func:`equipoise.evaluation.clusters.cluster_sizes` returned, persisted.
        shrunk: what :func:`equipoise.evaluation.clusters.shrunk` made of it.
        n: clusters of a level that get rows of their own, the largest of the pool.

    Returns:
        selection, name, group, value. For ``level_1``, ...: see :func:`balance_metrics`; ``largest_share_pool`` and
        ``largest_share``, the shares of the pool's and of the selection's items in the clusters of ``shrunk``;
        ``n_shrunk``, how many of these have a smaller share in the selection, and ``shrunk_share_pool`` and
        ``shrunk_share``, the shares in those. For ``level_1=17``, ...: ``cluster_share`` of the pool and of the
        selection, and ``cluster_share_ratio``, the second over the first.
    """
    group = F.concat(F.lit(f"{Col.level}_"), F.col(Col.level)).alias(Col.group)
    # As many rows as there are different sizes: the root of twice the items, for each level and selection.
    histograms = size_histograms(sizes).select(Col.selection, group, Col.n_items, Col.n_groups).toPandas()
    few = shrunk.where(F.col(Col.rank) <= n).select(
        Col.selection,
        F.concat_ws("=", group, Col.cluster_id).alias(Col.group),
        Col.share_pool,
        F.col(Col.share_curated).alias(CLUSTER_SHARE),
        F.col(Col.ratio).alias(CLUSTER_SHARE_RATIO),
    )
    each = few.toPandas()  # n rows a level and selection
    # Every selection has a row for every cluster, and the pool's share in it.
    of_pool = each.drop_duplicates(Col.group)[[Col.group, Col.share_pool]]
    of_pool.insert(0, Col.selection, POOL_NAME)
    return pd.concat(
        [
            balance_metrics(histograms),
            _melted(_largest_shares(shrunk, group).toPandas()),  # a row a selection and level
            _melted(of_pool.rename(columns={Col.share_pool: CLUSTER_SHARE})),
            _melted(each.drop(columns=Col.share_pool)),
        ]
    )


def group_metrics(sizes: DataFrame, *, n: int = MOST_GROUPS) -> pd.DataFrame:
    """Measure classes and other groups. Runs Spark jobs.

    Args:
        sizes: what :func:`equipoise.evaluation.groups.group_sizes` returned, persisted.
        n: groups of a grouping that get rows of their own, those with the most items in the pool.

    Returns:
        selection, name, group, value: of each grouping, say ``class``, see :func:`balance_metrics`, and
        ``selection_rate_gap``; of each group, ``class=zebra``, ``n_items`` and ``selection_rate``.
    """
    histograms = size_histograms(sizes, by=Col.name).withColumnRenamed(Col.name, Col.group)
    gaps = selection_gaps(selection_rates(sizes)).select(
        Col.selection, F.lit(SELECTION_RATE_GAP).alias(Col.name), F.col(Col.name).alias(Col.group), Col.value
    )
    few = largest(sizes, n, by=Col.name, tie=Col.group)
    counts = few.select(Col.selection, _named(N_ITEMS), _group(), F.col(Col.n_curated).cast("double").alias(Col.value))
    # Every selection has a row for every group, and the pool's count in it.
    pool = few.groupBy(Col.name, Col.group).agg(F.max(Col.n_pool).cast("double").alias(Col.value))
    pool_counts = pool.select(F.lit(POOL_NAME).alias(Col.selection), _named(N_ITEMS), _group(), Col.value)
    rates = selection_rates(few).select(Col.selection, _named(SELECTION_RATE), _group(), Col.value)
    rows = gaps.unionByName(counts).unionByName(pool_counts).unionByName(rates)
    return pd.concat([balance_metrics(histograms.toPandas()), rows.toPandas()])  # some n rows a grouping and selection


def class_metrics(classes: pd.DataFrame, *, group: str = CLASS, n: int = MOST_GROUPS) -> pd.DataFrame:
    """Say how clusters share a class out.

    Args:
        classes: selection, label, n_clusters, n_items, as :func:`equipoise.evaluation.labelled.class_clusters` has
            them: bounded by the labelled set.
        group: of the rows.
        n: classes of a selection that get rows of their own, the largest.

    Returns:
        selection, name, group, value. For ``class``: all of :func:`equipoise.evaluation.class_fit.class_fit`, over all
        classes. For ``class=zebra``, ...: ``n_clusters``, and ``mean_cluster_size`` where there are any.
    """
    fits = [
        (selection, name, group, value)
        for selection, rows in classes.groupby(Col.selection)
        for name, value in class_fit(rows[Col.n_items], rows[Col.n_clusters]).items()
    ]
    few = _largest_classes(classes, n)
    few = few.assign(**{Col.group: f"{group}=" + few[Col.label]})
    few[MEAN_CLUSTER_SIZE] = few[Col.n_items] / few[Col.n_clusters]
    long = few.melt([Col.selection, Col.group], [Col.n_clusters, MEAN_CLUSTER_SIZE], Col.name, Col.value)
    return pd.concat([pd.DataFrame(fits, columns=COLUMNS).astype({Col.value: float}), long.dropna()[COLUMNS]])


def _largest_classes(classes: pd.DataFrame, n: int) -> pd.DataFrame:
    """The rows of the n classes that are largest in the pool or, where that is not there, in any one selection."""
    is_pool = classes[Col.selection] == POOL_NAME
    sized = (
        classes[is_pool] if is_pool.any() else classes.sort_values(Col.n_items).drop_duplicates(Col.label, keep="last")
    )
    first = sized.sort_values([Col.n_items, Col.label], ascending=[False, True])[Col.label].head(n)
    return classes[classes[Col.label].isin(first)]


def _largest_shares(shrunk: DataFrame, group: Column) -> DataFrame:
    has_shrunk = F.col(Col.ratio) < 1
    pool, curated = (F.coalesce(F.col(share), F.lit(0.0)) for share in (Col.share_pool, Col.share_curated))
    return shrunk.groupBy(Col.selection, group).agg(
        F.sum(pool).alias(LARGEST_SHARE_POOL),
        F.sum(curated).alias(LARGEST_SHARE),
        F.count_if(has_shrunk).cast("double").alias(N_SHRUNK),
        F.sum(F.when(has_shrunk, pool).otherwise(0.0)).alias(SHRUNK_SHARE_POOL),
        F.sum(F.when(has_shrunk, curated).otherwise(0.0)).alias(SHRUNK_SHARE),
    )


def _melted(wide: pd.DataFrame) -> pd.DataFrame:
    return wide.melt([Col.selection, Col.group], var_name=Col.name, value_name=Col.value).dropna()[COLUMNS]


def _named(name: str) -> Column:
    return F.lit(name).alias(Col.name)


def _group() -> Column:
    return F.concat_ws("=", Col.name, Col.group).alias(Col.group)
