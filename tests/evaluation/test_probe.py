"""The linear probe on classes that can and cannot be separated."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from equipoise.errors import InputError
from equipoise.evaluation.features import Features
from equipoise.evaluation.probe import STRENGTHS, linear_probe
from equipoise.kernels.draws import Purpose, derived_seed


def noisy(n: int, seed: int, *, n_noise: int = 60) -> Features:
    """Three classes along two dimensions, and many dimensions of noise, of very different scales."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 3, n)
    signal = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])[codes] + 0.7 * rng.normal(size=(n, 2))
    vectors = np.hstack([100 * signal, 0.01 * rng.normal(size=(n, n_noise))])
    return Features(vectors.astype(np.float32), np.array(["x", "y", "z"])[codes])


def test_it_is_scikit_learns_model_at_the_chosen_strength():
    train, test = noisy(300, 0), noisy(200, 1)
    found = linear_probe(train, test, seed=3)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=found.strength, max_iter=1000))
    expected = model.fit(train.vectors, train.labels).predict(test.vectors) == test.labels
    assert (found.correct == expected).mean() > 0.99  # both stop near the optimum, not at it
    assert found.is_converged


def test_the_strength_is_the_one_that_a_grid_search_finds_on_the_part_held_out():
    train = noisy(150, 0)
    folds = StratifiedKFold(5, shuffle=True, random_state=derived_seed(3, Purpose.EVALUATION))
    split = next(iter(folds.split(train.vectors, train.labels)))
    search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": STRENGTHS}, cv=[split])
    search.fit(StandardScaler().fit_transform(train.vectors.astype(np.float64)), train.labels)
    assert STRENGTHS[0] < search.best_params_["C"] < STRENGTHS[-1]
    assert linear_probe(train, train, seed=3).strength == search.best_params_["C"]


def test_the_scale_of_a_dimension_changes_nothing():
    train, test = noisy(200, 0), noisy(100, 1)
    scale = np.geomspace(0.01, 100, train.vectors.shape[1]).astype(np.float32)
    scaled = (Features(part.vectors * scale, part.labels) for part in (train, test))
    np.testing.assert_array_equal(linear_probe(*scaled, seed=0).correct, linear_probe(train, test, seed=0).correct)


def test_same_seed_same_answer_and_unknown_classes_are_wrong():
    train, test = noisy(100, 0), noisy(60, 1)
    first, second = (linear_probe(train, test, seed=5) for _ in range(2))
    assert first.strength == second.strength
    np.testing.assert_array_equal(first.correct, second.correct)
    unknown = Features(test.vectors, np.full(60, "w"))
    assert not linear_probe(train, unknown, seed=5).correct.any()


def test_equal_strengths_go_to_the_strongest_penalty():
    train = Features(np.repeat([[-1.0], [1.0]], 10, axis=0), np.repeat([0, 1], 10))
    found = linear_probe(train, train, seed=0, strengths=(10.0, 0.1, 1.0))
    assert (found.strength, found.correct.all()) == (0.1, True)


def test_rare_classes_are_no_obstacle():
    part = noisy(100, 0)
    train = Features(part.vectors, np.where(np.arange(100) == 7, "rare", part.labels))
    assert linear_probe(train, part, seed=0).correct.mean() > 0.5


@pytest.mark.parametrize("counts", [(5, 1), (10, 1), (5, 4), (4, 6), (50, 1, 1, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_the_rarest_classes_are_fitted_whatever_part_is_held_out(counts, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    train = Features(10 * np.eye(len(counts))[codes], np.array(list("abcd"))[codes])
    found = linear_probe(train, train, seed=seed)
    assert found.is_converged
    assert found.correct[codes == np.argmax(counts)].all()
    weakest = linear_probe(train, train, seed=seed, strengths=(100.0,))  # hardly a penalty: all classes are told apart
    assert weakest.correct.all()


@pytest.mark.parametrize(
    ("labels", "width", "complaint"),
    [
        ([0] * 20, 2, "train has 1 classes, the largest with 20 items"),
        ([0, 0, 1, 1], 2, "train has 2 classes, the largest with 2 items"),
        ([0] * 10 + [1] * 10, 3, "train vectors have length 2, test vectors 3"),
    ],
)
def test_bad_input(labels, width, complaint):
    train = Features(np.ones((len(labels), 2)), np.array(labels))
    test = Features(np.ones((5, width)), np.zeros(5))
    with pytest.raises(InputError, match=complaint):
        linear_probe(train, test, seed=0)
