"""Classes of frozen features: one set of training items, one fitted classifier, and any number of test sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equipoise.errors import InputError
from equipoise.evaluation.bootstrap import SetScore
from equipoise.evaluation.features import Features, Flags, Labels
from equipoise.evaluation.neighbours import KNN_1, KNN_20, knn_predicted
from equipoise.evaluation.probe import FittedProbe, fit_probe
from equipoise.evaluation.segmentation import mean_iou

PROBE = "probe_accuracy"
PROBE_STRENGTH, PROBE_CONVERGED = "probe_strength", "probe_converged"
N_TEST, N_IMAGES = "n_test", "n_images"

MEAN_IOU_OF = {KNN_1: "knn_1_mean_iou", KNN_20: "knn_20_mean_iou", PROBE: "probe_mean_iou"}
"""What is told of dense features in the place of an accuracy."""


@dataclass(frozen=True)
class LabelledTest:
    """What is asked of a classifier: ``vectors`` (m, d) and what is right for each.

    ``labels`` (m,), or in its place ``several``, m arrays of labels that are right, none empty. ``own_classes``: its
    classes alone are predicted. ``images`` (m,): the items are pixels or patches of these, with ``labels``. ``groups``
    by column: (m,) names, None for items in no group.
    """

    vectors: NDArray[np.floating[Any]]
    labels: Labels | None = None
    several: Sequence[Labels] | None = None
    own_classes: bool = False
    images: Labels | None = None
    groups: Mapping[str, Labels] = field(default_factory=dict)

    @property
    def classes(self) -> Labels:
        """All labels that are right somewhere."""
        right = self.labels if self.several is None else np.concatenate(self.several)
        assert right is not None, "one of labels and several is given"
        return np.unique(right)

    def correct(self, predicted: Labels) -> Flags:
        """Which predictions (m,) are right, (m,) bool."""
        if self.several is None:
            return np.asarray(predicted == self.labels)
        return np.array([label in right for label, right in zip(predicted, self.several, strict=True)], dtype=bool)


@dataclass(frozen=True)
class Classified:
    """The scores of one test set: ``by_item`` and ``by_set`` by name, and the other ``numbers``."""

    by_item: Mapping[str, Flags]
    by_set: Mapping[str, SetScore]
    numbers: Mapping[str, float]


def feature_scores(
    train: Features, tests: Mapping[str, LabelledTest], *, seed: int, probe: bool
) -> dict[str, Classified]:
    """Return what k-NN and, if asked for, the linear probe get right of every test set: fitted once.

    Raises:
        InputError: see :func:`~equipoise.evaluation.neighbours.knn_predicted`,
            :func:`~equipoise.evaluation.probe.fit_probe`; a test set that is to count its own classes has none of
            train's; an image is in two groups.
    """
    for name, test in tests.items():
        if test.own_classes and not np.isin(test.classes, train.labels).any():
            raise InputError(
                f"none of the {len(test.classes):,} classes of the test set {name!r} is one of train's, and its own "
                "alone count: write its labels as train's are written"
            )
    fitted = fit_probe(train, seed=seed) if probe else None
    return {name: _classified(train, test, fitted) for name, test in tests.items()}


def _classified(train: Features, test: LabelledTest, fitted: FittedProbe | None) -> Classified:
    classes = test.classes if test.own_classes else None
    predicted = knn_predicted(train, test.vectors, classes=classes)
    numbers = {N_TEST: float(len(test.vectors))}
    if fitted:
        predicted[PROBE] = fitted.predict(test.vectors, classes=classes)
        numbers |= {PROBE_STRENGTH: fitted.strength, PROBE_CONVERGED: float(fitted.is_converged)}
    if test.images is None:
        return Classified({name: test.correct(labels) for name, labels in predicted.items()}, {}, numbers)
    assert test.labels is not None, "pixels have one class each"
    numbers[N_IMAGES] = float(len(np.unique(test.images)))
    by_set = {
        MEAN_IOU_OF[name]: mean_iou(test.labels, labels, test.images, groups=test.groups)
        for name, labels in predicted.items()
    }
    return Classified({}, by_set, numbers)
