"""What a job prints of classes when it is done."""

import io
import shlex

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from equipoise.evaluation.balance import imbalance, normalised_entropy
from equipoise.stages.select.told import MOST_CLASSES, print_classes
from equipoise.studies.summary import _quoted


@pytest.mark.parametrize("n_classes", [3, MOST_CLASSES + 7])
def test_of_many_classes_the_largest_and_the_smallest_are_shown_and_all_are_measured(
    spark: SparkSession, n_classes: int
) -> None:
    sizes = [n_classes - number for number in range(n_classes)]  # c000 is the largest
    labels = [f"c{number:03}" for number, size in enumerate(sizes) for _ in range(size)]
    pool = spark.createDataFrame([*enumerate(labels), (-1, None)], "item_id long, label string")
    curated = spark.createDataFrame([(0, 2), (len(labels) - 1, 1)], "item_id long, copies int")
    console = Console(file=io.StringIO(), width=120)
    print_classes(pool, curated, seed=0, title="selection s", console=console)
    lines = [line.replace("│", " ").split() for line in console.file.getvalue().splitlines()]
    shown = [line[:3] for line in lines if line and line[0].startswith("c0")]
    half = MOST_CLASSES // 2
    expected = range(n_classes) if n_classes <= MOST_CLASSES else [*range(half), *range(n_classes - half, n_classes)]
    assert [line[0] for line in shown] == [f"c{number:03}" for number in expected]
    assert shown[0] == ["c000", str(n_classes), "2"] and shown[-1] == [f"c{n_classes - 1:03}", "1", "1"]
    assert [line for line in lines if line[:1] == ["..."]] == (
        [["...", "7", "more"]] if n_classes > MOST_CLASSES else []
    )
    (items,) = [line for line in lines if line[:2] == ["n", "items"]]
    assert items == ["n", "items", str(len(labels)), "3", "3"]
    (entropy,) = [line for line in lines if line[:2] == ["normalised", "entropy"]]
    taken = [2, *[0] * (n_classes - 2), 1]
    assert entropy[2:4] == [f"{normalised_entropy(sizes):.3f}", f"{normalised_entropy(taken):.3f}"]
    (ratio,) = [line for line in lines if line[:1] == ["imbalance"]]
    assert ratio[1] == f"{imbalance(sizes):.3f}"


def test_a_pool_without_labels_prints_nothing(spark: SparkSession) -> None:
    pool = spark.createDataFrame([(1, None)], "item_id long, label string")
    console = Console(file=io.StringIO())
    print_classes(pool, pool.selectExpr("item_id", "1 as copies"), seed=0, title="s", console=console)
    assert not console.file.getvalue()


@pytest.mark.parametrize(
    "sql", ["select a from b where run_id = 'r'", "select a from b where `group` = 'x'", 'select "a" from b']
)
def test_a_query_to_type_is_one_word_of_the_shell(sql: str) -> None:
    assert shlex.split(_quoted(sql)) == [sql]
    assert _quoted("select 'r'") == "\"select 'r'\""
