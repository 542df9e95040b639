"""Metrics as tables for the terminal: one line a set, the pool first."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from equipoise.consoles import widened
from equipoise.evaluation.metrics import CLASS, N_ITEMS, SELECTION_RATE_GAP, is_single
from equipoise.runs.tables import RunTables
from equipoise.schemas import METRICS, POOL_NAME, Col

SHOWN = {
    N_ITEMS: "items",
    "n_present": "not empty",
    "normalised_entropy": "evenness",
    "effective_number": "as many as",
    "gini": "Gini",
    "max_over_median": "max / median",
    "top_share": "top 1%",
    "imbalance": "max / min",
    SELECTION_RATE_GAP: "rate gap",
}
WHOLE = {N_ITEMS, "n_present"}
NONE = "-"
WIDTH = 200  # off a terminal nothing needs to be folded


def print_balance(run: RunTables, console: Console) -> None:
    """Prints what the run measured of whole levels and groupings: those of single classes are left in the table."""
    rows = run.rows(METRICS).where(~is_single())
    print_metrics(rows.orderBy(Col.selection).toPandas(), title="balance", console=console)


def print_metrics(metrics: pd.DataFrame, *, title: str, console: Console) -> None:
    """Prints the balance of every set over the clusters of each level, the classes and other groups.

    Args:
        metrics: selection, name, group, value, in the order in which the sets are shown; rows of single classes or
            other single groups are left out.
        title: stands above.
        console: where to.
    """
    console = widened(console, WIDTH)
    wide = metrics[metrics[Col.name].isin(list(SHOWN)) & ~metrics[Col.group].str.contains("=")]
    for group in sorted(wide[Col.group].unique(), key=_place):
        mine = wide[wide[Col.group] == group]
        values = mine.pivot(index=Col.selection, columns=Col.name, values=Col.value)
        n_groups = metrics[(metrics[Col.group] == group) & (metrics[Col.name] == Col.n_groups)][Col.value].max()
        console.print(_table(values, order=mine[Col.selection].unique(), title=f"{title}: {group} ({n_groups:,.0f})"))


def _place(group: str) -> tuple[bool, str]:
    """Classes come last: they are what most readers look for, and stand nearest to the prompt."""
    return group == CLASS, group


def _table(values: pd.DataFrame, *, order: list[str], title: str) -> Table:
    table = Table("set", title=title, title_justify="left")
    shown = {name: heading for name, heading in SHOWN.items() if name in values}
    for heading in shown.values():
        table.add_column(heading, justify="right")
    for selection in sorted(order, key=lambda name: name != POOL_NAME):
        row = values.loc[selection].to_dict()
        table.add_row(selection, *(_text(name, row[name]) for name in shown))
    return table


def _text(name: str, value: float) -> str:
    if pd.isna(value):
        return NONE
    return f"{value:,.0f}" if name in WHOLE else f"{value:,.3f}"
