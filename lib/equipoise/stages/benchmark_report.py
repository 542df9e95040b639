"""What the job ``benchmark`` prints: models against benchmarks, and the worst retrievals."""

import pandas as pd
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.config.benchmark import AVERAGE
from equipoise.evaluation.benchmarks import MEAN, SCORES, STD
from equipoise.schemas import FAILURES, METRICS, Col
from equipoise.tables import Workspace

WORST = 5
"""Failures shown of each model and benchmark; the table has more."""


def print_benchmarks(workspace: Workspace, run_id: str, console: Console) -> None:
    """Prints one table of scores, mean and deviation in per cent, and the worst failures where there are some."""
    mine = F.col(Col.run_id) == run_id
    names = [f"{score}{suffix}" for score in SCORES for suffix in (MEAN, STD)]
    shown = workspace.read(METRICS).where(mine & F.col(Col.name).isin(names))
    metrics = shown.toPandas()  # a few rows for each model and benchmark of the config
    console.print(_scores_table(metrics))
    worst = workspace.read(FAILURES).where(mine & (F.col(Col.rank) <= WORST))
    failures = worst.orderBy(Col.group, Col.selection, Col.rank).toPandas()  # the same
    if len(failures):
        console.print(_failures_table(failures))


def _scores_table(metrics: pd.DataFrame) -> Table:
    values = metrics.set_index([Col.name, Col.selection, Col.group])[Col.value]
    groups = sorted(metrics[Col.group].unique(), key=lambda group: (group == AVERAGE, group))
    table = Table("score, %", "model", title="models on benchmarks, mean ± std", title_justify="left")
    for group in groups:
        table.add_column(Text(group), justify="right")
    for score in SCORES:
        models = sorted(metrics[metrics[Col.name] == f"{score}{MEAN}"][Col.selection].unique())
        for number, model in enumerate(models):
            cells = [_cell(values, score, (model, group)) for group in groups]
            table.add_row(score if number == 0 else "", Text(model), *cells, end_section=number == len(models) - 1)
    return table


def _cell(values: "pd.Series[float]", score: str, place: tuple[str, str]) -> str:
    mean, std = (values.get((f"{score}{suffix}", *place)) for suffix in (MEAN, STD))
    return "" if mean is None or std is None else f"{100 * mean:.1f} ± {100 * std:.1f}"


def _failures_table(failures: pd.DataFrame) -> Table:
    headings = ("benchmark", "model", "query", "predicted", "distance", "correct", "distance")
    table = Table(*headings, title="worst retrievals", title_justify="left")
    for row in failures.to_dict("records"):
        texts = [row[name] for name in (Col.group, Col.selection, Col.query_id, Col.predicted_id)]
        distances = [f"{row[name]:.3f}" for name in (Col.predicted_distance, Col.correct_distance)]
        table.add_row(*(Text(str(text)) for text in texts), distances[0], Text(str(row[Col.correct_id])), distances[1])
    return table
