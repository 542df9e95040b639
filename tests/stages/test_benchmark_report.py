"""What the job ``benchmark`` prints of rows that lack something: no Spark."""

import io

import pandas as pd
from rich.console import Console

from equipoise.evaluation.benchmarks import SCORES
from equipoise.stages.benchmark.told import (
    KINDS,
    MOST_GROUPS,
    MOST_PRINTED,
    _failures_table,
    _groups_table,
    _places,
    _scores_table,
)


def printed(table) -> str:
    console = Console(width=300, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def cells_of(table) -> list[list[str]]:
    lines = printed(table).replace("┃", "│").splitlines()
    return [[cell.strip() for cell in line.split("│")][1:-1] for line in lines if "│" in line]


def test_a_score_of_a_single_item_is_printed_without_a_deviation():
    rows = [("recall_1_mean", 0.25, "oxford"), ("recall_1_mean", 0.5, "paris"), ("recall_1_std", 0.125, "paris")]
    metrics = pd.DataFrame([("raw", *row) for row in rows], columns=["selection", "name", "value", "group"])
    told = printed(_scores_table(metrics, "retrieval", ["recall_1"]))
    assert "25.0" in told and "50.0 ± 12.5" in told
    assert told.count("±") == 2  # the other is in the title


def test_accuracies_by_group_are_printed_with_their_gap_the_lowest_first():
    place = "streets/income"
    rows = [
        ("raw", "knn_1_accuracy", 0.75, f"{place}=high=er"), ("raw", "knn_1_accuracy", 0.5, f"{place}=low"),
        ("raw", "knn_1_accuracy_gap", 1 / 3, place), ("ours", "knn_1_accuracy", 0.7, f"{place}=high=er"),
        ("ours", "knn_1_accuracy", 0.7, f"{place}=low"), ("ours", "knn_1_accuracy_gap", 0.0, place),
        ("raw", "knn_1_accuracy_mean", 0.6, "streets"), ("raw", "knn_1_accuracy", 0.1, "streets/incomes=low"),
    ]  # fmt: skip
    metrics = pd.DataFrame(rows, columns=["selection", "name", "value", "group"])
    assert _places(metrics, ["knn_1_accuracy"]) == [place, f"{place}s"] and _places(metrics, ["recall_1"]) == []
    lines = printed(_groups_table(metrics, place, ["knn_1_accuracy"])).splitlines()
    assert lines[0].strip() == f"{place}: % by group"
    assert cells_of(_groups_table(metrics, place, ["knn_1_accuracy"])) == [
        ["score", "model", "low", "high=er", "gap"],
        ["knn_1_accuracy", "ours", "70.0", "70.0", "0.0"],
        ["", "raw", "50.0", "75.0", "33.3"],
    ]


def test_of_many_groups_the_lowest_are_printed():
    n = MOST_GROUPS + 3
    rows = [("raw", "recall_1", number / 100, f"b/c={number}") for number in range(n)]
    metrics = pd.DataFrame(
        [*rows, ("raw", "recall_1_gap", 1.0, "b/c")], columns=["selection", "name", "value", "group"]
    )
    lines = printed(_groups_table(metrics, "b/c", ["recall_1"])).splitlines()
    assert f"the {MOST_GROUPS} lowest; 3 more in metrics" in lines[0]
    assert f"{MOST_GROUPS - 1}.0" in lines[-2] and f"{MOST_GROUPS}.0" not in lines[-2]


def test_scores_of_whole_sets_and_errors_are_printed_by_group_too():
    """Mean IoU and R2 have no gap; of errors the largest come first, in units, and the gap is a share."""
    scores = {
        "knn_1_mean_iou": ("tiles", {"dry": 0.75, "wet=1/2": 0.5}),
        "r2": ("a/b", {"dry": -0.25, "wet=1/2": 0.5}),
        "mean_absolute_error": ("a/b", {"dry": 1.5, "wet=1/2": 1234.5}),
        "root_mean_squared_error": ("a/b", {"dry": 2.0, "wet=1/2": 2000.0}),
    }
    rows = [
        row
        for name, (benchmark, groups) in scores.items()
        for row in [
            *((name, value, f"{benchmark}/cover={group}") for group, value in groups.items()),
            (name, 0.4, benchmark),
            (f"{name}_mean", 0.4, benchmark),
        ]
    ]
    rows.append(("mean_absolute_error_gap", 0.998, "a/b/cover"))
    metrics = pd.DataFrame([("raw", *row) for row in rows], columns=["selection", "name", "value", "group"])
    without_gaps = metrics[~metrics["name"].str.endswith("_gap")]
    assert _places(metrics, KINDS["dense features"]) == ["tiles/cover"]
    for told in (metrics, without_gaps):
        assert _places(told, KINDS["regression"]) == _places(told, KINDS["regression, in its units"]) == ["a/b/cover"]
    assert _places(metrics, KINDS["frozen features"]) == []
    assert cells_of(_groups_table(metrics, "tiles/cover", KINDS["dense features"])) == [
        ["score", "model", "wet=1/2", "dry"],
        ["knn_1_mean_iou", "raw", "50.0", "75.0"],
    ]
    assert cells_of(_groups_table(metrics, "a/b/cover", KINDS["regression"])) == [
        ["score", "model", "dry", "wet=1/2"],
        ["r2", "raw", "-25.0", "50.0"],
    ]
    errors = _groups_table(metrics, "a/b/cover", KINDS["regression, in its units"])
    assert errors.title == "a/b/cover: in its units by group"
    assert cells_of(errors) == [
        ["score", "model", "wet=1/2", "dry", "gap, %"],
        ["mean_absolute_error", "raw", "1,234", "1.5", "99.8"],
        ["root_mean_squared_error", "raw", "2,000", "2", ""],
    ]


def test_errors_are_printed_in_their_units_and_averages_come_last():
    rows = [("mean_absolute_error_mean", 1234.5, "prices"), ("mean_absolute_error_std", 20.25, "prices")]
    rows += [("r2_mean", 0.5, group) for group in ("average:heights", "canopy", "average", "zebras")]
    metrics = pd.DataFrame([("raw", *row) for row in rows], columns=["selection", "name", "value", "group"])
    errors = printed(_scores_table(metrics, "regression, in its units", KINDS["regression, in its units"]))
    assert "regression, in its units: mean ± std" in errors and "1,234 ± 20.2" in errors and "%" not in errors
    told = printed(_scores_table(metrics[2:], "regression", KINDS["regression"]))
    heading = next(line for line in told.splitlines() if "score" in line)
    assert heading.split("┃")[3:-1] == [f" {name} " for name in ("canopy", "zebras", "average", "average:heights")]
    assert told.count("50.0") == 4 and "%" in told


def test_every_score_is_printed_once():
    assert sorted(name for names in KINDS.values() for name in names) == sorted(SCORES)


def test_failures_show_the_beginning_of_texts_on_one_line():
    ids = {"query_id": "q", "predicted_id": "p", "correct_id": "c"}
    shown = {"query_shown": "two\n lines", "predicted_shown": "x" * 100, "correct_shown": None}
    row = {"group": "streets", "selection": "raw", **ids, "predicted_distance": 0.1, "correct_distance": 0.2, **shown}
    cells = [cell.strip() for cell in printed(_failures_table(pd.DataFrame([row]))).splitlines()[-2].split("│")]
    assert [cells[place] for place in (3, 4, 6)] == ["q: two lines", f"p: {'x' * MOST_PRINTED}...", "c"]
