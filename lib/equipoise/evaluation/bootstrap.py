"""How much a score would move on another test set of the same size."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.stats import DegenerateDataWarning, bootstrap

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed

ROUNDS = 1000

_VALUES_PER_BATCH = 1 << 22


class Estimate(NamedTuple):
    """A score: the mean over resampled test sets and its standard deviation, NaN where one item cannot tell it."""

    mean: float
    std: float


@dataclass(frozen=True)
class SetScore:
    """A score of a whole test set, not the mean of its items' scores: sums over its units decide it.

    Units are what test sets are drawn of: items, or images or blocks of items. ``terms`` (units, c) float64, dense or
    sparse, are what each adds; ``value`` makes of the sums (m, c) of m sets their scores (m,), NaN where a set has
    none; ``groups`` are, by column, (units,) names, None for units in no group.
    """

    terms: NDArray[np.float64] | sparse.csr_matrix
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def of(self, weights: ArrayLike | None = None) -> NDArray[np.float64]:
        """The scores (m,) of sets that hold each unit so often: ``weights`` (m, units); without, of the one given."""
        given = np.ones((1, self.terms.shape[0])) if weights is None else np.asarray(weights, dtype=np.float64)
        return self.value(np.asarray(given @ self.terms, dtype=np.float64))


def resampled_mean(values: ArrayLike, *, seed: int, number: int = 0, rounds: int = ROUNDS) -> Estimate:
    """Return mean and standard deviation of the mean of test sets, drawn with replacement, as large as the one given.

    Args:
        values: (n,) the score of each test item, for an accuracy right or wrong; of a single one the mean is known,
            the deviation is NaN.
        seed: of the draws.
        number: of the test set: the same for all models, so that these are compared on the same draws.
        rounds: test sets to draw.

    Raises:
        InputError: no items, or values that are not finite.

    Source: "Less is More?" (2025), the k-NN evaluation.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1 or not scores.size or not np.isfinite(scores).all():
        raise InputError(f"scores have shape {scores.shape}: a bootstrap needs (n,) finite values, n above 0")
    if scores.size == 1:
        return Estimate(float(scores[0]), np.nan)
    drawn = bootstrap(
        (scores,),
        np.mean,
        n_resamples=rounds,
        batch=max(1, _VALUES_PER_BATCH // scores.size),
        method="percentile",
        random_state=np.random.default_rng(derived_seed(seed, Purpose.EVALUATION, 1, number)),
    )
    return Estimate(float(drawn.bootstrap_distribution.mean()), float(drawn.standard_error))


def resampled_value(score: SetScore, *, seed: int, number: int = 0, rounds: int = ROUNDS) -> Estimate:
    """Return mean and standard deviation of the score of test sets of as many units, drawn with replacement.

    Each is computed from the sums over what was drawn. Sets without a score (R2 where nothing varies) do not count.

    Args:
        score: of the test set; of a single unit the deviation is NaN.
        seed: of the draws.
        number: of the test set: the same for all models.
        rounds: test sets to draw.
    """
    n_units, n_terms = score.terms.shape
    if n_units == 1:
        return Estimate(float(score.of()[0]), np.nan)

    def of_drawn(units: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        sets = units.reshape(-1, n_units)
        places = sets + n_units * np.arange(len(sets))[:, None]
        weights = np.bincount(places.ravel(), minlength=places.size).reshape(sets.shape)
        return score.of(weights).reshape(units.shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # of its interval, where a set has no score
        drawn = bootstrap(
            (np.arange(n_units),),
            of_drawn,
            n_resamples=rounds,
            batch=max(1, _VALUES_PER_BATCH // max(n_units, n_terms)),
            method="percentile",
            vectorized=True,
            random_state=np.random.default_rng(derived_seed(seed, Purpose.EVALUATION, 1, number)),
        ).bootstrap_distribution
    known = drawn[np.isfinite(drawn)]
    if known.size < 2:
        return Estimate(float(score.of()[0]), np.nan)
    return Estimate(float(known.mean()), float(known.std(ddof=1)))


def averaged(estimates: Sequence[Estimate]) -> Estimate:
    """Return the average over benchmarks; its deviation is the root of the summed variances over their number.

    It is NaN where that of a benchmark is.

    Raises:
        InputError: none are given.

    Source: "Less is More?" (2025), the k-NN evaluation: what its text says (benchmarks are independent, so variances
    add up), not the formula that it prints.
    """
    if not estimates:
        raise InputError("there are no benchmarks to average over: give one at least")
    means, deviations = (np.array(column) for column in zip(*estimates, strict=True))
    return Estimate(float(means.mean()), float(np.sqrt((deviations**2).sum()) / len(estimates)))
