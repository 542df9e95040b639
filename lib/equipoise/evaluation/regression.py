"""Regression on frozen features: a ridge probe, and how far its predictions are from what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit
from sklearn.preprocessing import StandardScaler

from equipoise.errors import InputError
from equipoise.evaluation.bootstrap import SetScore
from equipoise.evaluation.features import Features, Labels
from equipoise.kernels.draws import Purpose, derived_seed

MAE, RMSE, R2, BLOCK_R2 = "mean_absolute_error", "root_mean_squared_error", "r2", "block_r2"

PENALTIES = tuple(10.0**power for power in range(-6, 4))
"""For an item: scikit-learn's alpha is that times the items."""
FEWEST_ITEMS = 5

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class RidgeProbe:
    """``predicted`` (m,) float64 of the test items; ``penalty`` for an item, the one that was chosen."""

    predicted: Doubles
    penalty: float


def ridge_probe(train: Features, test: NDArray[Any], *, seed: int, blocks: Labels | None = None) -> RidgeProbe:
    """Fit ridge regression on train and return what it predicts of test.

    The penalty is the one that does best on a fifth of train, of whole blocks where there are blocks, in a fit on the
    rest (of equal ones the strongest); then all of train is fitted. Features are standardised by train's means and
    deviations.

    Args:
        train: vectors (n, d), labels (n,) float64: what was measured.
        test: vectors (m, d).
        seed: of the held-out part.
        blocks: (n,) the block of each train item; items of one are alike.

    Raises:
        InputError: vectors of different lengths, measurements that are not finite or all the same, or too few items.
    """
    targets = np.asarray(train.labels, dtype=np.float64)
    _check(train.vectors, test, targets)
    scaler = StandardScaler().fit(train.vectors.astype(np.float64))
    vectors = scaler.transform(train.vectors.astype(np.float64))
    fitted, held_out = _held_out(len(targets), blocks, seed)
    strongest_first = sorted(PENALTIES, reverse=True)
    errors = [
        _mean_squared(_fit(vectors[fitted], targets[fitted], penalty).predict(vectors[held_out]) - targets[held_out])
        for penalty in strongest_first
    ]
    penalty = strongest_first[int(np.argmin(errors))]
    predicted = _fit(vectors, targets, penalty).predict(scaler.transform(test.astype(np.float64)))
    return RidgeProbe(np.asarray(predicted, dtype=np.float64), penalty)


def regression_scores(
    truth: Doubles, predicted: Doubles, *, blocks: Labels | None = None, groups: Mapping[str, Labels]
) -> tuple[dict[str, Doubles], dict[str, SetScore]]:
    """Return the absolute error of each item, and the scores of the whole: RMSE, R2 and, with blocks, theirs.

    ``block_r2`` is the R2 of the means of blocks: what was measured and what was predicted are averaged over each block
    first. Its test sets are drawn by block.

    Args:
        truth: (m,) what was measured.
        predicted: (m,).
        blocks: (m,) the block of each.
        groups: by column, (m,) names, None for items in no group.

    Raises:
        InputError: what was measured is not finite, or the same for all (items or blocks): there is no variance to
            explain.

    Source: Tolan et al. 2024, whose measures Vo et al. 2024 take for canopy heights: MAE, R2 and block R2.
    """
    _check_varies(truth, "items")
    errors = truth - predicted
    by_set = {
        RMSE: SetScore(np.stack([errors**2, np.ones_like(errors)], axis=1), _root_mean, groups),
        R2: _r2(truth, predicted, groups),
    }
    if blocks is not None:
        codes = np.unique(blocks, return_inverse=True)[1]
        means = [np.bincount(codes, values) / np.bincount(codes) for values in (truth, predicted)]
        _check_varies(means[0], "blocks")
        by_set[BLOCK_R2] = _r2(means[0], means[1], {})
    return {MAE: np.abs(errors)}, by_set


def _r2(truth: Doubles, predicted: Doubles, groups: Mapping[str, Labels]) -> SetScore:
    centred = truth - truth.mean()
    return SetScore(
        np.stack([(truth - predicted) ** 2, centred, centred**2, np.ones_like(truth)], axis=1), _explained, groups
    )


def _explained(sums: Doubles) -> Doubles:
    """1 less the errors over the variance; NaN where nothing varies."""
    errors, linear, squares, n = sums.T
    varied = squares - linear**2 / n
    is_known = varied > 1e-12 * squares
    return np.where(is_known, 1 - errors / np.where(is_known, varied, 1.0), np.nan)


def _root_mean(sums: Doubles) -> Doubles:
    return np.asarray(np.sqrt(sums[:, 0] / sums[:, 1]))


def _fit(vectors: Doubles, targets: Doubles, penalty: float) -> Ridge:
    return Ridge(alpha=penalty * len(targets), solver="cholesky").fit(vectors, targets)


def _mean_squared(errors: Doubles) -> float:
    return float((errors**2).mean())


def _held_out(n: int, blocks: Labels | None, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the fitted and of the held-out items."""
    state, nothing = derived_seed(seed, Purpose.EVALUATION), np.zeros(n)
    is_blocked = blocks is not None and len(np.unique(blocks)) >= FEWEST_ITEMS
    parts = (GroupShuffleSplit if is_blocked else ShuffleSplit)(1, test_size=1 / FEWEST_ITEMS, random_state=state)
    fitted, held_out = next(iter(parts.split(nothing, groups=blocks)))
    return fitted, held_out


def _check(train: NDArray[Any], test: NDArray[Any], targets: Doubles) -> None:
    if train.shape[1] != test.shape[1]:
        raise InputError(
            f"train vectors have length {train.shape[1]}, test vectors {test.shape[1]}: take both from one model"
        )
    if len(targets) < FEWEST_ITEMS:
        raise InputError(f"train has {len(targets)} items: a ridge probe needs {FEWEST_ITEMS}, to hold out a fifth")
    _check_varies(targets, "items of train")


def _check_varies(values: Doubles, what: str) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"{int((~np.isfinite(values)).sum()):,} of {len(values):,} targets are not finite: leave out")
    if values.min() == values.max():
        raise InputError(f"the targets of all {len(values):,} {what} are {values[0]:g}: there is nothing to explain")
