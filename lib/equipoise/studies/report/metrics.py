"""What a report shows of the table ``metrics``: its first measures, and the classes that a labelled set gave."""

from collections.abc import Sequence
from itertools import groupby

import pandas as pd
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from equipoise.evaluation.metrics import CLASS, is_single
from equipoise.evaluation.names import MEAN_CLUSTER_SIZE
from equipoise.report.measurements import Metric, Metrics, VotedClasses
from equipoise.report.thumbnails import snippet
from equipoise.runs.tables import RunTables
from equipoise.schemas import METRICS, POOL_NAME, Col

MOST_METRICS = 200
_IS_SINGLE = "is_single"


def read_metrics(run: RunTables) -> Metrics:
    """The first measures by group and name, those of whole levels and groupings before those of single groups."""
    keys = [Col.group, Col.name]
    rows = _rows(run)
    measures = rows.select(is_single().alias(_IS_SINGLE), *keys).distinct()
    first = measures.orderBy(_IS_SINGLE, *keys).limit(MOST_METRICS).collect()  # the limit bounds it
    n = measures.count() if len(first) == MOST_METRICS else len(first)
    return Metrics(*_metrics(rows, first), n=n)


def read_voted_classes(run: RunTables, selections: Sequence[str]) -> VotedClasses | None:
    """The classes that ``evaluate.labelled`` gave to clusters, in the pool and the first selection; None without."""
    sets = [POOL_NAME, *selections[:1]]
    mine = run.rows(METRICS).filter(F.col(Col.selection).isin(sets))
    names = F.col(Col.name).isin(Col.n_clusters, MEAN_CLUSTER_SIZE)
    points = mine.filter(names & F.startswith(Col.group, F.lit(f"{CLASS}="))).toPandas()  # MOST_GROUPS classes a set
    if points.empty:
        return None
    whole = mine.filter(F.col(Col.group) == CLASS).collect()  # a row a set and measure
    measures = {name: {row[Col.name]: row[Col.value] for row in whole if row[Col.selection] == name} for name in sets}
    return VotedClasses({name: _points(points, name) for name in sets}, measures)


def _rows(run: RunTables) -> DataFrame:
    return run.rows(METRICS).withColumn(Col.group, F.coalesce(Col.group, F.lit("")))


def _metrics(metrics: DataFrame, first: Sequence[Row]) -> tuple[list[Metric], list[str]]:
    """All sets' values of the measures ``first``, and the names of the sets."""
    keys = [Col.group, Col.name]
    schema = f"{Col.group} string, {Col.name} string"
    wanted = metrics.sparkSession.createDataFrame([tuple(row[name] for name in keys) for row in first], schema)
    rows = metrics.join(F.broadcast(wanted), keys, "left_semi").collect()  # so many measures of a few sets
    names = sorted({row[Col.selection] for row in rows}, key=lambda name: (name != POOL_NAME, name))

    def key(row: Row) -> tuple[str, str]:
        return row[Col.group], row[Col.name]

    values = {
        found: {row[Col.selection]: row[Col.value] for row in same}
        for found, same in groupby(sorted(rows, key=key), key)
    }
    return [Metric(snippet(row[Col.group]), row[Col.name], values[key(row)]) for row in first], names


def _points(rows: pd.DataFrame, selection: str) -> pd.DataFrame:
    """One row a class that has items: n_items, n_clusters."""
    wide = rows[rows[Col.selection] == selection].pivot(index=Col.group, columns=Col.name, values=Col.value)
    wide = wide.reindex(columns=[Col.n_clusters, MEAN_CLUSTER_SIZE])
    found = wide.assign(**{Col.n_items: wide[Col.n_clusters] * wide[MEAN_CLUSTER_SIZE]})[[Col.n_items, Col.n_clusters]]
    return found[found[Col.n_items] > 0]
