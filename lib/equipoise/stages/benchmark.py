"""The stage ``benchmark``: vectors that models made of benchmarks -> metrics of the models, and their worst failures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from equipoise.config import Benchmark, FeatureBenchmark, RetrievalBenchmark
from equipoise.config.benchmark import AVERAGE
from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import N_TEST, NAMES, Scores, benchmark_metrics, feature_scores
from equipoise.evaluation.features import Features
from equipoise.evaluation.retrieval import (
    Answer,
    Truth,
    pair_lists,
    ranked,
    retrieval_scores,
    revisited,
    revisited_scores,
    worst_failures,
)
from equipoise.schemas import FAILURES, METRICS, Col
from equipoise.stages.benchmark_data import Rows, Wanted, named_problems, read_rows
from equipoise.stages.context import Account, StageContext

BACK = ":back"
"""Ends the name of a retrieval benchmark that is asked from the gallery's side."""
SHOWN_SETUP = "medium"
_TRAIN, _TEST = "train", "test"


@dataclass(frozen=True)
class Result:
    """One model on one benchmark: its scores, and rows of failures (all columns of the table but the run's)."""

    scores: Scores
    failures: Sequence[tuple[Any, ...]] = ()


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
                yield _features(context, entry, model, path=path)
    for one in section.retrieval:
        for model in one.models:
            with named_problems(one.name, model):
                yield from _retrieval(context, one, model)


def _features(context: StageContext, entry: FeatureBenchmark, model: str, *, path: str) -> Result:
    section = context.config.benchmark
    assert section is not None
    groups = {f"groups.{column}": column for column in entry.groups}
    texts = {"split": entry.split, "label": entry.label, **groups}
    wanted = Wanted(entry.vector, texts, optional=frozenset(groups))
    rows = read_rows(context.spark, path, wanted, most_bytes=section.driver_bytes)
    train, test = (_part(rows, split, path) for split in (_TRAIN, _TEST))
    by_item, numbers = feature_scores(train, test, seed=context.config.seed, probe=section.probe)
    tested = rows.texts["split"] == _TEST
    named = {column: rows.texts[key][tested] for key, column in groups.items()}
    return Result(Scores(model, entry.name, by_item, named, numbers))


def _part(rows: Rows, split: str, path: str) -> Features:
    chosen = rows.texts["split"] == split
    if not chosen.any():
        known = ", ".join(sorted(set(rows.texts["split"]))[:5])
        raise InputError(f"{path} has no row whose split is {split!r}, but {known}: name the splits train and test")
    return Features(rows.vectors[chosen], rows.texts["label"][chosen].astype(str))


def _retrieval(context: StageContext, entry: RetrievalBenchmark, model: str) -> Iterator[Result]:
    section = context.config.benchmark
    assert section is not None
    paths, texts = entry.models[model], {"id": entry.id, **({"pair": entry.pair} if entry.pair else {})}
    asked = Wanted(entry.vector, texts, frozenset({"pair"}), entry.lists)
    sought = Wanted(entry.vector, texts, frozenset({"pair"}))
    queries = _by_id(read_rows(context.spark, paths.queries, asked, most_bytes=section.driver_bytes), paths.queries)
    gallery = _by_id(read_rows(context.spark, paths.gallery, sought, most_bytes=section.driver_bytes), paths.gallery)
    if entry.easy:
        yield _graded(model, entry, (queries, gallery), section)
        return
    truth = _truth(entry, queries, gallery)
    yield _one_way(model, entry.name, (queries, gallery, truth), section)
    if entry.both_directions:
        back = (gallery, queries, truth.reversed(len(gallery.vectors)))
        yield _one_way(model, f"{entry.name}{BACK}", back, section)


def _one_way(model: str, name: str, sides: tuple[Rows, Rows, Truth], section: Benchmark) -> Result:
    queries, gallery, truth = sides
    answers = ranked(queries.vectors, gallery.vectors, truth)
    scores = Scores(
        model, name, retrieval_scores(answers), numbers={N_TEST: len(answers)}, is_averaged=not name.endswith(BACK)
    )
    return Result(scores, _failures(scores, answers, (queries, gallery), n=section.failures))


