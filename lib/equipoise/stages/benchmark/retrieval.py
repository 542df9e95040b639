"""Retrieval benchmarks: tables of queries and galleries -> scores and failures of one model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from equipoise.config import Benchmark
from equipoise.config.benchmark import RetrievalBenchmark
from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import N_TEST, Scores
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
from equipoise.stages.benchmark.data import Result, Rows, Wanted, read_rows

ID, PAIR = "id", "pair"
BACK = ":back"
"""Ends the name of a benchmark that is asked from the gallery's side."""
SHOWN_SETUP = "medium"
"""Holds the queries of the other setups; its failures are told."""


def retrieved(spark: SparkSession, entry: RetrievalBenchmark, model: str, *, section: Benchmark) -> Iterator[Result]:
    """One result for a benchmark, two for both directions.

    Raises:
        InputError: a table cannot be read, or a list names an item that is not in the gallery.
    """
    paths, texts = entry.models[model], {ID: entry.id, **({PAIR: entry.pair} if entry.pair else {})}
    queries, gallery = (
        _by_id(
            read_rows(spark, path, Wanted(entry.vector, texts, {PAIR}, lists), most_bytes=section.driver_bytes), path
        )
        for path, lists in ((paths.queries, entry.lists), (paths.gallery, {}))
    )
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
        return Truth.without_junk(pair_lists(queries.texts[PAIR], gallery.texts[PAIR]))
    correct, junk = (_lists(entry, key, queries, gallery=gallery) for key in ("positives", "junk"))
    return Truth(correct, junk)


def _lists(entry: RetrievalBenchmark, key: str, queries: Rows, *, gallery: Rows) -> list[NDArray[np.int64]]:
    """The ids of a column as places in the gallery, each once; empty for all where the benchmark has no such column."""
    if key not in entry.lists:
        return [np.empty(0, dtype=np.int64)] * len(queries.vectors)
    places = pd.Index(gallery.texts[ID])
    found = []
    for query, ids in zip(queries.texts[ID], queries.lists[key], strict=True):
        items = places.get_indexer(pd.Index(ids))
        if (items < 0).any():
            raise InputError(f"{key} of query {query!r} names {ids[items < 0][0]!r}, which the gallery does not have")
        found.append(np.unique(items).astype(np.int64))
    return found


def _by_id(rows: Rows, path: str) -> Rows:
    """The rows in the order of their ids: of equal cosines the lower id comes first."""
    ids = rows.texts[ID]
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
    asked, known = (side.texts[ID] for side in sides)
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
