"""``--calibrate``: thresholds against the share of the pool that they remove, on a sample; nothing is written."""

from collections.abc import Sequence

import numpy as np
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from equipoise.errors import ConfigError
from equipoise.kernels.components import threshold_for
from equipoise.pipeline.calibration import Calibration, calibrated
from equipoise.pipeline.frames import persisted
from equipoise.pipeline.items import filter_without
from equipoise.runs.context import Context
from equipoise.schemas import Col
from equipoise.stages.deduplicate import DEDUPLICATE, Pairs
from equipoise.stages.deduplicate.pairs import copies_of, search_of

STEPS = 20
"""Of the thresholds, from the lowest of which pairs are stored to 1."""


def calibrate(context: Context, share: float, console: Console) -> Sequence[str]:
    """Prints what thresholds would remove: see :func:`equipoise.pipeline.calibration.calibrated` for how it is told.

    Exact copies go whatever the threshold, and are counted, not sampled. Sets that the pool is held against are not
    looked at.

    Raises:
        ConfigError: the sample is empty, or no threshold leaves ``target_keep``.
        InputError: vectors of different lengths, or more pairs than the driver takes.
    """
    settings, section = context.node.settings, DEDUPLICATE.of(context.run.graph.config)
    assert isinstance(settings, Pairs) and section is not None, "the question is about pairs"
    thresholds = sorted(
        {section.above, *np.linspace(settings.floor, 1.0, STEPS + 1).round(4).clip(settings.floor).tolist()}
    )
    with persisted(copies_of(context, settings)) as copies:
        n_copies = copies.count()
        vectors = filter_without(context.vectors(*settings.pool), copies.select(F.col(Col.dst).alias(Col.item_id)))
        found = calibrated(vectors, search_of(context, settings, settings.floor), thresholds, share=share)
    _print(found, n_copies, console)
    if section.target_keep is None:
        return (f"{DEDUPLICATE.family}.threshold={section.above:g}",)
    _print_threshold(found, n_copies, section.target_keep, lowest=section.above, console=console)
    return ()


def _print(found: Calibration, n_copies: int, console: Console) -> None:
    n_items = found.n_items + n_copies
    console.print(
        f"what thresholds remove of {n_items:,} items, {n_copies:,} exact copies included, told from "
        f"{found.n_sampled:,} sampled items and the groups around them ({found.n_searched:,} items held against all; "
        "+-: two standard errors, and what was not followed):",
        markup=False,
        soft_wrap=True,
    )
    table = Table("threshold", "removed", "+-", "items that stay")
    for one in found.shares:
        removed = _removed(one.middle, n_copies, found)
        margin = one.margin * found.n_items / n_items
        table.add_row(f"{one.threshold:.4g}", f"{removed:.1%}", f"{margin:.1%}", f"{(1 - removed) * n_items:,.0f}")
    console.print(table)


def _removed(share: float, n_copies: int, found: Calibration) -> float:
    """Of all items, where copies are beside those that were sampled."""
    return (n_copies + share * found.n_items) / (n_copies + found.n_items)


def _print_threshold(found: Calibration, n_copies: int, n_keep: int, *, lowest: float, console: Console) -> None:
    n_items = found.n_items + n_copies
    if n_keep > n_items:
        raise ConfigError(f"target_keep is {n_keep:,} and the pool has {n_items:,} items: lower it")
    allowed = [one for one in found.shares if one.threshold >= lowest]
    removed = [_removed(one.middle, n_copies, found) for one in allowed]
    threshold = threshold_for(1 - n_keep / n_items, [one.threshold for one in allowed], removed)
    console.print(f"target_keep {n_keep:,}: a threshold of about {threshold:.4g}", markup=False, soft_wrap=True)
