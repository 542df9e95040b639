"""Retrieval benchmarks: tables of queries and galleries -> scores and failures of one model."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import Scores
from equipoise.evaluation.classification import N_TEST
from equipoise.evaluation.retrieval import (
    PRECISION,
    RECALLS,
    Answer,
    Truth,
    pair_lists,
    ranked,
    retrieval_scores,
    revisited,
    revisited_scores,
    worst_failures,
)
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.rows import (
    ID,
    MOST_SHOWN,
    SHOWS,
    Loaded,
    Result,
    Rows,
    Texts,
    by_id,
    check_finite,
    group_keys,
)
from equipoise.stages.benchmark.section import Benchmark, RetrievalBenchmark

PAIR = "pair"
BACK = ":back"
"""Ends the name of a benchmark that is asked from the gallery's side."""
SHOWN_SETUP = "medium"
"""Holds the queries of the other setups; its failures are told."""
GROUPED = (RECALLS[0], PRECISION)
"""What is told by group, beside the precision of every setup."""


def load_retrieval(spark: SparkSession, entry: RetrievalBenchmark, model: str, *, section: Benchmark) -> Loaded:
    """Reads what the model made of queries and gallery; one result for a benchmark, two for both directions.

    Raises:
        InputError: a table cannot be read, or (when it is scored) a list names an item that is not in the gallery.
    """
    paths, groups = entry.models[model], group_keys(entry.groups)
    named = {ID: entry.id, PAIR: entry.pair, SHOWS: entry.shows}
    texts = {key: column for key, column in named.items() if column}
    of_queries = Wanted(entry.vector, {**texts, **groups}, {PAIR, SHOWS, *groups}, entry.lists)
    of_gallery = Wanted(entry.vector, texts, {PAIR, SHOWS})
    queries, gallery = (
        _read(spark, path, wanted, most_bytes=section.driver_bytes)
        for path, wanted in ((paths.queries, of_queries), (paths.gallery, of_gallery))
    )
    score = partial(_graded if entry.easy else _directions, model, entry, (queries, gallery), section)
    return Loaded({"queries": queries.texts[ID], "items in the gallery": gallery.texts[ID]}, score)


def _read(spark: SparkSession, path: str, wanted: Wanted, *, most_bytes: float) -> Rows:
    rows = read_rows(spark, path, wanted, most_bytes=most_bytes)
    check_finite(rows, path)
    return by_id(rows, path)


def _directions(model: str, entry: RetrievalBenchmark, sides: tuple[Rows, Rows], section: Benchmark) -> list[Result]:
    queries, gallery = sides
    truth = _truth(entry, queries, gallery)
    results = [_one_way((model, entry.name), sides, truth, groups=entry.groups, section=section)]
    if entry.both_directions:
        back = truth.reversed(len(gallery.vectors))
        results.append(_one_way((model, f"{entry.name}{BACK}"), (gallery, queries), back, groups=(), section=section))
    return results


def _one_way(
    place: tuple[str, str], sides: tuple[Rows, Rows], truth: Truth, *, groups: Sequence[str], section: Benchmark
) -> Result:
    answers = _answers(sides, truth)
    asked = _groups(groups, sides[0], answers)
    n_test = {N_TEST: float(len(answers))}
    scores = Scores(*place, retrieval_scores(answers), dict.fromkeys(GROUPED, asked), n_test)
    return Result(scores, _failures(scores, answers, sides, n=section.failures))


def _graded(model: str, entry: RetrievalBenchmark, sides: tuple[Rows, Rows], section: Benchmark) -> list[Result]:
    queries, gallery = sides
    setups = revisited(*(_lists(entry, key, queries, gallery=gallery) for key in ("easy", "hard", "junk")))
    present = {name: truth for name, truth in setups.items() if any(len(items) for items in truth.correct)}
    if not present:
        raise InputError("no query lists an easy or a hard item: check that lists and gallery have the same ids")
    answers = {name: _answers(sides, truth) for name, truth in present.items()}
    groups = {f"{PRECISION}_{name}": _groups(entry.groups, queries, found) for name, found in answers.items()}
    n_test = {N_TEST: float(len(answers[SHOWN_SETUP]))}
    scores = Scores(model, entry.name, revisited_scores(answers), groups, n_test)
    return [Result(scores, _failures(scores, answers[SHOWN_SETUP], sides, n=section.failures))]


def _answers(sides: tuple[Rows, Rows], truth: Truth) -> list[Answer]:
    queries, gallery = sides
    return ranked(queries.vectors, gallery.vectors, truth, names=queries.texts[ID])


def _groups(columns: Sequence[str], queries: Rows, answers: Sequence[Answer]) -> Mapping[str, Texts]:
    asked = [answer.query for answer in answers]
    return {column: queries.texts[key][asked] for key, column in group_keys(columns).items()}


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
            _shown(sides[0], answer.query),
            _shown(sides[1], answer.predicted),
            _shown(sides[1], answer.correct),
        )
        for rank, answer in enumerate(worst_failures(answers, n), start=1)
    ]


def _shown(rows: Rows, place: int) -> str | None:
    text = rows.texts[SHOWS][place] if SHOWS in rows.texts else None
    return None if text is None else text[:MOST_SHOWN]
