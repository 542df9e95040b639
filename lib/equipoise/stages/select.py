"""The stage ``select``: the cluster tree -> a named, balanced selection."""

from pyspark.sql import functions as F

from equipoise.config import Selection
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.sampling import available, count_levels
from equipoise.pipeline.sampling import select as selected
from equipoise.runs.context import Account, StageContext
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, Col

STAGE = "select"
NOT_SELECTED = "not_selected"


def select(context: StageContext, selection: Selection) -> Account:
    """Writes one selection, in the place of an earlier one of that name; a target above the pool takes it all."""
    assignments = context.rows_of_run(ASSIGNMENTS)
    with persisted(context.rows_of_run(CENTROIDS).drop(Col.centroid)) as clusters:
        levels = count_levels(clusters)
        allowed = available(clusters, levels=levels, max_copies=selection.max_copies, where=selection.where)
        most = allowed.collect()[0]  # one row
        if selection.target and selection.target > most[Col.copies]:
            context.progress.message(
                f"select:{selection.name}: target {selection.target:,} is above the {most[Col.copies]:,} "
                "that the clusters hold: takes them all"
            )
        rows = selected(
            clusters,
            assignments,
            levels=levels,
            seed=context.config.seed,
            method=selection.method,
            within=selection.within,
            target=selection.target,
            per_cluster=selection.per_cluster,
            max_copies=selection.max_copies,
            where=selection.where,
            keep=lambda rows: rows.localCheckpoint(),  # cuts the plan, which doubles with every level
        ).select(F.lit(context.run_id).alias(Col.run_id), F.lit(selection.name).alias(Col.selection), "*")
        where = {Col.run_id: context.run_id, Col.selection: selection.name}
        context.workspace.replace(CURATED, rows, where=where)
    n_in, n_out = assignments.count(), _n_selected(context, selection)
    return Account(n_in, n_out, drops={NOT_SELECTED: n_in - n_out})


def _n_selected(context: StageContext, selection: Selection) -> int:
    mine = (F.col(Col.run_id) == context.run_id) & (F.col(Col.selection) == selection.name)
    return context.workspace.read(CURATED).filter(mine).count()
