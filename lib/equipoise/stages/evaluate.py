"""The stage ``evaluate``: the cluster tree and all selections -> metrics of the pool, of them and of random ones."""

from collections import defaultdict

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from equipoise.config import Evaluate
from equipoise.evaluation.metrics import NAMES
from equipoise.pipeline.frames import persisted
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, Col
from equipoise.stages.measuring import Measured, items_of, metrics_of, random_selections, stacked
from equipoise.stages.metrics_writer import write_metrics

STAGE = "evaluate"
RANDOM = "random"


def evaluate(context: StageContext) -> Account:
    """Writes what is measured, in the place of an earlier evaluation of the run.

    Raises:
        InputError: a group that no item has, or a labelled set that does not fit.
    """
    section = _section(context)
    assignments = context.rows_of_run(ASSIGNMENTS)
    selected, names = _selected(context, assignments)
    with persisted(selected) as rows:
        measured = Measured(items_of(context, assignments), context.rows_of_run(CENTROIDS), rows, names)
        write_metrics(context, metrics_of(context, measured, section), NAMES)
    n_items = assignments.count()
    return Account(n_items, n_items)


def random_name(selection: str) -> str:
    """What metrics call the random items that a selection is held against: no selection has a slash in its name."""
    return f"{selection}/{RANDOM}"


def _section(context: StageContext) -> Evaluate:
    assert context.config.evaluate is not None, "the stage is planned only where the config has its section"
    return context.config.evaluate


def _selected(context: StageContext, assignments: DataFrame) -> tuple[DataFrame, list[str]]:
    """The selections of the config, and as many random items for each that has any; and the names of all."""
    names = [selection.name for selection in context.config.select]
    curated = context.rows_of_run(CURATED).where(F.col(Col.selection).isin(names))
    if not _section(context).random:
        return stacked([curated]), names
    totals = curated.groupBy(Col.selection).agg(F.sum(Col.copies)).collect()  # one row a selection
    names_by_size = defaultdict(list)
    for name, size in totals:
        names_by_size[size].append(random_name(name))
    random = random_selections(assignments, names_by_size, context.config.seed)
    return stacked([curated, *random]), [*names, *(random_name(name) for name, _ in totals)]
