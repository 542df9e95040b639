"""What selections took of groups, on literal frames."""

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from equipoise.evaluation.groups import group_sizes
from equipoise.evaluation.metrics import balance_metrics, group_metrics
from equipoise.schemas import POOL_NAME


@pytest.fixture(scope="module")
def sizes(spark: SparkSession):
    items = spark.createDataFrame(
        [(1, "a", "x"), (2, "a", None), (3, "a", "y"), (4, "b", "y"), (5, None, "y")],
        "item_id long, label string, region string",
    )
    selected = spark.createDataFrame(
        [("s", 1, 1), ("s", 4, 3), ("s", 5, 1), ("t", 1, 1), ("t", 2, 1), ("t", 3, 2)],
        "selection string, item_id long, copies int",
    )
    return group_sizes(
        items, selected, groups={"class": F.col("label"), "region": F.col("region")}, selections=["s", "t", "u"]
    ).cache()


def test_every_group_has_a_row_in_every_selection_also_in_an_empty_one(spark: SparkSession, sizes) -> None:
    expected = spark.createDataFrame(
        [
            ("s", "class", "a", 3, 1, 1), ("s", "class", "b", 1, 1, 3), ("s", "region", "x", 1, 1, 1),
            ("s", "region", "y", 3, 2, 4), ("t", "class", "a", 3, 3, 4), ("t", "class", "b", 1, 0, 0),
            ("t", "region", "x", 1, 1, 1), ("t", "region", "y", 3, 1, 2), ("u", "class", "a", 3, 0, 0),
            ("u", "class", "b", 1, 0, 0), ("u", "region", "x", 1, 0, 0), ("u", "region", "y", 3, 0, 0),
        ],
        "selection string, name string, group string, n_pool long, n_selected long, n_curated long",
    )  # fmt: skip
    assert_df_equality(sizes, expected, ignore_row_order=True, ignore_nullable=True)


def test_metrics_of_groups_by_hand(sizes) -> None:
    rows = group_metrics(sizes)
    found = {(row.selection, row.name, row.group): row.value for row in rows.itertuples(index=False)}
    assert len(found) == len(rows)
    assert found[POOL_NAME, "n_items", "class"] == 4 and found[POOL_NAME, "n_items", "class=a"] == 3
    assert found["s", "n_items", "class=b"] == 3 and found["t", "n_items", "class=b"] == 0
    assert found["s", "coverage", "class"] == 1 and found["t", "coverage", "class"] == 0.5
    assert found["s", "imbalance", "class"] == 3
    assert found["s", "selection_rate", "class=a"] == pytest.approx(1 / 3)
    assert found["s", "selection_rate_gap", "region"] == pytest.approx((1 - 2 / 3) / 1)
    assert found["u", "n_items", "class"] == 0 and found["u", "selection_rate_gap", "class"] == 0
    assert (POOL_NAME, "selection_rate", "class=a") not in found


def test_of_many_groups_the_largest_have_rows_of_their_own(sizes) -> None:
    rows = group_metrics(sizes, n=1)
    assert {group for group in rows["group"] if "=" in group} == {"class=a", "region=y"}
    gap = rows[(rows["name"] == "selection_rate_gap") & (rows["group"] == "class")].set_index("selection")["value"]
    assert gap["t"] == 1  # over all groups, those without rows too


def test_a_selection_without_items_has_a_count_alone(sizes) -> None:
    histogram = sizes.where("selection = 't' and group = 'b'").selectExpr(
        "selection", "name as `group`", "n_curated as n_items", "1L as n_groups"
    )
    assert balance_metrics(histogram.toPandas()).values.tolist() == [["t", "n_items", "class", 0.0]]
