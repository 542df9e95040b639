"""From scores of items to rows of metrics, by hand."""

import numpy as np
import pandas as pd
import pytest

from equipoise.evaluation.benchmarks import (
    GAP,
    MEAN,
    STD,
    Scores,
    average_metrics,
    benchmark_metrics,
)
from equipoise.evaluation.bootstrap import SetScore
from equipoise.evaluation.classification import N_TEST
from equipoise.evaluation.neighbours import KNN_1, KNN_20
from equipoise.evaluation.regression import MAE, R2
from equipoise.evaluation.retrieval import PRECISION


def right(n_right: int, n: int) -> np.ndarray:
    return np.arange(n) < n_right


def metrics(*scores: Scores, seed: int = 0) -> dict[tuple[str, str, str], float]:
    """Of all benchmarks and their average; those asked backwards count in none."""
    each = pd.concat([benchmark_metrics(one, seed=seed, rounds=2000) for one in scores])
    names = {one.benchmark for one in scores if ":" not in one.benchmark}
    rows = pd.concat([each, average_metrics(each, benchmarks=names, average="average")])
    assert list(rows) == ["selection", "name", "group", "value"]
    assert rows["value"].notna().all()
    assert not rows.duplicated(["selection", "name", "group"]).any()
    return {tuple(row[:3]): row[3] for row in rows.itertuples(index=False, name=None)}


def test_each_benchmark_and_the_average_have_value_mean_and_deviation():
    found = metrics(
        Scores("raw", "birds", {KNN_1: right(60, 100)}),
        Scores("raw", "cars", {KNN_1: right(100, 400)}),
        Scores("raw", "maps", {KNN_1: right(9, 10)}),
    )
    deviations = [np.sqrt(p * (1 - p) / n) for p, n in ((0.6, 100), (0.25, 400), (0.9, 10))]
    for benchmark, share, deviation in zip(("birds", "cars", "maps"), (0.6, 0.25, 0.9), deviations, strict=True):
        assert found["raw", KNN_1, benchmark] == share
        assert found["raw", f"{KNN_1}{MEAN}", benchmark] == pytest.approx(share, abs=5 * deviation / np.sqrt(2000))
        assert found["raw", f"{KNN_1}{STD}", benchmark] == pytest.approx(deviation, rel=0.08)
    assert found["raw", KNN_1, "average"] == pytest.approx((0.6 + 0.25 + 0.9) / 3)
    stds = [found["raw", f"{KNN_1}{STD}", benchmark] for benchmark in ("birds", "cars", "maps")]
    assert found["raw", f"{KNN_1}{STD}", "average"] == pytest.approx(np.sqrt(np.square(stds).sum()) / 3)


def test_a_model_that_lacks_a_benchmark_has_no_average_and_directions_do_not_count():
    found = metrics(
        Scores("raw", "birds", {KNN_1: right(6, 10)}),
        Scores("raw", "cars", {KNN_1: right(7, 10)}),
        Scores("curated", "cars", {KNN_1: right(8, 10)}),
        Scores("curated", "streets", {PRECISION: right(1, 2)}),
        Scores("curated", "streets:back", {PRECISION: right(0, 2)}),
    )
    averages = {key: value for key, value in found.items() if key[2] == "average" and key[1] in (KNN_1, PRECISION)}
    assert averages == {("raw", KNN_1, "average"): pytest.approx(0.65), ("curated", PRECISION, "average"): 0.5}


def test_models_are_compared_on_the_same_draws():
    found = metrics(Scores("a", "birds", {KNN_1: right(6, 10)}), Scores("b", "birds", {KNN_1: right(6, 10)}))
    assert found["a", f"{KNN_1}{MEAN}", "birds"] == found["b", f"{KNN_1}{MEAN}", "birds"]


