"""How much a score would move on another test set of the same size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

from equipoise.errors import InputError
from equipoise.kernels.draws import Purpose, derived_seed

ROUNDS = 1000

_VALUES_PER_BATCH = 1 << 22


class Estimate(NamedTuple):
    """A score: the mean over resampled test sets and its standard deviation, NaN where one item cannot tell it."""

    mean: float
    std: float


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
