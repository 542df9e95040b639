"""Scores of models on benchmarks -> rows of the table ``metrics``."""

from collections.abc import Iterator, Mapping, Sequence
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

PROBE = "probe_accuracy"
PROBE_STRENGTH, PROBE_CONVERGED = "probe_strength", "probe_converged"
N_TEST = "n_test"
MEAN, STD, GAP = "_mean", "_std", "_gap"

ACCURACIES = (KNN_1, KNN_20, PROBE)
RETRIEVALS = (*RECALLS, PRECISION, *(f"{PRECISION}_{setup}" for setup in SETUPS))
SCORES = (*ACCURACIES, *RETRIEVALS)
"""What is scored item by item, in the order in which it is shown."""

NAMES = (
    *(f"{score}{suffix}" for score in SCORES for suffix in ("", MEAN, STD, GAP)),
    PROBE_STRENGTH, PROBE_CONVERGED, N_TEST,
)  # fmt: skip
"""All names of metrics that are made here: a new benchmark of a run replaces these and leaves others alone."""

_Row = tuple[str, str, str, float]


@dataclass(frozen=True)
class Scores:
    """What one model scored on one benchmark.

    ``by_item``: (n,) 0 to 1 for every test item, by the score's name; ``groups``: (n,) names, None for items in no
    group, by the column; ``numbers``: what else is told. ``is_averaged``: it counts in the average over benchmarks.
    """

    model: str
    benchmark: str
    by_item: Mapping[str, NDArray[Any]]
    groups: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    is_averaged: bool = True


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


def benchmark_metrics(scores: Sequence[Scores], *, seed: int, rounds: int, average: str) -> pd.DataFrame:
    """Return what is known of every model.

    Args:
        scores: of each model and benchmark once.
        seed: of the bootstrap, whose draws are the same for all models.
        rounds: test sets to draw for each benchmark.
        average: what the average over all benchmarks with a score is called; a model has it when it has them all.

    Returns:
        selection (the model), name, group, value float64. For a score S and the group BENCHMARK: S (over the items
        given), S_mean and S_std (of the bootstrap), for the average as well. S with the group BENCHMARK/COLUMN=VALUE,
        and S_gap with BENCHMARK/COLUMN. The other numbers under their names.
    """
    rows: list[_Row] = []
    estimates: dict[tuple[str, str], dict[str, tuple[float, Estimate]]] = {}
    for one in scores:
        rows += [(one.model, name, one.benchmark, value) for name, value in one.numbers.items()]
        for name, values in one.by_item.items():
            exact = float(np.mean(values))
            number = crc32(one.benchmark.encode())
            estimate = resampled_mean(values, seed=seed, number=number, rounds=rounds)
            rows += _estimated(one.model, name, one.benchmark, exact, estimate)
            rows += _by_group(one, name, values)
            if one.is_averaged:
                estimates.setdefault((name, one.model), {})[one.benchmark] = exact, estimate
    return pd.DataFrame([*rows, *_averages(estimates, average)], columns=COLUMNS)


def _averages(estimates: dict[tuple[str, str], dict[str, tuple[float, Estimate]]], average: str) -> Iterator[_Row]:
    for (name, model), by_benchmark in estimates.items():
        every = {benchmark for (other, _), found in estimates.items() if other == name for benchmark in found}
        if by_benchmark.keys() == every:
            exact = float(np.mean([value for value, _ in by_benchmark.values()]))
            estimate = averaged([estimate for _, estimate in by_benchmark.values()])
            yield from _estimated(model, name, average, exact, estimate)


def _estimated(model: str, name: str, group: str, exact: float, estimate: Estimate) -> Iterator[_Row]:
    yield model, name, group, exact
    yield model, f"{name}{MEAN}", group, estimate.mean
    yield model, f"{name}{STD}", group, estimate.std


def _by_group(scores: Scores, name: str, values: NDArray[Any]) -> Iterator[_Row]:
    for column, groups in scores.groups.items():
        rates = accuracy_by_group(values, groups)
        place = f"{scores.benchmark}/{column}"
        for group, _, rate in rates.itertuples(index=False):
            yield scores.model, name, f"{place}={group}", rate
        if len(rates):
            yield scores.model, f"{name}{GAP}", place, gap(rates.iloc[:, -1])
