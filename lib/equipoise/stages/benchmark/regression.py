"""Benchmarks of measurements: the vectors of train and test -> how far one model's predictions are off."""

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import Scores
from equipoise.evaluation.classification import N_TEST
from equipoise.evaluation.features import Features
from equipoise.evaluation.regression import regression_scores, ridge_probe
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.rows import ID, Loaded, Result, Rows, group_keys
from equipoise.stages.benchmark.section import TEST, TRAIN, Benchmark, RegressionBenchmark
from equipoise.stages.benchmark.splits import SPLIT, ids_of, parts_of

TARGET, BLOCK = "target", "block"
RIDGE_PENALTY = "ridge_penalty"


def load_regression(
    spark: SparkSession, entry: RegressionBenchmark, model: str, *, section: Benchmark, seed: int
) -> Loaded:
    """Reads what the model made of the items, and what was measured of them.

    Raises:
        InputError: the table cannot be read, is too large for the driver, lacks train or test, or holds a target that
            is no number.
    """
    path, groups = entry.models[model], group_keys(entry.groups)
    named = {SPLIT: entry.split, TARGET: entry.target, ID: entry.id, BLOCK: entry.block, **groups}
    texts = {key: column for key, column in named.items() if column}
    rows = read_rows(spark, path, Wanted(entry.vector, texts, frozenset(groups)), most_bytes=section.driver_bytes)
    parts = parts_of(rows, [TRAIN, TEST], path)
    train, test = parts[TRAIN], parts[TEST]
    targets = {split: _numbers(part, f"{path}, split {split!r}") for split, part in parts.items()}
    score = partial(_scored, train, test, targets, entry=entry, model=model, seed=seed)
    return Loaded(ids_of(parts), score)


def _numbers(rows: Rows, place: str) -> NDArray[np.float64]:
    try:
        return rows.texts[TARGET].astype(np.float64)
    except ValueError as error:
        raise InputError(f"{place}: {TARGET} must hold numbers: {error}") from error


def _scored(
    train: Rows,
    test: Rows,
    targets: dict[str, NDArray[np.float64]],
    *,
    entry: RegressionBenchmark,
    model: str,
    seed: int,
) -> list[Result]:
    blocks = [part.texts[BLOCK].astype(str) if entry.block else None for part in (train, test)]
    groups = {column: test.texts[key] for key, column in group_keys(entry.groups).items()}
    fitted = ridge_probe(Features(train.vectors, targets[TRAIN]), test.vectors, seed=seed, blocks=blocks[0])
    by_item, by_set = regression_scores(targets[TEST], fitted.predicted, blocks=blocks[1], groups=groups)
    numbers = {N_TEST: float(len(test.vectors)), RIDGE_PENALTY: fitted.penalty}
    return [Result(Scores(model, entry.name, by_item, dict.fromkeys(by_item, groups), numbers, by_set))]
