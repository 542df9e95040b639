"""Benchmarks of answers: what one model said of questions, and what is right -> exact matches."""

from functools import partial

from pyspark.sql import SparkSession

from equipoise.evaluation.answers import EXACT_MATCH, exact_matches
from equipoise.evaluation.benchmarks import Scores
from equipoise.evaluation.classification import N_TEST
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.rows import ID, Loaded, Result, Rows, by_id, group_keys
from equipoise.stages.benchmark.section import AnswerBenchmark, Benchmark
from equipoise.stages.benchmark.splits import texts_of

ANSWER, CORRECT = "answer", "correct"


def load_answers(spark: SparkSession, entry: AnswerBenchmark, model: str, *, section: Benchmark) -> Loaded:
    """Reads what the model answered.

    Raises:
        InputError: the table cannot be read, or is too large for the driver.
    """
    path, groups = entry.models[model], group_keys(entry.groups)
    texts = {ANSWER: entry.answer, **({ID: entry.id} if entry.id else {}), **groups}
    wanted = Wanted(None, texts, {ANSWER, *groups}, entry.lists, or_text={CORRECT})
    rows = read_rows(spark, path, wanted, most_bytes=section.driver_bytes)
    rows = by_id(rows, path) if entry.id else rows
    ids = {"questions": rows.texts[ID]} if entry.id else {}
    return Loaded(ids, partial(_scored, rows, entry=entry, model=model))


def _scored(rows: Rows, *, entry: AnswerBenchmark, model: str) -> list[Result]:
    correct = exact_matches(rows.texts[ANSWER].tolist(), [one.tolist() for one in texts_of(rows.lists[CORRECT])])
    groups = {column: rows.texts[key] for key, column in group_keys(entry.groups).items()}
    numbers = {N_TEST: float(len(correct))}
    return [Result(Scores(model, entry.name, {EXACT_MATCH: correct}, {EXACT_MATCH: groups}, numbers))]