def _graded(model: str, entry: RetrievalBenchmark, sides: tuple[Rows, Rows], section: Benchmark) -> Result:
    queries, gallery = sides
    setups = revisited(*(_lists(entry, key, queries, gallery=gallery) for key in ("easy", "hard", "junk")))
    present = {name: truth for name, truth in setups.items() if any(len(items) for items in truth.correct)}
    answers = {name: ranked(queries.vectors, gallery.vectors, truth) for name, truth in present.items()}
    if not answers:
        raise InputError("no query lists an easy or a hard item: check that lists and gallery have the same ids")
    n_test = {N_TEST: float(len(answers[SHOWN_SETUP]))}
    scores = Scores(model, entry.name, revisited_scores(answers), numbers=n_test)
    return Result(scores, _failures(scores, answers[SHOWN_SETUP], sides, n=section.failures))


def _truth(entry: RetrievalBenchmark, queries: Rows, gallery: Rows) -> Truth:
    if entry.pair:
        return Truth.without_junk(pair_lists(queries.texts["pair"], gallery.texts["pair"]))
    correct, junk = (_lists(entry, key, queries, gallery=gallery) for key in ("positives", "junk"))
    return Truth(correct, junk)


def _lists(entry: RetrievalBenchmark, key: str, queries: Rows, *, gallery: Rows) -> list[NDArray[np.int64]]:
    """The ids of a column as places in the gallery, each once; empty for all where the benchmark has no such column."""
    if key not in entry.lists:
        return [np.empty(0, dtype=np.int64)] * len(queries.vectors)
    places = pd.Index(gallery.texts["id"])
    found = []
    for query, ids in zip(queries.texts["id"], queries.lists[key], strict=True):
        items = places.get_indexer(ids)
        if (items < 0).any():
            raise InputError(f"{key} of query {query!r} names {ids[items < 0][0]!r}, which the gallery does not have")
        found.append(np.unique(items).astype(np.int64))
    return found


def _by_id(rows: Rows, path: str) -> Rows:
    """The rows in the order of their ids: of equal cosines the lower id comes first."""
    ids = rows.texts["id"]
    order = np.argsort(ids, kind="stable")
    twice = ids[order][1:] == ids[order][:-1]
    if twice.any():
        raise InputError(
            f"{path} has the id {ids[order][1:][twice][0]!r} more than once: give each item one of its own"
        )
    texts = {key: column[order] for key, column in rows.texts.items()}
    lists = {key: [column[place] for place in order] for key, column in rows.lists.items()}
    return Rows(rows.vectors[order], texts, lists)


def _failures(scores: Scores, answers: Sequence[Answer], sides: tuple[Rows, Rows], *, n: int) -> list[tuple[Any, ...]]:
    asked, known = (side.texts["id"] for side in sides)
    return [
        (
            scores.model,
            scores.benchmark,
            rank,
            asked[answer.query],
            known[answer.predicted],
            known[answer.correct],
            answer.predicted_distance,
            answer.correct_distance,
        )
        for rank, answer in enumerate(worst_failures(answers, n), start=1)
    ]


def _write(context: StageContext, metrics: pd.DataFrame, failures: list[tuple[Any, ...]]) -> None:
    run = metrics.assign(**{Col.run_id: context.run_id})[METRICS.columns]
    rows = context.spark.createDataFrame(run, METRICS.schema)
    context.workspace.replace(METRICS, rows, where={Col.run_id: context.run_id, Col.name: NAMES})
    worst = context.spark.createDataFrame([(context.run_id, *row) for row in failures], FAILURES.schema)
    context.workspace.replace(FAILURES, worst, where={Col.run_id: context.run_id})


def _told(scores: Scores) -> str:
    return ", ".join(f"{name} {np.mean(values):.3f}" for name, values in scores.by_item.items())
