"""k-NN against scikit-learn's."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from equipoise.errors import InputError
from equipoise.evaluation.features import Features
from equipoise.evaluation.neighbours import KNN_1, KNN_20, knn_correct, votes
from equipoise.kernels.neighbours import Neighbours, nearest_by_cosine


def blobs(n: int, seed: int, *, n_classes: int = 6, dim: int = 12) -> Features:
    """Overlapping classes with names, of unequal sizes."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(n_classes, dim))
    codes = np.minimum(rng.geometric(0.3, n) - 1, n_classes - 1)
    return Features(
        (centres[codes] + 1.2 * rng.normal(size=(n, dim))).astype(np.float32), np.array(list("fedcba"))[codes]
    )


def oracle(train: Features, test: Features, k: int, **weights) -> np.ndarray:
    model = KNeighborsClassifier(k, metric="cosine", algorithm="brute", **weights)
    return model.fit(train.vectors.astype(np.float64), train.labels).predict(test.vectors.astype(np.float64))


def test_items_are_right_where_scikit_learn_says_so():
    train, test = blobs(700, 0), blobs(300, 1)
    found = knn_correct(train, test)
    dino = oracle(train, test, 20, weights=lambda distances: np.exp((1 - distances) / 0.07))
    np.testing.assert_array_equal(found[KNN_1], oracle(train, test, 1) == test.labels)
    np.testing.assert_array_equal(found[KNN_20], dino == test.labels)
    assert 0.2 < found[KNN_1].mean() < found[KNN_20].mean() < 1


def test_plain_votes_are_scikit_learns():
    train, test = blobs(200, 2), blobs(90, 3)
    found = nearest_by_cosine(test.vectors, train.vectors, 9)
    np.testing.assert_array_equal(votes(found, train.labels), oracle(train, test, 9))
    np.testing.assert_array_equal(votes(found, train.labels, k=3), oracle(train, test, 3))


def test_chunks_of_any_size_give_the_same_votes(monkeypatch):
    train, test = blobs(200, 2), blobs(90, 3)
    found = nearest_by_cosine(test.vectors, train.vectors, 9)
    whole = votes(found, train.labels)
    for n_sums in (1, 40):  # an item at a time; six of them, and the rest
        monkeypatch.setattr("equipoise.evaluation.neighbours._SUMS_PER_CHUNK", n_sums)
        np.testing.assert_array_equal(votes(found, train.labels), whole)


def test_weights_outvote_a_majority_and_equal_votes_go_to_the_first_label():
    labels = np.array(["b", "a", "a"])
    near = Neighbours(np.array([[0, 1, 2]]), np.array([[0.9, 0.7, 0.7]]))
    assert votes(near, labels).tolist() == ["a"]
    assert votes(near, labels, temperature=0.07).tolist() == ["b"]  # exp(0.2 / 0.07) = 17 votes of one
    assert votes(near, labels, k=2).tolist() == ["a"]


def test_few_training_items_all_vote_and_unknown_classes_are_wrong():
    train = Features(np.eye(3, dtype=np.float32), np.array([0, 1, 1]))
    test = Features(np.eye(3, dtype=np.float32)[[0, 2]], np.array([0, 7]))
    found = knn_correct(train, test)
    assert found[KNN_1].tolist() == found[KNN_20].tolist() == [True, False]


@pytest.mark.parametrize(
    ("vectors", "labels"), [(np.ones((2, 3)), np.ones(3)), (np.ones((0, 3)), np.ones(0)), (np.ones(3), np.ones(3))]
)
def test_features_of_another_shape_are_refused(vectors, labels):
    with pytest.raises(InputError, match="vectors have shape"):
        Features(vectors, labels)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match=r"1 vectors are not finite, the first is row 1"):
        Features(np.array([[0.0], [np.nan]]), np.array([1, 2]))
