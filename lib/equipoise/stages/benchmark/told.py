"""What the job ``benchmark`` prints: models against benchmarks, and the worst retrievals."""

from collections.abc import Iterable, Sequence

import pandas as pd
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.consoles import widened
from equipoise.evaluation.benchmarks import (
    ACCURACIES,
    ANSWERS,
    ERRORS,
    EXPLAINED,
    GAP,
    MEAN,
    MEAN_IOUS,
    RETRIEVALS,
    SCORES,
    STD,
)
from equipoise.runs.tables import RunTables
from equipoise.schemas import FAILURES, METRICS, Col
from equipoise.stages.benchmark.section import AVERAGE

WIDEST = 10_000
"""Off a terminal nothing is cut."""
KINDS = {
    "frozen features": ACCURACIES,
    "dense features": MEAN_IOUS,
    "regression": EXPLAINED,
    "regression, in its units": ERRORS,
    "answers": ANSWERS,
    "retrieval": RETRIEVALS,
}
MOST_GROUPS = 12
"""Groups of a column whose scores are shown; the table has more."""
WORST = 5
"""Failures shown of each model and benchmark; the table has more."""
MOST_PRINTED = 40
"""Characters of an item; the table has more."""


def print_benchmarks(run: RunTables, console: Console) -> None:
    """Prints scores, models against benchmarks and by group, errors in units, all else in per cent; the worst failures.

    A score of a single item has no deviation.
    """
    names = [f"{score}{suffix}" for score in SCORES for suffix in ("", MEAN, STD, GAP)]
    shown = run.rows(METRICS).where(F.col(Col.name).isin(names))
    metrics = shown.toPandas()  # a few rows for each model and benchmark of the config
    wide = widened(console, WIDEST)
    for title, scores in KINDS.items():
        found = metrics[metrics[Col.name].isin([f"{score}{suffix}" for score in scores for suffix in (MEAN, STD)])]
        if len(found):
            wide.print(_scores_table(found, title, scores))
        for place in _places(metrics, scores):
            wide.print(_groups_table(metrics, place, scores))
    worst = run.rows(FAILURES).where(F.col(Col.rank) <= WORST)
    failures = worst.orderBy(Col.group, Col.selection, Col.rank).toPandas()  # the same
    if len(failures):
        wide.print(_failures_table(failures))


def _scores_table(metrics: pd.DataFrame, title: str, scores: Sequence[str]) -> Table:
    values = metrics.set_index([Col.name, Col.selection, Col.group])[Col.value]
    groups = sorted(metrics[Col.group].unique(), key=lambda group: (group.partition(":")[0] == AVERAGE, group))
    percent = "" if scores == ERRORS else "%, "
    table = Table("score", "model", title=f"{title}: {percent}mean ± std", title_justify="left")
    for group in groups:
        table.add_column(Text(group), justify="right")
    for score in scores:
        models = sorted(metrics[metrics[Col.name] == f"{score}{MEAN}"][Col.selection].unique())
        for number, model in enumerate(models):
            cells = [_cell(values, score, (model, group)) for group in groups]
            table.add_row(score if number == 0 else "", Text(model), *cells, end_section=number == len(models) - 1)
    return table


def _places(metrics: pd.DataFrame, scores: Sequence[str]) -> list[str]:
    """Where scores are told by group: BENCHMARK/COLUMN."""
    benchmarks = metrics[metrics[Col.name].isin([f"{score}{MEAN}" for score in SCORES])][Col.group].unique()
    with_gap = metrics[metrics[Col.name].isin([f"{score}{GAP}" for score in SCORES])][Col.group].unique()
    found = metrics[metrics[Col.name].isin(scores) & ~metrics[Col.group].isin(benchmarks)][Col.group].unique()
    return sorted({_place(group, benchmarks, with_gap) for group in found})


def _place(group: str, benchmarks: Iterable[str], with_gap: Iterable[str]) -> str:
    """What is before the value; names of benchmarks, columns and values may themselves hold ``/`` and ``=``."""
    if known := [place for place in with_gap if group.startswith(f"{place}=")]:
        return max(known, key=len)
    within = max((len(name) for name in benchmarks if group.startswith(f"{name}/")), default=0)
    return group[: group.index("=", within)]


def _groups_table(metrics: pd.DataFrame, place: str, scores: Sequence[str]) -> Table:
    """Scores of every model by the groups of one column, the worst first, and the gap between groups where it is told.

    The gap is a share, of errors too.
    """
    in_units = scores == ERRORS
    rows = metrics[metrics[Col.group].str.startswith(f"{place}=") & metrics[Col.name].isin(scores)]
    by_group = rows.groupby(Col.group)[Col.value].mean().sort_values(kind="stable", ascending=not in_units).index
    shown, more = by_group[:MOST_GROUPS], max(0, len(by_group) - MOST_GROUPS)
    left_out = f", the {MOST_GROUPS} {'highest' if in_units else 'lowest'}; {more:,} more in metrics" if more else ""
    title = f"{place}: {'in its units ' if in_units else '% '}by group{left_out}"
    table = Table("score", "model", title=title, title_justify="left")
    values = metrics.set_index([Col.name, Col.selection, Col.group])[Col.value]
    has_gap = any(
        (f"{name}{GAP}", model, place) in values.index for name in scores for model in set(rows[Col.selection])
    )
    for name in [*(group.removeprefix(f"{place}=") for group in shown), *(["gap, %" if in_units else "gap"] * has_gap)]:
        table.add_column(Text(name), justify="right")
    for score in scores:
        models = sorted(rows[rows[Col.name] == score][Col.selection].unique())
        for number, model in enumerate(models):
            cells = [values.get((score, model, group)) for group in shown]
            told = ["" if value is None else _value(score, value) for value in cells]
            gap = values.get((f"{score}{GAP}", model, place))
            told += [("" if gap is None else _percent(gap))] * has_gap
            table.add_row(score if number == 0 else "", Text(model), *told, end_section=number == len(models) - 1)
    return table


def _cell(values: "pd.Series[float]", score: str, place: tuple[str, str]) -> str:
    mean, std = (values.get((f"{score}{suffix}", *place)) for suffix in (MEAN, STD))
    if mean is None:
        return ""
    return _value(score, mean) + ("" if std is None else f" ± {_value(score, std)}")


def _value(score: str, value: float) -> str:
    return _in_units(value) if score in ERRORS else _percent(value)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _in_units(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _failures_table(failures: pd.DataFrame) -> Table:
    headings = ("benchmark", "model", "query", "predicted", "distance", "correct", "distance")
    table = Table(*headings, title="worst retrievals", title_justify="left")
    for row in failures.to_dict("records"):
        query, predicted, correct = (
            _item(row[name], row[shown])
            for name, shown in (
                (Col.query_id, Col.query_shown),
                (Col.predicted_id, Col.predicted_shown),
                (Col.correct_id, Col.correct_shown),
            )
        )
        distances = [f"{row[name]:.3f}" for name in (Col.predicted_distance, Col.correct_distance)]
        place = (Text(row[Col.group]), Text(row[Col.selection]))
        table.add_row(*place, query, predicted, distances[0], correct, distances[1])
    return table


def _item(name: str, shown: object) -> Text:
    beginning = " ".join(shown.split()) if isinstance(shown, str) else ""
    cut = beginning if len(beginning) <= MOST_PRINTED else f"{beginning[:MOST_PRINTED]}..."
    return Text(f"{name}: {cut}" if cut else name)
