"""Scores of models on benchmarks -> rows of the table ``metrics``."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.evaluation.answers import EXACT_MATCH
from equipoise.evaluation.bootstrap import Estimate, SetScore, averaged, resampled_mean, resampled_value
from equipoise.evaluation.classification import MEAN_IOU_OF, PROBE
from equipoise.evaluation.fairness import gap, mean_by_group
from equipoise.evaluation.metrics import COLUMNS
from equipoise.evaluation.neighbours import KNN_1, KNN_20
from equipoise.evaluation.regression import BLOCK_R2, MAE, R2, RMSE
from equipoise.evaluation.retrieval import PRECISION, RECALLS, SETUPS
from equipoise.schemas import Col

MEAN, STD, GAP = "_mean", "_std", "_gap"

ACCURACIES = (KNN_1, KNN_20, PROBE)
MEAN_IOUS = tuple(MEAN_IOU_OF.values())
ERRORS = (MAE, RMSE)
"""In the units of what is predicted: no shares, and not averaged over benchmarks."""
EXPLAINED = (R2, BLOCK_R2)
ANSWERS = (EXACT_MATCH,)
RETRIEVALS = (*RECALLS, PRECISION, *(f"{PRECISION}_{setup}" for setup in SETUPS))
AVERAGED = (*ACCURACIES, *MEAN_IOUS, *EXPLAINED, *ANSWERS, *RETRIEVALS)
SCORES = (*AVERAGED, *ERRORS)
"""What is scored, item by item or of whole sets."""

_Row = tuple[str, str, str, float]


@dataclass(frozen=True)
class Scores:
    """What one model scored on one benchmark.

    ``by_item``: (n,) for every test item, by the score's name: their mean is the score; ``groups``: by the score's name
    and the column (n,) names, None for items in no group; ``by_set``: scores that are no means over items; ``numbers``:
    what else is told.
    """

    model: str
    benchmark: str
    by_item: Mapping[str, NDArray[Any]]
    groups: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    by_set: Mapping[str, SetScore] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, float]:
        """The score of the test set that was given, by name."""
        of_sets = {name: float(score.of()[0]) for name, score in self.by_set.items()}
        return {name: float(np.mean(values)) for name, values in self.by_item.items()} | of_sets


def benchmark_metrics(scores: Scores, *, seed: int, rounds: int) -> pd.DataFrame:
    """Return what is known of a model on a benchmark.

    Args:
        scores: of its items.
        seed: of the bootstrap, whose draws are the same for all models.
        rounds: test sets to draw.

    Returns:
        selection (the model), name, group, value float64. For a score S and the group BENCHMARK: S (over the items
        given), S_mean and S_std (of the bootstrap; no S_std of a single item). S with the group
        BENCHMARK/COLUMN=VALUE where the group has a score and, of means over items, S_gap with BENCHMARK/COLUMN. The
        other numbers under their names.
    """
    rows: list[_Row] = [(scores.model, name, scores.benchmark, value) for name, value in scores.numbers.items()]
    exact, draws = scores.values, {"seed": seed, "number": crc32(scores.benchmark.encode()), "rounds": rounds}
    estimates = {name: resampled_mean(values, **draws) for name, values in scores.by_item.items()}
    estimates |= {name: resampled_value(score, **draws) for name, score in scores.by_set.items()}
    for name, estimate in estimates.items():
        rows += _estimated((scores.model, name, scores.benchmark), exact[name], estimate)
    for name, values in scores.by_item.items():
        rows += _by_group(scores, name, values)
    for name, score in scores.by_set.items():
        rows += _sets_by_group(scores, name, score)
    return pd.DataFrame(rows, columns=COLUMNS)


def average_metrics(metrics: pd.DataFrame, *, benchmarks: Collection[str], average: str) -> pd.DataFrame:
    """Return S, S_mean and S_std over all benchmarks with the score S, of every model that has them all.

    Errors are left out: they have the units of what each benchmark measures.

    Args:
        metrics: what :func:`benchmark_metrics` returned of all models and benchmarks.
        benchmarks: those that count.
        average: the group of the rows that are returned.

    Returns:
        selection (the model), name, group, value float64.
    """
    own = metrics[metrics[Col.group].isin(list(benchmarks))]
    rows = [row for score in AVERAGED for row in _averages(own, score, average)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({Col.value: float})


def _averages(metrics: pd.DataFrame, score: str, average: str) -> Iterator[_Row]:
    exact, means, stds = (
        metrics[metrics[Col.name] == f"{score}{suffix}"].pivot(index=Col.selection, columns=Col.group, values=Col.value)
        for suffix in ("", MEAN, STD)
    )
    stds = stds.reindex(index=exact.index, columns=exact.columns)  # a single item has none
    for model in exact.dropna().index:
        estimates = [Estimate(*pair) for pair in zip(means.loc[model], stds.loc[model], strict=True)]
        yield from _estimated((model, score, average), float(exact.loc[model].mean()), averaged(estimates))


def _estimated(place: tuple[str, str, str], exact: float, estimate: Estimate) -> Iterator[_Row]:
    model, name, group = place
    yield model, name, group, exact
    yield model, f"{name}{MEAN}", group, estimate.mean
    if np.isfinite(estimate.std):
        yield model, f"{name}{STD}", group, estimate.std


def _by_group(scores: Scores, name: str, values: NDArray[Any]) -> Iterator[_Row]:
    for column, groups in scores.groups.get(name, {}).items():
        rates = mean_by_group(values, groups)
        place = f"{scores.benchmark}/{column}"
        for group, _, rate in rates.itertuples(index=False):
            yield scores.model, name, f"{place}={group}", rate
        if len(rates):
            yield scores.model, f"{name}{GAP}", place, gap(rates.iloc[:, -1])


def _sets_by_group(scores: Scores, name: str, score: SetScore) -> Iterator[_Row]:
    for column, groups in score.groups.items():
        codes, found = pd.factorize(groups, sort=True)  # -1 for none
        for code, group in enumerate(found):
            value = float(score.of([codes == code])[0])
            if np.isfinite(value):
                yield scores.model, name, f"{scores.benchmark}/{column}={group}", value
