"""The cluster tree -> one selection."""

from equipoise.pipeline.frames import persisted
from equipoise.pipeline.sampling import available, check_where, count_levels
from equipoise.pipeline.sampling import select as selected
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, Col
from equipoise.stages.select.section import Selection

NOT_SELECTED = "not_selected"


def check(context: Context, settings: Selection) -> None:
    """Checks what Spark alone can tell.

    Raises:
        ConfigError: ``where`` is no condition on clusters.
    """
    if settings.where is not None:
        check_where(context.spark, settings.where)


def select(context: Context, settings: Selection) -> Account:
    """Writes one selection; a target above the pool takes it all."""
    assert context.node.seed is not None
    with persisted(context.rows(CENTROIDS).drop(Col.centroid)) as clusters:
        levels = count_levels(clusters)
        allowed = available(clusters, levels=levels, max_copies=settings.max_copies, where=settings.where)
        most = allowed.collect()[0]  # one row
        if settings.target and settings.target > most[Col.copies]:
            context.progress.message(
                f"{context.node.name}: target {settings.target:,} is above the {most[Col.copies]:,} "
                "that the clusters hold: takes them all"
            )
        rows = selected(
            clusters,
            context.rows(ASSIGNMENTS),
            levels=levels,
            seed=context.node.seed,
            method=settings.method,
            within=settings.within,
            target=settings.target,
            per_cluster=settings.per_cluster,
            max_copies=settings.max_copies,
            where=settings.where,
            keep=lambda rows: rows.localCheckpoint(),  # cuts the plan, which doubles with every level
        )
        n_out = context.write(CURATED, rows).n_rows
    n_in = context.counted(ASSIGNMENTS)
    return Account(n_in, n_out, drops={NOT_SELECTED: n_in - n_out})
