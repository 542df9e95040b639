"""Measures of balance by hand, and class counts on literal frames."""

import numpy as np
import pytest
from chispa import assert_df_equality
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from scipy.stats import entropy

from equipoise.errors import InputError
from equipoise.evaluation.balance import class_counts, effective_number, imbalance, measures, normalised_entropy

COUNTS = st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any)


@pytest.mark.parametrize(
    ("counts", "evenness", "number", "ratio"),
    [
        ([5, 5, 5, 5], 1.0, 4.0, 1.0),
        ([8, 0], 0.0, 1.0, np.inf),
        ([7], 1.0, 1.0, 1.0),
        ([2, 1, 1], 1.5 * np.log(2) / np.log(3), 2**1.5, 2.0),
    ],
)
def test_by_hand(counts: list[int], evenness: float, number: float, ratio: float) -> None:
    assert normalised_entropy(counts) == pytest.approx(evenness)
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


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        (
            [1, 2, 3, 4],  # the Gini coefficient of 1 to n is (n - 1) / (3 n)
            {
                "n_groups": 4, "n_present": 4, "coverage": 1, "gini": 3 / 12, "max_over_median": 4 / 2.5,
                "top_share": 0.4, "imbalance": 4,
            },
        ),
        (
            [9, 0, 0],
            {
                "n_groups": 3, "n_present": 1, "coverage": 1 / 3, "gini": 2 / 3, "max_over_median": np.inf,
                "top_share": 1, "imbalance": np.inf, "effective_number": 1, "normalised_entropy": 0,
            },
        ),
        ([10] * 100 + [500] * 100, {"top_share": 1000 / 51_000, "max_over_median": 500 / 255}),
    ],
)  # fmt: skip
def test_all_measures_by_hand(sizes: list[int], expected: dict[str, float]) -> None:
    found = measures(sizes)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@given(COUNTS)
def test_measures_agree_with_the_textbook(counts: list[int]) -> None:
    """scipy's entropy, numpy's median, and Gini as half of the relative mean absolute difference."""
    found, sizes = measures(counts), np.array(counts, dtype=float)
    pairs = np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())
    assert found["gini"] == pytest.approx(pairs, abs=1e-12)
    assert np.log(found["effective_number"]) == pytest.approx(entropy(sizes), abs=1e-12)
    assert found["max_over_median"] == pytest.approx(sizes.max() / np.median(sizes) if np.median(sizes) else np.inf)
    assert found["normalised_entropy"] == normalised_entropy(counts)
    assert found["effective_number"] == effective_number(counts)
    assert found["imbalance"] == imbalance(counts)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 300)), min_size=1, max_size=20))
def test_weights_are_repetitions(pairs: list[tuple[int, int]]) -> None:
    sizes, weights = zip(*pairs, (7, 1), strict=True)
    assert measures(sizes, weights) == pytest.approx(measures(np.repeat(sizes, weights)), rel=1e-9, abs=1e-12)


def test_balanced_groups_have_a_gini_of_exactly_zero() -> None:
    assert measures([3, 7], [0, 12_345_678])["gini"] == 0


@pytest.mark.parametrize("weights", [[1], [1, -1], [1, np.nan], [0, 0]])
def test_bad_weights(weights: list[float]) -> None:
    with pytest.raises(InputError, match=r"weights are|counts of classes"):
        measures([2, 3], weights)


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
