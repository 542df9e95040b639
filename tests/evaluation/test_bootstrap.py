"""The bootstrap against the standard deviation that theory gives."""

import numpy as np
import pytest

from equipoise.errors import InputError
from equipoise.evaluation.bootstrap import Estimate, averaged, resampled_mean


@pytest.mark.parametrize(("n", "share"), [(400, 0.3), (5000, 0.9)])
def test_an_accuracy_varies_as_a_binomial_share(n, share):
    correct = np.arange(n) < share * n
    found = resampled_mean(correct, seed=0)
    deviation = np.sqrt(share * (1 - share) / n)
    assert found.std == pytest.approx(deviation, rel=0.08)  # of 1000 rounds: within 2.2% in two cases of three
    assert found.mean == pytest.approx(share, abs=4 * deviation / np.sqrt(1000))


def test_scores_vary_by_their_own_deviation():
    scores = np.linspace(0, 1, 300) ** 3
    found = resampled_mean(scores, seed=1, rounds=4000)
    assert found.std == pytest.approx(scores.std() / np.sqrt(300), rel=0.05)


def test_what_never_varies_has_no_deviation():
    assert resampled_mean(np.ones(10), seed=0) == Estimate(1.0, 0.0)


def test_seed_and_number_decide_and_models_share_draws():
    better = np.arange(50) < 30
    found = resampled_mean(better, seed=0, number=1)
    assert found == resampled_mean(better, seed=0, number=1)
    assert found != resampled_mean(better, seed=1, number=1)
    assert found != resampled_mean(better, seed=0, number=2)
    # One item more is right: in the draws of all models alike, so their mean gains its share of the draws.
    assert resampled_mean(np.arange(50) < 31, seed=0, number=1).mean > found.mean


def test_three_benchmarks_average_by_a_third_of_the_root_of_the_summed_variances():
    found = averaged([Estimate(0.6, 0.03), Estimate(0.9, 0.04), Estimate(0.3, 0.12)])
    assert found.mean == pytest.approx(0.6)
    assert found.std == pytest.approx(0.13 / 3)
    assert averaged([Estimate(0.6, 0.03)]) == pytest.approx((0.6, 0.03))


def test_a_single_score_has_a_mean_and_an_unknown_deviation_and_so_has_an_average_with_it():
    found = resampled_mean([0.25], seed=0)
    assert found == pytest.approx((0.25, np.nan), nan_ok=True)
    assert averaged([found, Estimate(0.75, 0.1)]) == pytest.approx((0.5, np.nan), nan_ok=True)


@pytest.mark.parametrize("values", [[], [[1.0, 0.0]], [0.0, np.nan], [np.nan]])
def test_what_is_no_score(values):
    with pytest.raises(InputError, match="a bootstrap needs"):
        resampled_mean(values, seed=0)


def test_no_benchmarks():
    with pytest.raises(InputError, match="no benchmarks"):
        averaged([])
