"""One fitted classifier and many test sets: against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import jaccard_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from equipoise.errors import InputError
from equipoise.evaluation import classification as module
from equipoise.evaluation.bootstrap import resampled_value
from equipoise.evaluation.classification import (
    N_IMAGES,
    N_TEST,
    PROBE,
    PROBE_CONVERGED,
    PROBE_STRENGTH,
    LabelledTest,
    feature_scores,
)
from equipoise.evaluation.features import Features
from equipoise.evaluation.neighbours import KNN_1, KNN_20
from equipoise.evaluation.segmentation import mean_iou

NAMES = np.array(["ant", "bee", "cat", "dog", "eel"])


def items(n: int, seed: int, *, noise: float = 1.0) -> Features:
    """Five classes that overlap."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 5, n)
    means = np.random.default_rng(9).normal(size=(5, 4))
    return Features(means[codes] + noise * rng.normal(size=(n, 4)), NAMES[codes])


TRAIN, TEST = items(300, 0), items(200, 1)


def test_features_are_scored_by_neighbours_and_probe():
    clear = items(100, 0, noise=0.01)
    (found,) = feature_scores(clear, {"t": LabelledTest(clear.vectors, clear.labels)}, seed=0, probe=True).values()
    assert {name: flags.mean() for name, flags in found.by_item.items()} == {KNN_1: 1, KNN_20: 1, PROBE: 1}
    assert found.numbers.keys() == {N_TEST, PROBE_STRENGTH, PROBE_CONVERGED}
    assert (found.numbers[N_TEST], found.numbers[PROBE_CONVERGED], found.by_set) == (100, 1, {})
    (found,) = feature_scores(clear, {"t": LabelledTest(clear.vectors, clear.labels)}, seed=0, probe=False).values()
    assert found.by_item.keys() == {KNN_1, KNN_20}


def test_several_test_sets_are_asked_of_one_fit(monkeypatch):
    fits = []
    fit = module.fit_probe
    monkeypatch.setattr(module, "fit_probe", lambda *args, **keys: fits.append(1) or fit(*args, **keys))
    halves = {"v1": slice(0, 120), "v2": slice(120, 200)}
    tests = {name: LabelledTest(TEST.vectors[part], TEST.labels[part]) for name, part in halves.items()}
    found = feature_scores(TRAIN, tests, seed=0, probe=True)
    (whole,) = feature_scores(TRAIN, {"all": LabelledTest(TEST.vectors, TEST.labels)}, seed=0, probe=True).values()
    assert len(fits) == 2
    for score, flags in whole.by_item.items():
        np.testing.assert_array_equal(np.concatenate([found[name].by_item[score] for name in halves]), flags)


def test_any_of_several_right_labels_is_right():
    predicted = np.array(["ant", "bee", "cat"])
    several = [np.array(["bee", "ant"]), np.array(["cat"]), np.array(["cat"])]
    test = LabelledTest(np.zeros((3, 4)), several=several)
    assert test.correct(predicted).tolist() == [True, False, True]
    assert test.classes.tolist() == ["ant", "bee", "cat"]
    doubled = LabelledTest(TEST.vectors, several=[np.array([label, "eel"]) for label in TEST.labels])
    found = feature_scores(TRAIN, {"one": LabelledTest(TEST.vectors, TEST.labels), "real": doubled}, seed=0, probe=True)
    for score, flags in found["one"].by_item.items():
        assert (found["real"].by_item[score] >= flags).all()
        assert found["real"].by_item[score].sum() > flags.sum()


def test_only_the_own_classes_of_a_test_set_are_predicted_as_scikit_learn_would():
    own = np.isin(TEST.labels, ["ant", "eel"])
    test = LabelledTest(TEST.vectors[own], TEST.labels[own], own_classes=True)
    free = LabelledTest(TEST.vectors[own], TEST.labels[own])
    found = feature_scores(TRAIN, {"a": test, "free": free}, seed=0, probe=True)

    scaler = StandardScaler().fit(TRAIN.vectors)
    model = LogisticRegression(C=found["a"].numbers[PROBE_STRENGTH], max_iter=1000)
    shares = model.fit(scaler.transform(TRAIN.vectors), TRAIN.labels).predict_proba(scaler.transform(test.vectors))
    expected = np.where(shares[:, 0] >= shares[:, 4], "ant", "eel") == test.labels
    assert (found["a"].by_item[PROBE] == expected).mean() > 0.98

    counts = np.isin(TRAIN.labels, ["ant", "eel"])
    nearest = KNeighborsClassifier(1, metric="cosine").fit(TRAIN.vectors[counts], TRAIN.labels[counts])
    np.testing.assert_array_equal(found["a"].by_item[KNN_1], nearest.predict(test.vectors) == test.labels)
    for score, flags in found["a"].by_item.items():
        assert flags.mean() > found["free"].by_item[score].mean()


