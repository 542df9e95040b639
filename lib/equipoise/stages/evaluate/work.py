"""The pool and its selections -> rows of ``metrics``."""

from collections import defaultdict

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.pipeline.frames import persisted
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, METRICS, POOL, Col
from equipoise.stages.evaluate import Judged
from equipoise.stages.evaluate.labelled_set import read_labelled
from equipoise.stages.evaluate.measuring import Measured, items_of, metrics_of, random_selections, stacked

RANDOM = "random"


def evaluate(context: Context, settings: Judged) -> Account:
    """Writes what is measured, in the place of an earlier evaluation of the run.

    Raises:
        InputError: a group that no item has, or a labelled set that does not fit.
    """
    labelled, assignments = settings.section.labelled, context.rows(ASSIGNMENTS)
    voters = read_labelled(context.spark, labelled) if labelled else None
    selected, names = _selected(context, settings, assignments)
    with persisted(selected) as rows:
        items = items_of(context.rows(POOL), assignments)
        measured = Measured(items, context.rows(CENTROIDS), rows, names, settings.metric == "cosine", voters)
        metrics = metrics_of(measured, settings.section)
    context.write(METRICS, context.spark.createDataFrame(metrics))
    n_items = context.counted(ASSIGNMENTS)
    return Account(n_items, n_items)


def random_name(selection: str) -> str:
    """What metrics call the random items that a selection is held against: no selection has a slash in its name."""
    return f"{selection}/{RANDOM}"


def _selected(context: Context, settings: Judged, assignments: DataFrame) -> tuple[DataFrame, list[str]]:
    """The selections, and as many random items for each that has any; and the names of all."""
    assert context.node.seed is not None
    names = list(settings.selections)
    curated = context.rows(CURATED)
    if not settings.section.random:
        return stacked([curated]), names
    totals = curated.groupBy(Col.selection).agg(F.sum(Col.copies)).collect()  # one row a selection
    names_by_size = defaultdict(list)
    for name, size in totals:
        names_by_size[size].append(random_name(name))
    random = random_selections(assignments, names_by_size, context.node.seed)
    return stacked([curated, *random]), [*names, *(random_name(name) for name, _ in totals)]
