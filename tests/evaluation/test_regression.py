"""The ridge probe and its scores against scikit-learn."""

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, GroupShuffleSplit, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from equipoise.errors import InputError
from equipoise.evaluation.bootstrap import resampled_value
from equipoise.evaluation.features import Features
from equipoise.evaluation.regression import BLOCK_R2, MAE, PENALTIES, R2, RMSE, regression_scores, ridge_probe
from equipoise.kernels.draws import Purpose, derived_seed


def measured(n: int, seed: int) -> Features:
    """Heights along one of 40 dimensions, of very different scales."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 40))
    return Features(vectors * np.geomspace(0.01, 100, 40), 7 + 3 * vectors[:, 5] + 4 * rng.normal(size=n))


TRAIN, TEST = measured(80, 0), measured(300, 1)
BLOCKS = np.repeat(np.arange(16), 5)


@pytest.mark.parametrize("blocks", [None, BLOCKS])
def test_it_is_scikit_learns_ridge_at_the_penalty_that_a_grid_search_finds(blocks):
    found = ridge_probe(TRAIN, TEST.vectors, seed=3, blocks=blocks)
    scaler = StandardScaler().fit(TRAIN.vectors)
    vectors = scaler.transform(TRAIN.vectors)
    parts = (ShuffleSplit if blocks is None else GroupShuffleSplit)(
        1, test_size=0.2, random_state=derived_seed(3, Purpose.EVALUATION)
    )
    split = list(parts.split(vectors, groups=blocks))
    if blocks is not None:
        assert not set(blocks[split[0][0]]) & set(blocks[split[0][1]])
    alphas = [penalty * len(split[0][0]) for penalty in PENALTIES]
    search = GridSearchCV(Ridge(), {"alpha": alphas}, cv=split, scoring="neg_mean_squared_error")
    best = search.fit(vectors, TRAIN.labels).best_params_["alpha"] / len(split[0][0])
    assert found.penalty == pytest.approx(best)
    assert PENALTIES[0] < found.penalty < PENALTIES[-1]
    model = Ridge(alpha=best * 80).fit(vectors, TRAIN.labels)
    np.testing.assert_allclose(found.predicted, model.predict(scaler.transform(TEST.vectors)), rtol=1e-6)


def scores(blocks=None, **groups):
    predicted = ridge_probe(TRAIN, TEST.vectors, seed=0).predicted
    return predicted, *regression_scores(TEST.labels, predicted, blocks=blocks, groups=groups)


def test_scores_are_scikit_learns():
    areas = np.where(np.arange(300) < 100, "north", "south").astype(object)
    predicted, by_item, by_set = scores(area=areas)
    assert by_item[MAE].mean() == pytest.approx(mean_absolute_error(TEST.labels, predicted))
    assert by_set[RMSE].of()[0] == pytest.approx(root_mean_squared_error(TEST.labels, predicted))
    assert by_set[R2].of()[0] == pytest.approx(r2_score(TEST.labels, predicted))
    assert by_set.keys() == {RMSE, R2}
    north = by_set[R2].groups["area"] == "north"
    assert by_set[R2].of([north])[0] == pytest.approx(r2_score(TEST.labels[:100], predicted[:100]))


def test_block_r2_is_that_of_the_means_of_blocks():
    blocks = np.arange(300) // 10
    predicted, _, by_set = scores(blocks)
    means = [values.reshape(30, 10).mean(axis=1) for values in (TEST.labels, predicted)]
    assert by_set[BLOCK_R2].of()[0] == pytest.approx(r2_score(*means))
    drawn = np.random.default_rng(0).integers(0, 30, (40, 30))
    weights = [np.bincount(one, minlength=30) for one in drawn]
    np.testing.assert_allclose(by_set[BLOCK_R2].of(weights), [r2_score(means[0][one], means[1][one]) for one in drawn])


@pytest.mark.parametrize(("name", "oracle"), [(R2, r2_score), (RMSE, root_mean_squared_error)])
def test_the_bootstrap_is_scipys(name, oracle):
    predicted, _, by_set = scores()
    found = resampled_value(by_set[name], seed=0, rounds=2000)
    drawn = bootstrap(
        (TEST.labels, predicted), oracle, paired=True, n_resamples=2000, method="percentile", random_state=1
    )
    assert found.std == pytest.approx(drawn.standard_error, rel=0.08)
    assert found.mean == pytest.approx(drawn.bootstrap_distribution.mean(), abs=0.15 * drawn.standard_error)
    assert resampled_value(by_set[name], seed=0, rounds=50) == resampled_value(by_set[name], seed=0, rounds=50)


def test_sets_where_nothing_varies_have_no_r2_and_count_in_no_deviation():
    truth, predicted = np.array([1.0, 2.0]), np.array([1.0, 2.5])
    score = regression_scores(truth, predicted, groups={})[1][R2]
    assert np.isnan(score.of([[2, 0]])[0])
    found = resampled_value(score, seed=0, rounds=200)
    assert found == pytest.approx((0.5, 0.0))  # both are drawn, or there is none


def test_what_cannot_be_explained_is_refused():
    with pytest.raises(InputError, match="the targets of all 3 items are 2: there is nothing to explain"):
        regression_scores(np.full(3, 2.0), np.zeros(3), groups={})
    with pytest.raises(InputError, match="all 1 blocks"):
        regression_scores(np.arange(3.0), np.zeros(3), blocks=np.zeros(3), groups={})
    with pytest.raises(InputError, match="1 of 3 targets are not finite"):
        regression_scores(np.array([1, 2, np.nan]), np.zeros(3), groups={})
    with pytest.raises(InputError, match="train has 4 items: a ridge probe needs 5"):
        ridge_probe(Features(np.eye(4), np.arange(4.0)), np.eye(4), seed=0)
    with pytest.raises(InputError, match="train vectors have length 5, test vectors 4"):
        ridge_probe(Features(np.eye(5), np.arange(5.0)), np.eye(4), seed=0)
    with pytest.raises(InputError, match="all 5 items of train are 1"):
        ridge_probe(Features(np.eye(5), np.ones(5)), np.eye(5), seed=0)
