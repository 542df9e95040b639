"""The stage ``benchmark``: vectors that models made of benchmarks -> metrics of the models, and their failures."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from equipoise.config import Benchmark
from equipoise.config.benchmark import AVERAGE, FeatureBenchmark
from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import (
    N_TEST,
    NAMES,
    PROBE_CONVERGED,
    Scores,
    benchmark_metrics,
    feature_scores,
)
from equipoise.evaluation.features import Features
from equipoise.schemas import FAILURES, Col
from equipoise.stages.benchmark.data import Result, Rows, Wanted, named_problems, read_rows
from equipoise.stages.benchmark.retrieval import retrieved
from equipoise.stages.context import Account, StageContext
from equipoise.stages.metrics_writer import write_metrics

SPLIT, LABEL = "split", "label"
TRAIN, TEST = "train", "test"


def benchmark(context: StageContext) -> Account:
    """Writes the scores of all models on all benchmarks, in the place of earlier ones of the run.

    Raises:
        InputError: a table cannot be read, is too large for the driver, or lacks what the benchmark needs.
    """
    section = context.config.benchmark
    assert section is not None, "the stage is planned only where the config has its section"
    results = []
    for result in _results(context, section):
        results.append(result)
        context.progress.message(f"benchmark: {result.scores.benchmark}, {result.scores.model} {_told(result.scores)}")
    scores = [result.scores for result in results]
    metrics = benchmark_metrics(scores, seed=context.config.seed, rounds=section.rounds, average=AVERAGE)
    _write(context, metrics, [row for result in results for row in result.failures])
    n_items = sum(int(one.numbers[N_TEST]) for one in scores)
    return Account(n_items, n_items)


def _results(context: StageContext, section: Benchmark) -> Iterator[Result]:
    for entry in section.features:
        for model, path in entry.models.items():
            with named_problems(entry.name, model):
                rows = _read(context.spark, entry, path, most_bytes=section.driver_bytes)
                yield _scored(rows, entry, model, section=section, seed=context.config.seed)
    for one in section.retrieval:
        for model in one.models:
            with named_problems(one.name, model):
                yield from retrieved(context.spark, one, model, section=section)


def _read(spark: SparkSession, entry: FeatureBenchmark, path: str, *, most_bytes: float) -> Rows:
    texts = {SPLIT: entry.split, LABEL: entry.label, **_group_keys(entry)}
    rows = read_rows(spark, path, Wanted(entry.vector, texts, frozenset(_group_keys(entry))), most_bytes=most_bytes)
    found = set(rows.texts[SPLIT])
    for split in (TRAIN, TEST):
        if split not in found:
            known = ", ".join(sorted(found)[:5])
            raise InputError(f"{path} has no row whose split is {split!r}, but {known}: name the splits train and test")
    return rows


def _scored(rows: Rows, entry: FeatureBenchmark, model: str, *, section: Benchmark, seed: int) -> Result:
    train, test = (_part(rows, split) for split in (TRAIN, TEST))
    by_item, numbers = feature_scores(train, test, seed=seed, probe=section.probe)
    is_tested = rows.texts[SPLIT] == TEST
    groups = {column: rows.texts[key][is_tested] for key, column in _group_keys(entry).items()}
    return Result(Scores(model, entry.name, by_item, groups, numbers))


def _group_keys(entry: FeatureBenchmark) -> dict[str, str]:
    return {f"groups.{column}": column for column in entry.groups}


def _part(rows: Rows, split: str) -> Features:
    chosen = rows.texts[SPLIT] == split
    return Features(rows.vectors[chosen], rows.texts[LABEL][chosen].astype(str))


def _write(context: StageContext, metrics: pd.DataFrame, failures: list[tuple[Any, ...]]) -> None:
    write_metrics(context, metrics, NAMES)
    worst = context.spark.createDataFrame([(context.run_id, *row) for row in failures], FAILURES.schema)
    context.workspace.replace(FAILURES, worst, where={Col.run_id: context.run_id})


def _told(scores: Scores) -> str:
    told = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in scores.by_item.items())
    cut = "; the probe stopped before it converged" if scores.numbers.get(PROBE_CONVERGED) == 0 else ""
    return told + cut
