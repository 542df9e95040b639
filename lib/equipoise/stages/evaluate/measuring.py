"""Selections and a cluster tree -> rows of the table ``metrics``: for one run, or for methods beside each other."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import reduce

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from equipoise.errors import InputError, nearest
from equipoise.evaluation.clusters import ancestors, cluster_sizes, shrunk
from equipoise.evaluation.groups import group_sizes
from equipoise.evaluation.labelled import Labelled, class_clusters, labelled_clusters
from equipoise.evaluation.metrics import CLASS, class_metrics, cluster_metrics, group_metrics
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.sampling import count_levels, random_items
from equipoise.schemas import Col
from equipoise.stages.evaluate.section import Evaluate

LABEL, SOURCE = Col.label, Col.source
_NODE = "node"
_SHOWN = 20


@dataclass(frozen=True)
class Measured:
    """What is measured: ``items`` (item_id, cluster_id, label, attributes), ``tree`` (rows of centroids).

    ``selected``: selection, item_id, cluster_id (level 1 of the tree), copies; any number of selections, of which
    ``names`` has all, also those without rows. ``is_spherical``: clusters and labelled sets are compared by cosine.
    ``voters`` give clusters their classes, where there is a labelled set.
    """

    items: DataFrame
    tree: DataFrame
    selected: DataFrame
    names: Sequence[str]
    is_spherical: bool
    voters: Labelled | None = None


def metrics_of(measured: Measured, section: Evaluate) -> pd.DataFrame:
    """Rows of ``metrics`` without the run: selection, name, group, value. Runs Spark jobs.

    Raises:
        InputError: a group that no item has, or a labelled set that does not fit.
    """
    with ExitStack() as stack:
        clusters = stack.enter_context(persisted(measured.tree.drop(Col.centroid)))
        levels = count_levels(clusters)
        counted = cluster_sizes(clusters, measured.selected, levels=levels, selections=measured.names)
        sizes = stack.enter_context(persisted(counted))
        found = [cluster_metrics(sizes, shrunk(sizes, section.top))]
        items = measured.items
        if section.labelled and measured.voters:
            level = section.labelled.level or levels
            labels = stack.enter_context(_classes(measured, measured.voters, level))
            classes = class_clusters(sizes.where(F.col(Col.level) == level), labels)
            found.append(class_metrics(classes.toPandas()))  # a row a set and class of the labelled set
            items = _with_class(items, clusters, labels, level=level)
        groups = _groupings(items, section)
        if groups:
            by_group = group_sizes(items, measured.selected, groups=groups, selections=measured.names)
            found.append(group_metrics(stack.enter_context(persisted(by_group))))
    return pd.concat(found, ignore_index=True)


def items_of(pool: DataFrame, assignments: DataFrame) -> DataFrame:
    """The clustered items with what groups them: item_id, cluster_id, label, attributes, source."""
    known = pool.select(Col.item_id, Col.label, Col.attributes, Col.source)
    return assignments.select(Col.item_id, Col.cluster_id).join(known, Col.item_id, "inner")


def random_selections(assignments: DataFrame, names_by_size: Mapping[int, Sequence[str]], seed: int) -> list[DataFrame]:
    """For every size so many random items, under each of the names: rows as in :class:`Measured`."""
    return [
        random_items(assignments, size, seed)
        .join(assignments, Col.item_id, "inner")
        .select(
            F.explode(F.array(*(F.lit(name) for name in names))).alias(Col.selection),
            Col.item_id,
            Col.cluster_id,
            F.lit(1).alias(Col.copies),
        )
        for size, names in names_by_size.items()
    ]


def stacked(selections: Sequence[DataFrame]) -> DataFrame:
    """The rows of several frames of selections."""
    columns = (Col.selection, Col.item_id, Col.cluster_id, Col.copies)
    return reduce(DataFrame.unionByName, [rows.select(*columns) for rows in selections])


@contextmanager
def _classes(measured: Measured, voters: Labelled, level: int) -> Iterator[DataFrame]:
    centroids = measured.tree.where(F.col(Col.level) == level)
    with labelled_clusters(centroids, voters, spherical=measured.is_spherical) as labels, persisted(labels) as kept:
        yield kept


def _with_class(items: DataFrame, clusters: DataFrame, labels: DataFrame, *, level: int) -> DataFrame:
    """The items with the label of the cluster of that level which they lie in, in the place of their own."""
    levels = range(1, level + 1)
    nodes = ancestors(clusters, levels=len(levels)).select(Col.cluster_id, F.element_at(Col.path, level).alias(_NODE))
    voted = labels.select(F.col(Col.cluster_id).alias(_NODE), Col.label)
    of_cluster = nodes.join(voted, _NODE, "inner").select(Col.cluster_id, Col.label)
    return items.drop(Col.label).join(of_cluster, Col.cluster_id, "left")


def _groupings(items: DataFrame, section: Evaluate) -> dict[str, Column]:
    """Name and column of every grouping; classes where items have labels.

    Raises:
        InputError: no item has the attribute.
    """
    has_labels = not items.where(F.col(Col.label).isNotNull()).isEmpty()
    groups = {CLASS: F.col(Col.label)} if has_labels else {}
    for name in section.groups:
        if name == LABEL:
            continue
        if name == SOURCE:
            groups[name] = F.col(Col.source)
            continue
        value = F.try_element_at(Col.attributes, F.lit(name))
        if items.where(value.isNotNull()).isEmpty():
            raise InputError(f"evaluate.groups: no item of the pool has the attribute {name!r}; {_known(items, name)}")
        groups[name] = value
    if LABEL in section.groups and not has_labels:
        raise InputError("evaluate.groups: no item of the pool has a label: drop 'label', or ingest the items with one")
    return groups


def _known(items: DataFrame, name: str) -> str:
    given = F.map_filter(Col.attributes, lambda _, value: value.isNotNull())
    keys = items.select(F.explode(F.map_keys(given)).alias(Col.key)).distinct().orderBy(Col.key)
    names = [row[Col.key] for row in keys.limit(_SHOWN).collect()]  # twenty
    return (
        nearest(name, names)
        if names
        else "items have none: `source` and `label` work without; `attributes` of a source keeps columns"
    )
