"""Measures of balance by hand, and class counts on literal frames."""

import numpy as np
import pytest
from chispa import assert_df_equality
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.balance import class_counts, effective_number, imbalance, normalised_entropy

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize(
    ("counts", "entropy", "number", "ratio"),
    [
        ([5, 5, 5, 5], 1.0, 4.0, 1.0),
        ([8, 0], 0.0, 1.0, np.inf),
        ([7], 1.0, 1.0, 1.0),
        ([2, 1, 1], 1.5 * np.log(2) / np.log(3), 2**1.5, 2.0),
    ],
)
def test_by_hand(counts: list[int], entropy: float, number: float, ratio: float) -> None:
    assert normalised_entropy(counts) == pytest.approx(entropy)
    assert effective_number(counts) == pytest.approx(number)
    assert imbalance(counts) == ratio


@given(COUNTS)
def test_ranges_and_scale(counts: list[int]) -> None:
    assert 0 <= normalised_entropy(counts) <= 1 + 1e-12
    assert 1 - 1e-12 <= effective_number(counts) <= len(counts) + 1e-9
    assert imbalance(counts) >= 1
    assert normalised_entropy(np.array(counts) * 3) == pytest.approx(normalised_entropy(counts))


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1, 5], [1.0, np.nan], [[1, 2]]])
def test_bad_counts(counts: list) -> None:
    for measure in (normalised_entropy, effective_number, imbalance):
        with pytest.raises(InputError, match="counts of classes"):
            measure(counts)


def test_class_counts(spark: SparkSession) -> None:
    pool = spark.createDataFrame(
        [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c"), (6, None)], "item_id long, label string"
    )
    curated = spark.createDataFrame([(1, 1), (4, 3), (6, 1)], "item_id long, copies int")
    baseline = spark.createDataFrame([(1,), (2,), (5,), (6,)], "item_id long")
    expected = spark.createDataFrame(
        [("a", 3, 1, 2), ("b", 1, 3, 0), ("c", 1, 0, 1)],
        "label string, n_pool long, n_curated long, n_baseline long",
    )
    assert_df_equality(class_counts(pool, curated, baseline), expected, ignore_row_order=True, ignore_nullable=True)
