"""The linear probe: how well a linear classifier separates the classes of frozen features."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from equipoise.errors import InputError
from equipoise.evaluation.features import Features, Flags, Labels
from equipoise.kernels.draws import Purpose, derived_seed

STRENGTHS = tuple(10.0**power for power in range(-5, 3))
"""scikit-learn's C: the inverse of the penalty, against the loss summed over items."""

FOLDS = 5
MOST_ITERATIONS = 1000


@dataclass(frozen=True)
class Probe:
    """``correct`` (m,) bool of the test items; ``strength``, the C that was chosen; whether its fit converged."""

    correct: Flags
    strength: float
    is_converged: bool


@dataclass(frozen=True)
class FittedProbe:
    """A linear classifier of frozen features; ``strength``, the C that was chosen; whether its fit converged."""

    scaler: StandardScaler
    model: LogisticRegression
    strength: float
    is_converged: bool

    def predict(self, vectors: NDArray[Any], *, classes: Labels | None = None) -> Labels:
        """Return the labels (m,) of vectors (m, d); with ``classes`` the most likely one of these.

        Raises:
            InputError: no training item has one of the classes.
        """
        scaled = self.scaler.transform(vectors.astype(np.float64))
        if classes is None:
            return np.asarray(self.model.predict(scaled))
        counts = np.isin(self.model.classes_, classes)
        if not counts.any():
            raise InputError(f"none of the {len(classes)} classes that count is one of train's: check the labels")
        margins = self.model.decision_function(scaled)
        margins = np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins
        return np.asarray(self.model.classes_[counts][margins[:, counts].argmax(axis=1)])


def linear_probe(train: Features, test: Features, *, seed: int, strengths: tuple[float, ...] = STRENGTHS) -> Probe:
    """Fit logistic regression on train and return which test items it gets right.

    Args:
        train: see :func:`fit_probe`.
        test: vectors (m, d) with labels of the same kind; those of no training item are never right.
        seed: of the held-out part.
        strengths: values of C to try.

    Raises:
        InputError: vectors of different lengths, too few classes or items.
    """
    if train.vectors.shape[1] != test.vectors.shape[1]:
        raise InputError(
            f"train vectors have length {train.vectors.shape[1]}, test vectors {test.vectors.shape[1]}: "
            "take both from one model"
        )
    fitted = fit_probe(train, seed=seed, strengths=strengths)
    return Probe(fitted.predict(test.vectors) == test.labels, fitted.strength, fitted.is_converged)


def fit_probe(train: Features, *, seed: int, strengths: tuple[float, ...] = STRENGTHS) -> FittedProbe:
    """Fit logistic regression.

    The regularisation is the one that does best on a fifth of train, drawn by class, in a fit on the rest (of equal
    ones the strongest); then all of train is fitted. Classes of fewer than five items stay out of that fifth: a class
    that is not fitted is never right. Features are standardised by train's means and deviations: the penalty is the
    same for all dimensions, and one grid serves models whose features differ in scale.

    Args:
        train: vectors (n, d) with labels: two classes or more, one of them with five items.
        seed: of the held-out part.
        strengths: values of C to try.

    Raises:
        InputError: too few classes or items.
    """
    _check(train)
    scaler = StandardScaler().fit(train.vectors.astype(np.float64))
    vectors = scaler.transform(train.vectors.astype(np.float64))
    fitted, held_out = _held_out(train.labels, seed)
    accuracies = [
        model.score(vectors[held_out], train.labels[held_out])
        for model in _fits(vectors[fitted], train.labels[fitted], strengths)
    ]
    strength = sorted(strengths)[int(np.argmax(accuracies))]
    model = next(_fits(vectors, train.labels, (strength,)))
    return FittedProbe(scaler, model, strength, bool(model.n_iter_.max() < MOST_ITERATIONS))


def _fits(vectors: NDArray[np.float64], labels: Labels, strengths: tuple[float, ...]) -> Any:
    """One fit after the other, from the strongest penalty up: each starts where the one before ended."""
    model = LogisticRegression(max_iter=MOST_ITERATIONS, warm_start=True)
    for strength in sorted(strengths):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # told by the probe itself
            yield model.set_params(C=strength).fit(vectors, labels)


def _held_out(labels: Labels, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the fitted and of the held-out items; every class has some of the first."""
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    common = np.flatnonzero(counts[codes] >= FOLDS)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=derived_seed(seed, Purpose.EVALUATION))
    held_out = common[next(iter(folds.split(common, labels[common])))[1]]
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def _check(train: Features) -> None:
    counts = np.unique(train.labels, return_counts=True)[1]
    if len(counts) < 2 or counts.max() < FOLDS:
        raise InputError(
            f"train has {len(counts)} classes, the largest with {counts.max()} items: a linear probe needs two "
            f"classes, one with {FOLDS} items, to choose its regularisation on a part that it does not fit"
        )
