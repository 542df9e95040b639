"""The fit of clusters against class size: against numpy and scikit-learn, and the two cases that it tells apart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import r2_score

from equipoise.errors import InputError
from equipoise.evaluation.class_fit import class_fit


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 10**5)), min_size=3, max_size=50))
def test_line_and_power_are_those_of_numpy(classes: list[tuple[int, int]]) -> None:
    sizes, n_clusters = np.array(classes, dtype=float).T
    found = class_fit(sizes, n_clusters)
    if len(np.unique(sizes)) < 2:
        assert found == {}
        return
    for x, y, names in (
        (sizes, n_clusters, ("clusters_slope", "clusters_intercept", "clusters_r2")),
        (np.log(sizes), np.log(n_clusters), ("clusters_exponent", None, "clusters_exponent_r2")),
    ):
        slope, intercept = np.polyfit(x - x.mean(), y, 1)  # centred: polyfit scales badly where sizes are large
        assert found[names[0]] == pytest.approx(slope, rel=1e-6, abs=1e-9)
        if names[1]:
            assert found[names[1]] == pytest.approx(intercept - slope * x.mean(), rel=1e-6, abs=1e-4)
        if len(np.unique(y)) > 1:
            assert found[names[2]] == pytest.approx(r2_score(y, intercept + slope * (x - x.mean())), abs=1e-6)
        else:
            assert names[2] not in found


def test_clusters_in_proportion_to_size_have_the_exponent_1_and_as_many_for_all_have_0() -> None:
    sizes = np.array([10, 200, 3000, 40_000])
    proportional = class_fit(sizes, sizes / 10)
    assert proportional["clusters_slope"] == pytest.approx(0.1) and proportional["clusters_r2"] == pytest.approx(1)
    assert proportional["clusters_exponent"] == pytest.approx(1)
    even = class_fit(sizes, np.full(4, 7))
    assert even == {"clusters_slope": 0, "clusters_intercept": 7, "clusters_exponent": 0}


def test_classes_without_items_are_left_out() -> None:
    assert class_fit([10, 0, 30], [1, 0, 5]) == class_fit([10, 30], [1, 5])
    assert class_fit([], []) == class_fit([0, 4, 4], [0, 1, 2]) == {}


@pytest.mark.parametrize(
    ("sizes", "n_clusters", "reason"), [([1, 2], [1], "one each"), ([1, 2], [0, 1], "1 classes have")]
)
def test_what_cannot_be_fitted_is_refused(sizes: list[int], n_clusters: list[int], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        class_fit(sizes, n_clusters)
