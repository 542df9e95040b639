"""Rates and gaps by group: by hand, and SQL against arrays."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.fairness import accuracy_by_group, gap, selection_gaps, selection_rates

SIZES = "selection string, name string, group string, n_pool long, n_selected long, n_curated long"


@pytest.mark.parametrize(
    ("rates", "expected"),
    [([0.8, 0.6], 0.25), ([0.3, 0.3, 0.3], 0.0), ([0.5, 0.0], 1.0), ([0.0, 0.0], 0.0), ([7], 0.0)],
)
def test_the_gap_by_hand(rates: list[float], expected: float) -> None:
    assert gap(rates) == pytest.approx(expected)


@given(st.lists(st.floats(0.01, 1), min_size=1))
def test_the_gap_does_not_depend_on_scale_or_order(rates: list[float]) -> None:
    assert 0 <= gap(rates) < 1
    assert gap(rates[::-1]) == gap(rates)
    assert gap([rate * 50 for rate in rates]) == pytest.approx(gap(rates), abs=1e-12)


@pytest.mark.parametrize("rates", [[], [-0.1, 1], [np.nan], [[0.1]]])
def test_bad_rates(rates: list) -> None:
    with pytest.raises(InputError, match="rates are"):
        gap(rates)


def test_accuracy_by_group_by_hand() -> None:
    found = accuracy_by_group([True, False, True, True], ["asia", "asia", "europe", "europe"])
    expected = pd.DataFrame({"group": ["asia", "europe"], "n_items": [2, 2], "value": [0.5, 1.0]})
    pd.testing.assert_frame_equal(found, expected)
    assert gap(found["value"]) == 0.5


@settings(max_examples=30)  # pandas takes its time at the first call
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1))
def test_accuracies_average_to_the_accuracy(pairs: list[tuple[int, bool]]) -> None:
    groups, correct = zip(*pairs, strict=True)
    found = accuracy_by_group(correct, groups)
    assert found["group"].tolist() == sorted(set(groups))
    assert np.average(found["value"], weights=found["n_items"]) == pytest.approx(np.mean(correct))


@pytest.mark.parametrize(
    ("correct", "groups", "reason"),
    [([1], ["a", "b"], "one of each"), ([], [], "one of each"), ([2.0], ["a"], "0 to 1"), ([np.nan], ["a"], "0 to 1")],
)
def test_bad_answers(correct: list, groups: list, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        accuracy_by_group(correct, groups)


def test_selection_rates_count_items_once_and_gaps_agree_with_arrays(spark: SparkSession) -> None:
    sizes = spark.createDataFrame(
        [
            ("s", "region", "asia", 10, 4, 9), ("s", "region", "europe", 20, 2, 2), ("s", "income", "low", 4, 0, 0),
            ("t", "region", "asia", 10, 10, 10), ("t", "region", "europe", 20, 20, 20),
        ],
        SIZES,
    )  # fmt: skip
    rates = selection_rates(sizes)
    found = {(row["selection"], row["name"], row["group"]): row["value"] for row in rates.collect()}
    assert found["s", "region", "asia"] == 0.4 and found["s", "region", "europe"] == 0.1
    gaps = {(row["selection"], row["name"]): row["value"] for row in selection_gaps(rates).collect()}
    assert gaps == {("s", "region"): pytest.approx(gap([0.4, 0.1])), ("s", "income"): gap([0]), ("t", "region"): 0}
