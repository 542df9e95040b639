"""The cluster tree -> one selection."""

from dataclasses import fields

from equipoise.errors import ConfigError
from equipoise.pipeline.rules import Rule, check_where
from equipoise.pipeline.samples import sample
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED
from equipoise.stages.select.section import Selection

NOT_SELECTED = "not_selected"
RULE = tuple(field.name for field in fields(Rule))


def check(context: Context, settings: Selection) -> None:
    """Checks what Spark alone can tell.

    Raises:
        ConfigError: ``where`` is no condition on clusters.
    """
    if settings.where is not None:
        try:
            check_where(context.spark, settings.where)
        except ConfigError as error:
            raise ConfigError(f"{context.node.name}: {error}") from error


def select(context: Context, settings: Selection) -> Account:
    """Writes one selection; a target above the pool takes it all."""
    assert context.node.seed is not None
    rule = Rule(**{name: getattr(settings, name) for name in RULE})
    drawn = sample(context.rows(CENTROIDS), context.rows(ASSIGNMENTS), rule, seed=context.node.seed)
    if settings.target and settings.target > drawn.n_available:
        context.progress.message(
            f"{context.node.name}: target {settings.target:,} is above the {drawn.n_available:,} "
            "that the clusters hold: takes them all"
        )
    n_in, n_out = context.counted(ASSIGNMENTS), context.write(CURATED, drawn.rows).n_rows
    return Account(n_in, n_out, drops={NOT_SELECTED: n_in - n_out})
