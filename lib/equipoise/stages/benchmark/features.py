"""Benchmarks of labelled items: the vectors of train and test -> accuracies of one model."""

from functools import partial

from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import Scores, feature_scores
from equipoise.evaluation.features import Features
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.rows import ID, Loaded, Result, Rows, by_id, check_finite, group_keys
from equipoise.stages.benchmark.section import Benchmark, FeatureBenchmark

SPLIT, LABEL = "split", "label"
TRAIN, TEST = "train", "test"


def load_features(spark: SparkSession, entry: FeatureBenchmark, model: str, *, section: Benchmark, seed: int) -> Loaded:
    """Reads what the model made of the items.

    Raises:
        InputError: the table cannot be read, is too large for the driver, or lacks train or test.
    """
    path, groups = entry.models[model], group_keys(entry.groups)
    texts = {SPLIT: entry.split, LABEL: entry.label, **groups, **({ID: entry.id} if entry.id else {})}
    rows = read_rows(spark, path, Wanted(entry.vector, texts, frozenset(groups)), most_bytes=section.driver_bytes)
    found = set(rows.texts[SPLIT])
    for split in (TRAIN, TEST):
        if split not in found:
            known = ", ".join(sorted(found)[:5])
            raise InputError(f"{path} has no row whose split is {split!r}, but {known}: name the splits train and test")
    train, test = (_part(rows, split, path) for split in (TRAIN, TEST))
    ids = {f"{split} items": part.texts[ID] for split, part in ((TRAIN, train), (TEST, test)) if entry.id}
    return Loaded(ids, partial(_scored, train, test, entry=entry, model=model, probe=section.probe, seed=seed))


def _part(rows: Rows, split: str, path: str) -> Rows:
    chosen = rows.texts[SPLIT] == split
    part = Rows(rows.vectors[chosen], {key: column[chosen] for key, column in rows.texts.items()})
    check_finite(part, f"{path}, split {split!r}")
    return by_id(part, path) if ID in part.texts else part


def _scored(train: Rows, test: Rows, *, entry: FeatureBenchmark, model: str, probe: bool, seed: int) -> list[Result]:
    by_item, numbers = feature_scores(_features(train), _features(test), seed=seed, probe=probe)
    groups = {column: test.texts[key] for key, column in group_keys(entry.groups).items()}
    return [Result(Scores(model, entry.name, by_item, dict.fromkeys(by_item, groups), numbers))]


def _features(rows: Rows) -> Features:
    return Features(rows.vectors, rows.texts[LABEL].astype(str))
