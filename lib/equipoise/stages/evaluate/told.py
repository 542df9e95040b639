"""Metrics as tables for the terminal: one line a set, the pool first."""

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from equipoise.consoles import widened
from equipoise.evaluation.metrics import CLASS, OWN_CLASS, is_single
from equipoise.evaluation.names import (
    CLUSTERS_SLOPE,
    EFFECTIVE_NUMBER,
    FIT,
    GINI,
    IMBALANCE,
    MAX_OVER_MEDIAN,
    N_ITEMS,
    N_PRESENT,
    NORMALISED_ENTROPY,
    SELECTION_RATE_GAP,
    TOP_SHARE,
    in_words,
)
from equipoise.runs.tables import RunTables
from equipoise.schemas import METRICS, POOL_NAME, Col

BALANCES = (
    N_ITEMS, N_PRESENT, NORMALISED_ENTROPY, EFFECTIVE_NUMBER, GINI, MAX_OVER_MEDIAN, TOP_SHARE, IMBALANCE,
    SELECTION_RATE_GAP,
)  # fmt: skip
WHOLE = {N_ITEMS, N_PRESENT}
FITTED = {
    CLASS: "clusters of a class against its size",
    OWN_CLASS: "clusters of a class against its size, each method's own top level",
}
"""What the fits of a group are about."""
NONE = "-"
WIDTH = 200  # off a terminal nothing needs to be folded


def print_balance(run: RunTables, console: Console) -> None:
    """Prints what the run measured of whole levels and groupings: those of single classes are left in the table."""
    rows = run.rows(METRICS).where(~is_single())
    print_metrics(rows.orderBy(Col.selection).toPandas(), title="balance", console=console)


def print_metrics(metrics: pd.DataFrame, *, title: str, console: Console) -> None:
    """Prints the balance of every set over the clusters of each level, the classes and other groups.

    Where a labelled set gave classes, the fits of their clusters against their size follow.

    Args:
        metrics: selection, name, group, value, in the order in which the sets are shown; rows of single classes or
            other single groups are left out.
        title: stands above.
        console: where to.
    """
    console = widened(console, WIDTH)
    whole = metrics[~metrics[Col.group].str.contains("=")]
    balances = whole[whole[Col.name].isin(BALANCES)]
    for group in sorted(balances[Col.group].unique(), key=_place):
        n_groups = whole[(whole[Col.group] == group) & (whole[Col.name] == Col.n_groups)][Col.value].max()
        mine = balances[balances[Col.group] == group]
        console.print(_table(mine, BALANCES, title=f"{title}: {group} ({n_groups:,.0f})"))
    for group, about in FITTED.items():
        fits = whole[(whole[Col.group] == group) & whole[Col.name].isin(FIT)]
        if len(fits):
            console.print(_table(fits, FIT, title=f"{title}: {about}"))


def _place(group: str) -> tuple[bool, str]:
    """Classes come last: they are what most readers look for, and stand nearest to the prompt."""
    return group == CLASS, group


def _table(metrics: pd.DataFrame, names: Sequence[str], *, title: str) -> Table:
    values = metrics.pivot(index=Col.selection, columns=Col.name, values=Col.value)
    table = Table("set", title=title, title_justify="left")
    shown = [name for name in names if name in values]
    for name in shown:
        table.add_column(in_words(name), justify="right")
    for selection in sorted(metrics[Col.selection].unique(), key=lambda name: name != POOL_NAME):
        row = values.loc[selection].to_dict()
        table.add_row(selection, *(_text(name, row[name]) for name in shown))
    return table


def _text(name: str, value: float) -> str:
    if pd.isna(value):
        return NONE
    if name == CLUSTERS_SLOPE:  # clusters for an item: far below 1 in any pool
        return f"{value:.3g}"
    return f"{value:,.0f}" if name in WHOLE else f"{value:,.3f}"
