"""What the job ``benchmark`` prints of rows that lack something: no Spark."""

import io

import pandas as pd
from rich.console import Console

from equipoise.stages.benchmark.told import MOST_PRINTED, _failures_table, _scores_table


def printed(table) -> str:
    console = Console(width=300, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_a_score_of_a_single_item_is_printed_without_a_deviation():
    rows = [("recall_1_mean", 0.25, "oxford"), ("recall_1_mean", 0.5, "paris"), ("recall_1_std", 0.125, "paris")]
    metrics = pd.DataFrame([("raw", *row) for row in rows], columns=["selection", "name", "value", "group"])
    told = printed(_scores_table(metrics, "retrieval", ["recall_1"]))
    assert "25.0" in told and "50.0 ± 12.5" in told
    assert told.count("±") == 2  # the other is in the title


def test_failures_show_the_beginning_of_texts_on_one_line():
    ids = {"query_id": "q", "predicted_id": "p", "correct_id": "c"}
    shown = {"query_shown": "two\n lines", "predicted_shown": "x" * 100, "correct_shown": None}
    row = {"group": "streets", "selection": "raw", **ids, "predicted_distance": 0.1, "correct_distance": 0.2, **shown}
    cells = [cell.strip() for cell in printed(_failures_table(pd.DataFrame([row]))).splitlines()[-2].split("│")]
    assert [cells[place] for place in (3, 4, 6)] == ["q: two lines", f"p: {'x' * MOST_PRINTED}...", "c"]
