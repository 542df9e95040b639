"""k-NN on frozen features: is an item's class that of the training items around it?"""

import numpy as np
from numpy.typing import NDArray

from equipoise.evaluation.features import Features, Flags, Labels
from equipoise.kernels.neighbours import Neighbours, nearest_by_cosine

WEIGHTED_K = 20
TEMPERATURE = 0.07
KNN_1, KNN_20 = "knn_1_accuracy", "knn_20_accuracy"

_SUMS_PER_CHUNK = 1 << 22


def knn_correct(train: Features, test: Features) -> dict[str, Flags]:
    """Return which test items k-NN gets right: by the nearest training item, and by the weighted vote of 20.

    Args:
        train: vectors (n, d) with labels; fewer than 20 all vote.
        test: vectors (m, d) with labels of the same kind; those of no training item are never right.

    Returns:
        ``knn_1_accuracy`` and ``knn_20_accuracy``: (m,) bool each; the mean is the accuracy.

    Raises:
        InputError: vectors of different lengths.

    Source: see :func:`knn_predicted`.
    """
    return {name: labels == test.labels for name, labels in knn_predicted(train, test.vectors).items()}


def knn_predicted(
    train: Features, vectors: NDArray[np.floating], *, classes: Labels | None = None
) -> dict[str, Labels]:
    """Return the labels that k-NN gives: that of the nearest training item, and the weighted vote of 20.

    Args:
        train: vectors (n, d) with labels; fewer than 20 all vote.
        vectors: (m, d) what is asked for.
        classes: labels of train that alone count: the neighbours are sought among their items.

    Returns:
        By ``knn_1_accuracy`` and ``knn_20_accuracy``: (m,) labels each.

    Raises:
        InputError: vectors of different lengths, or no training item of the classes.

    Source: DINO (Caron et al. 2021): cosine, k = 20, votes weighted by exp(cosine / 0.07).
    """
    if classes is not None:
        counts = np.isin(train.labels, classes)
        train = Features(train.vectors[counts], train.labels[counts])
    found = nearest_by_cosine(vectors, train.vectors, min(WEIGHTED_K, len(train.vectors)))
    return {
        KNN_1: votes(found, train.labels, k=1),
        KNN_20: votes(found, train.labels, temperature=TEMPERATURE),
    }


def votes(found: Neighbours, labels: Labels, *, k: int | None = None, temperature: float | None = None) -> Labels:
    """Return the label that the neighbours of each item vote for; of equal ones the first in sorted order.

    Args:
        found: neighbours (m, K), best first, as indices into ``labels``.
        labels: (n,).
        k: how many of them vote; all K without.
        temperature: a vote weighs exp(cosine / temperature); 1 without.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    indices, cosines = found.indices[:, :k], found.cosines[:, :k]
    weights = np.ones_like(cosines) if temperature is None else np.exp(cosines / temperature)
    n_rows = max(1, _SUMS_PER_CHUNK // len(classes))
    parts = [
        _most_votes(codes[indices[start : start + n_rows]], weights[start : start + n_rows])
        for start in range(0, len(indices), n_rows)
    ]
    return classes[np.concatenate(parts)]


def _most_votes(codes: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.int64]:
    n_rows, n_classes = len(codes), int(codes.max()) + 1
    places = codes + n_classes * np.arange(n_rows)[:, None]
    sums = np.bincount(places.ravel(), weights.ravel(), minlength=n_rows * n_classes)
    return sums.reshape(n_rows, n_classes).argmax(axis=1)