def test_two_classes_in_all_are_restricted_as_many_are():
    part = np.isin(TRAIN.labels, ["ant", "bee"])
    train = Features(TRAIN.vectors[part], TRAIN.labels[part])
    ants = TEST.vectors[TEST.labels == "ant"]
    test = LabelledTest(ants, np.full(len(ants), "ant"), own_classes=True)
    (found,) = feature_scores(train, {"a": test}, seed=0, probe=True).values()
    assert all(flags.all() for flags in found.by_item.values())


def test_own_classes_that_train_lacks_are_refused():
    test = LabelledTest(TEST.vectors, np.full(200, "yak"), own_classes=True)
    with pytest.raises(InputError, match="none of the 1 classes of the test set 'a' is one of train's"):
        feature_scores(TRAIN, {"a": test}, seed=0, probe=False)


# Dense features


IMAGES = np.repeat(np.arange(20), 10)


def test_mean_iou_is_scikit_learns_and_is_resampled_by_image():
    rng = np.random.default_rng(0)
    truth = NAMES[rng.integers(0, 5, 200)]
    predicted = np.where(rng.random(200) < 0.6, truth, NAMES[rng.integers(0, 3, 200)])
    score = mean_iou(truth, predicted, IMAGES, groups={})
    assert score.of()[0] == pytest.approx(jaccard_score(truth, predicted, average="macro"))
    drawn = np.random.default_rng(1).integers(0, 20, (50, 20))
    rows = [np.concatenate([np.flatnonzero(image == IMAGES) for image in images]) for images in drawn]
    expected = [jaccard_score(truth[one], predicted[one], average="macro") for one in rows]
    weights = [np.bincount(images, minlength=20) for images in drawn]
    np.testing.assert_allclose(score.of(weights), expected)
    estimate = resampled_value(score, seed=0, rounds=2000)
    assert estimate.std == pytest.approx(np.std(expected), rel=0.35)
    assert estimate.mean == pytest.approx(np.mean(expected), abs=0.02)


def test_classes_that_are_predicted_alone_count_as_missed_and_others_do_not():
    score = mean_iou(np.array(["a", "a", "b"]), np.array(["a", "c", "b"]), np.array([1, 1, 2]), groups={})
    assert score.of()[0] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert score.of([[0, 1]])[0] == 1  # the second image alone
    assert np.isnan(resampled_value(mean_iou(NAMES, NAMES, np.zeros(5), groups={}), seed=0).std)


def test_dense_features_are_scored_by_mean_iou_and_by_group_of_images():
    areas = np.where(IMAGES < 10, "north", "south").astype(object)
    test = LabelledTest(TEST.vectors, TEST.labels, images=IMAGES, groups={"area": areas})
    (found,) = feature_scores(TRAIN, {"t": test}, seed=0, probe=True).values()
    assert (dict(found.by_item), found.numbers[N_TEST], found.numbers[N_IMAGES]) == ({}, 200, 20)
    nearest = KNeighborsClassifier(1, metric="cosine").fit(TRAIN.vectors, TRAIN.labels).predict(TEST.vectors)
    score = found.by_set["knn_1_mean_iou"]
    assert score.of()[0] == pytest.approx(jaccard_score(TEST.labels, nearest, average="macro"))
    north = areas == "north"
    expected = jaccard_score(TEST.labels[north], nearest[north], average="macro")
    assert score.of([score.groups["area"] == "north"])[0] == pytest.approx(expected)
    assert found.by_set.keys() == {"knn_1_mean_iou", "knn_20_mean_iou", "probe_mean_iou"}


def test_an_image_in_two_groups_is_refused():
    areas = np.array(["north", "south"] * 100, dtype=object)
    with pytest.raises(InputError, match="image 0 has rows of two groups of 'area'"):
        mean_iou(TEST.labels, TEST.labels, IMAGES, groups={"area": areas})
    with pytest.raises(InputError, match="there are 200 classes, 200 predicted ones and 3 images"):
        mean_iou(TEST.labels, TEST.labels, [1, 2, 3], groups={})
