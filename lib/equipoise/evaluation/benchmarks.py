"""Scores of models on benchmarks -> rows of the table ``metrics``."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.evaluation.bootstrap import Estimate, averaged, resampled_mean
from equipoise.evaluation.fairness import accuracy_by_group, gap
from equipoise.evaluation.features import Features
from equipoise.evaluation.metrics import COLUMNS
from equipoise.evaluation.neighbours import KNN_1, KNN_20, knn_correct
from equipoise.evaluation.probe import linear_probe
from equipoise.evaluation.retrieval import PRECISION, RECALLS, SETUPS
from equipoise.schemas import Col

PROBE = "probe_accuracy"
PROBE_STRENGTH, PROBE_CONVERGED = "probe_strength", "probe_converged"
N_TEST = "n_test"
MEAN, STD, GAP = "_mean", "_std", "_gap"

ACCURACIES = (KNN_1, KNN_20, PROBE)
RETRIEVALS = (*RECALLS, PRECISION, *(f"{PRECISION}_{setup}" for setup in SETUPS))
SCORES = (*ACCURACIES, *RETRIEVALS)
"""What is scored item by item, in the order in which it is shown."""

_Row = tuple[str, str, str, float]


@dataclass(frozen=True)
class Scores:
    """What one model scored on one benchmark.

    ``by_item``: (n,) 0 to 1 for every test item, by the score's name; ``groups``: by the score's name and the column
    (n,) names, None for items in no group; ``numbers``: what else is told.
    """

    model: str
    benchmark: str
    by_item: Mapping[str, NDArray[Any]]
    groups: Mapping[str, Mapping[str, NDArray[Any]]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


def feature_scores(
    train: Features, test: Features, *, seed: int, probe: bool
) -> tuple[dict[str, NDArray[Any]], dict[str, float]]:
    """Return which test items k-NN and, if asked for, the linear probe get right, and the numbers beside.

    Raises:
        InputError: see :func:`~equipoise.evaluation.neighbours.knn_correct`,
            :func:`~equipoise.evaluation.probe.linear_probe`.
    """
    by_item: dict[str, NDArray[Any]] = {**knn_correct(train, test)}
    numbers = {N_TEST: float(len(test.labels))}
    if probe:
        found = linear_probe(train, test, seed=seed)
        by_item[PROBE] = found.correct
        numbers |= {PROBE_STRENGTH: found.strength, PROBE_CONVERGED: float(found.is_converged)}
    return by_item, numbers


def benchmark_metrics(scores: Scores, *, seed: int, rounds: int) -> pd.DataFrame:
    """Return what is known of a model on a benchmark.

    Args:
        scores: of its items.
        seed: of the bootstrap, whose draws are the same for all models.
        rounds: test sets to draw.

    Returns:
        selection (the model), name, group, value float64. For a score S and the group BENCHMARK: S (over the items
        given), S_mean and S_std (of the bootstrap; no S_std of a single item). S with the group
        BENCHMARK/COLUMN=VALUE, and S_gap with BENCHMARK/COLUMN. The other numbers under their names.
    """
    rows: list[_Row] = [(scores.model, name, scores.benchmark, value) for name, value in scores.numbers.items()]
    number = crc32(scores.benchmark.encode())
    for name, values in scores.by_item.items():
        estimate = resampled_mean(values, seed=seed, number=number, rounds=rounds)
        rows += _estimated((scores.model, name, scores.benchmark), float(np.mean(values)), estimate)
        rows += _by_group(scores, name, values)
    return pd.DataFrame(rows, columns=COLUMNS)


def average_metrics(metrics: pd.DataFrame, *, benchmarks: Collection[str], average: str) -> pd.DataFrame:
    """Return S, S_mean and S_std over all benchmarks with the score S, of every model that has them all.

    Args:
        metrics: what :func:`benchmark_metrics` returned of all models and benchmarks.
        benchmarks: those that count.
        average: the group of the rows that are returned.

    Returns:
        selection (the model), name, group, value float64.
    """
    own = metrics[metrics[Col.group].isin(list(benchmarks))]
    rows = [row for score in SCORES for row in _averages(own, score, average)]
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
        rates = accuracy_by_group(values, groups)
        place = f"{scores.benchmark}/{column}"
        for group, _, rate in rates.itertuples(index=False):
            yield scores.model, name, f"{place}={group}", rate
        if len(rates):
            yield scores.model, f"{name}{GAP}", place, gap(rates.iloc[:, -1])
