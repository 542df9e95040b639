"""Benchmarks of labelled items: the vectors of train and test -> what one model scores on each test set."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from pyspark.sql import SparkSession

from equipoise.errors import InputError
from equipoise.evaluation.benchmarks import Scores
from equipoise.evaluation.classification import LabelledTest, feature_scores
from equipoise.evaluation.features import Features
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.rows import ID, Loaded, Result, Rows, group_keys
from equipoise.stages.benchmark.section import TRAIN, Benchmark, FeatureBenchmark, FeatureTest
from equipoise.stages.benchmark.splits import SPLIT, chosen, ids_of, parts_of, present, texts_of

LABEL, IMAGE = "label", "image"


def load_features(spark: SparkSession, entry: FeatureBenchmark, model: str, *, section: Benchmark, seed: int) -> Loaded:
    """Reads what the model made of the items.

    Raises:
        InputError: the table cannot be read, is too large for the driver, or lacks train or a test set.
    """
    path, groups = entry.models[model], group_keys(entry.groups)
    other_labels = {f"tests.{name}.label": test.label for name, test in entry.tests.items() if test.label}
    named = {SPLIT: entry.split, LABEL: entry.label, ID: entry.id, IMAGE: entry.image, **groups, **other_labels}
    texts = {key: column for key, column in named.items() if column}
    has_own = bool(other_labels or entry.lists)  # rows of those tests need no label of the benchmark's
    optional = {*groups, *other_labels, *([LABEL] if has_own else [])}
    rows = read_rows(spark, path, Wanted(entry.vector, texts, optional, entry.lists), most_bytes=section.driver_bytes)
    parts = parts_of(rows, [TRAIN, *(test.split or name for name, test in entry.asked.items())], path)
    train = Features(parts[TRAIN].vectors, present(parts[TRAIN].texts[LABEL], f"{path}, split {TRAIN!r}", LABEL))
    tests = {name: _test(parts, name, test, entry=entry, path=path) for name, test in entry.asked.items()}
    return Loaded(ids_of(parts), partial(_scored, train, tests, model=model, probe=section.probe, seed=seed))


def _test(
    parts: Mapping[str, Rows], name: str, test: FeatureTest, *, entry: FeatureBenchmark, path: str
) -> LabelledTest:
    """The items of one test set; those without a right label are left out where each may have several."""
    part, key = parts[test.split or name], f"tests.{name.rpartition(':')[2]}"
    place = f"{path}, split {test.split!r}"
    label, several = f"{key}.label" if test.label else LABEL, None
    if test.labels:
        right = texts_of(part.lists[f"{key}.labels"])
        has_some = np.array([len(one) > 0 for one in right])
        if not has_some.any():
            raise InputError(f"{place} has no right label in {key}.labels ({test.labels!r}): write some there")
        part, several = chosen(part, has_some), [one for one in right if len(one)]
    return LabelledTest(
        part.vectors,
        None if test.labels else present(part.texts[label], place, label),
        several,
        own_classes=test.own_classes,
        images=part.texts[IMAGE] if entry.image else None,
        groups={column: part.texts[group] for group, column in group_keys(entry.groups).items()},
    )


def _scored(train: Features, tests: Mapping[str, LabelledTest], *, model: str, probe: bool, seed: int) -> list[Result]:
    results = []
    for name, found in feature_scores(train, tests, seed=seed, probe=probe).items():
        groups = dict.fromkeys(found.by_item, tests[name].groups)
        results.append(Result(Scores(model, name, found.by_item, groups, found.numbers, found.by_set)))
    return results
