"""The benchmarks of all models, each written as it is done."""

from collections.abc import Iterator, Mapping

import pandas as pd
from pyspark.sql import functions as F

from equipoise.evaluation.benchmarks import Scores, average_metrics, benchmark_metrics
from equipoise.evaluation.classification import N_TEST, PROBE_CONVERGED
from equipoise.runs.account import Account
from equipoise.runs.context import Context
from equipoise.schemas import FAILURES, METRICS, Col
from equipoise.schemas.table import Value
from equipoise.sources.states import state_of
from equipoise.stages.benchmark.answers import load_answers
from equipoise.stages.benchmark.check import named_problems
from equipoise.stages.benchmark.features import load_features
from equipoise.stages.benchmark.regression import load_regression
from equipoise.stages.benchmark.retrieval import load_retrieval
from equipoise.stages.benchmark.rows import Loaded, Result, Texts, check_same
from equipoise.stages.benchmark.section import (
    AnswerBenchmark,
    Benchmark,
    Entry,
    FeatureBenchmark,
    RegressionBenchmark,
    RetrievalBenchmark,
)


def benchmark(context: Context, settings: Benchmark) -> Account:
    """Writes the scores of all models on all benchmarks, each as it is done: what is there is not done again.

    Raises:
        InputError: a table cannot be read, is too large for the driver, lacks what the benchmark needs, or holds other
            items than that of another model.
    """
    for results in _results(context, settings):
        _write(context, results, settings)
        for scores in (result.scores for result in results):
            context.progress.message(f"benchmark: {scores.benchmark}, {scores.model} {_told(scores)}")
    metrics = _metrics_of(context)
    averages = pd.concat(
        [average_metrics(metrics, benchmarks=names, average=name) for name, names in settings.averages.items()]
    )
    if len(averages):
        _replace(context, averages, group=tuple(settings.averages))
    n_items = int(metrics.loc[metrics[Col.name] == N_TEST, Col.value].sum())
    return Account(n_items, n_items)


def states(context: Context, settings: Benchmark) -> dict[str, int | None]:
    """The state of everything that the section ``benchmark`` names, by its path."""
    return {path: state_of(context.spark, path) for path in settings.paths}


def _results(context: Context, section: Benchmark) -> Iterator[list[Result]]:
    """What is missing, a model on a benchmark at a time."""
    done = _metrics_of(context, N_TEST)
    known = set(zip(done[Col.group], done[Col.selection], strict=True))
    for entry in section.entries:
        missing = [model for model in entry.models if not {(name, model) for name in entry.families} <= known]
        expected: Mapping[str, Texts] = {}
        for model in _models_to_read(entry, missing):
            with named_problems(entry.name, model):
                loaded = _loaded(context, entry, model, section)
                expected = expected or loaded.ids
                check_same(loaded.ids, expected, next(iter(entry.models)))
                results = loaded.score() if model in missing else []
            del loaded  # before the vectors of the next are read
            if results:
                yield results


def _models_to_read(entry: Entry, missing: list[str]) -> list[str]:
    """The missing ones; the first, whose items all others are to have, although it is done."""
    is_compared = missing and entry.id is not None
    return list(dict.fromkeys([*(list(entry.models)[:1] if is_compared else []), *missing]))


def _loaded(context: Context, entry: Entry, model: str, section: Benchmark) -> Loaded:
    seed = context.node.seed or 0
    match entry:
        case FeatureBenchmark():
            return load_features(context.spark, entry, model, section=section, seed=seed)
        case RegressionBenchmark():
            return load_regression(context.spark, entry, model, section=section, seed=seed)
        case AnswerBenchmark():
            return load_answers(context.spark, entry, model, section=section)
        case RetrievalBenchmark():
            return load_retrieval(context.spark, entry, model, section=section)


def _metrics_of(context: Context, *names: str) -> pd.DataFrame:
    """The run's, a few rows for each model, benchmark and group of the config; all those that are made here."""
    rows = context.workspace.read(context.own(METRICS))
    return (rows.where(F.col(Col.name).isin(*names)) if names else rows).toPandas()


def _replace(context: Context, metrics: pd.DataFrame, **where: Value) -> None:
    rows = context.spark.createDataFrame(metrics)
    context.workspace.replace(context.own(METRICS, **where), rows)


def _write(context: Context, results: list[Result], section: Benchmark) -> None:
    """The metrics last, in one commit: they say that the model is done."""
    seed, scores = context.node.seed or 0, [result.scores for result in results]
    mine = {Col.selection: scores[0].model}
    failures = [(context.run_id, *row) for result in results for row in result.failures]
    if failures:
        worst = context.spark.createDataFrame(failures, FAILURES.schema)
        places = tuple(one.benchmark for one in scores)
        context.workspace.replace(context.own(FAILURES, **mine, **{Col.group: places}), worst)
    metrics = pd.concat([benchmark_metrics(one, seed=seed, rounds=section.rounds) for one in scores])
    _replace(context, metrics, **mine, **{Col.group: tuple(metrics[Col.group].unique().tolist())})


def _told(scores: Scores) -> str:
    told = ", ".join(f"{name} {value:.3f}" for name, value in scores.values.items())
    cut = "; the probe stopped before it converged" if scores.numbers.get(PROBE_CONVERGED) == 0 else ""
    return told + cut