def test_a_single_item_has_no_deviation_and_nothing_else_is_lost():
    found = metrics(
        Scores("raw", "oxford", {PRECISION: np.array([0.25])}, numbers={N_TEST: 1.0}),
        Scores("raw", "paris", {PRECISION: np.array([0.5, 1.0])}),
    )
    assert found["raw", PRECISION, "oxford"] == found["raw", f"{PRECISION}{MEAN}", "oxford"] == 0.25
    assert found["raw", f"{PRECISION}{STD}", "paris"] == pytest.approx(0.25 / np.sqrt(2), rel=0.08)
    assert found["raw", PRECISION, "average"] == 0.5
    assert {group for _, name, group in found if name == f"{PRECISION}{STD}"} == {"paris"}


def test_no_scores_have_no_average():
    nothing = benchmark_metrics(Scores("raw", "birds", {}), seed=0, rounds=9)
    assert average_metrics(nothing, benchmarks=["birds"], average="average").empty


def test_accuracy_by_group_and_the_gap():
    regions = np.array(["africa", "africa", "europe", "europe", None], dtype=object)
    by_item = {KNN_20: np.array([1, 0, 1, 1, 0]), KNN_1: right(1, 5)}
    found = metrics(Scores("raw", "dollars", by_item, {KNN_20: {"region": regions}}, {N_TEST: 5.0}))
    assert {name for _, name, group in found if "/" in group} == {KNN_20, f"{KNN_20}{GAP}"}
    assert found["raw", KNN_20, "dollars/region=africa"] == 0.5
    assert found["raw", KNN_20, "dollars/region=europe"] == 1
    assert found["raw", f"{KNN_20}{GAP}", "dollars/region"] == 0.5
    assert found["raw", N_TEST, "dollars"] == 5
    assert found["raw", KNN_20, "dollars"] == 0.6


def test_scores_of_whole_sets_have_value_mean_deviation_and_groups():
    """The share of a weight, as a mean is none: (1 + 2) / (1 + 2 + 3)."""
    terms = np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 3.0]])
    areas = np.array(["a", "a", None], dtype=object)
    ratio = SetScore(terms, lambda sums: sums[:, 0] / sums[:, 1], {"area": areas})
    found = metrics(Scores("raw", "trees", {}, by_set={R2: ratio}), Scores("raw", "birds", {}, by_set={R2: ratio}))
    assert found["raw", R2, "trees"] == 0.5 == found["raw", R2, "average"]
    assert found["raw", R2, "trees/area=a"] == 1
    assert 0.3 < found["raw", f"{R2}{MEAN}", "trees"] < 0.7
    stds = [found["raw", f"{R2}{STD}", benchmark] for benchmark in ("trees", "birds")]
    assert found["raw", f"{R2}{STD}", "average"] == pytest.approx(np.hypot(*stds) / 2)
    assert not any(name.endswith(GAP) for _, name, _ in found)


def test_errors_are_told_of_each_benchmark_and_not_averaged():
    heights = Scores("raw", "trees", {MAE: np.array([3.0, 1.0])}, {MAE: {"area": np.array(["a", "b"])}})
    found = metrics(heights, Scores("raw", "prices", {MAE: np.array([1e6])}))
    assert found["raw", MAE, "trees"] == 2 and found["raw", MAE, "trees/area=a"] == 3
    assert found["raw", f"{MAE}{GAP}", "trees/area"] == pytest.approx(2 / 3)
    assert not any(group == "average" for *_, group in found)


def test_families_average_their_own_benchmarks():
    scores = [Scores("raw", name, {KNN_1: right(n, 10)}) for name, n in (("birds", 6), ("cars", 8), ("maps", 1))]
    each = pd.concat([benchmark_metrics(one, seed=0, rounds=9) for one in scores])
    of_family = average_metrics(each, benchmarks=["birds", "cars"], average="average:fine-grained")
    assert of_family.set_index("name").loc[KNN_1].tolist() == ["raw", "average:fine-grained", pytest.approx(0.7)]
