"""Arrays -> what is scored: splits, groups and lists, items of one order for all models."""

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.benchmark.features import load_features
from equipoise.stages.benchmark.retrieval import load_retrieval
from equipoise.stages.benchmark.rows import MOST_SHOWN, Loaded, check_same
from equipoise.stages.benchmark.section import Benchmark, FeatureBenchmark, RetrievalBenchmark
from stages.bench_tables import TEXTS, saved, written


def birds(spark, path: str, **keys) -> Loaded:
    entry = FeatureBenchmark(name="birds", models={"raw": path}, **keys)
    return load_features(spark, entry, "raw", section=Benchmark(features=(entry,), probe=False), seed=0)


def test_a_benchmark_needs_both_splits(spark, tmp_path):
    with pytest.raises(InputError, match="no row whose split is 'train', but test, training: name the splits"):
        birds(spark, written(tmp_path, split=["training", "test", "test"]))


def two_models(folder, n: int = 40) -> tuple[str, str]:
    """The same items twice, with other vectors and in another order. By its label an item is right in one, or not."""
    rng = np.random.default_rng(0)
    labels = rng.choice(["x", "y"], n)
    rows = {"id": np.arange(n), "split": np.repeat(["train", "test"], n // 2), "label": labels, "area": labels}
    paths = []
    for model in ("raw", "curated"):
        vectors = np.where(labels == "x", 1.0, -1.0)[:, None] + rng.normal(size=(n, 3))
        paths.append(str(folder / f"{model}.parquet"))
        pd.DataFrame({**rows, "embedding": list(vectors)}).sample(frac=1, random_state=len(model)).to_parquet(paths[-1])
    return paths[0], paths[1]


def test_items_with_ids_come_in_one_order_for_all_models(spark, tmp_path):
    raw, curated = (birds(spark, path, id="id", groups=["area"]) for path in two_models(tmp_path))
    ids = [sorted(map(str, part)) for part in (range(20), range(20, 40))]
    for loaded in (raw, curated):
        assert [found.tolist() for found in loaded.ids.values()] == ids
    scores = [loaded.score()[0].scores for loaded in (raw, curated)]
    areas = [one.groups["knn_1_accuracy"]["area"].tolist() for one in scores]
    truth = pd.read_parquet(tmp_path / "raw.parquet").set_index("id")["label"]
    assert areas[0] == areas[1] == [truth[int(name)] for name in ids[1]]
    assert scores[0].by_item["knn_1_accuracy"].tolist() != scores[1].by_item["knn_1_accuracy"].tolist()
    check_same(raw.ids, curated.ids, "curated")


def test_items_without_ids_come_in_the_order_of_what_is_told_of_them(spark, tmp_path):
    wanted = Wanted("embedding", TEXTS)
    raw, curated = (read_rows(spark, path, wanted, most_bytes=1e6) for path in two_models(tmp_path))
    for key in TEXTS:
        assert raw.texts[key].tolist() == curated.texts[key].tolist()
    again = read_rows(spark, two_models(tmp_path)[0], wanted, most_bytes=1e6)
    np.testing.assert_array_equal(raw.vectors, again.vectors)


def test_arrays_with_ids_come_in_their_order(tmp_path):
    found = birds(None, saved(tmp_path, id=[7, 9, 8], area=["a", "b", "c"]), id="id", groups=["area"])
    assert {what: ids.tolist() for what, ids in found.ids.items()} == {"train items": ["7"], "test items": ["8", "9"]}
    assert found.score()[0].scores.groups["knn_1_accuracy"]["area"].tolist() == ["c", "b"]
    assert birds(None, saved(tmp_path)).ids == {}


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ([7, 8, 6], "it has 2 test items, model raw has 2; ids of one of them alone: 2, '6' for one"),
        ([6, 8, 9], "it has 1 train items, model raw has 1; ids of one of them alone: 2, '6' for one"),
    ],
)
def test_models_with_other_items_are_refused(tmp_path, ids, complaint):
    raw = birds(None, saved(tmp_path, id=[7, 8, 9]), id="id")
    other = birds(None, saved(tmp_path, id=ids), id="id")
    with pytest.raises(InputError, match=complaint):
        check_same(other.ids, raw.ids, "raw")


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"id": [1, 5, 5]}, "vectors.npz has the id '5' more than once"),
        (
            {"id": [1, 2, 5], "embedding": [[0.0], [1.0], [np.nan]]},
            "split 'test': 1 of 2 .* that of id '5' for one; le",
        ),
        ({"embedding": [[np.inf], [1.0], [0.0]]}, "split 'train': 1 of 1 vectors are not finite; leave those out"),
    ],
)
def test_messages_name_ids_and_no_rows(tmp_path, arrays, complaint):
    with pytest.raises(InputError, match=complaint):
        birds(None, saved(tmp_path, **arrays), id="id" if "id" in arrays else None)


SIDES = {"queries": {"id": ["a", "b"], "good": [["x"], ["y", "x"]]}, "gallery": {"id": ["x", "y"]}}


def streets(spark, folder, changes: dict, **keys) -> Loaded:
    paths = {}
    for side, columns in SIDES.items():
        paths[side] = str(folder / f"{side}.parquet")
        rows = {"embedding": [[1.0, 0.0], [0.0, 1.0]], **columns, **changes.get(side, {})}
        pd.DataFrame(rows).to_parquet(paths[side])
    entry = RetrievalBenchmark(name="streets", models={"raw": paths}, positives="good", **keys)
    return load_retrieval(spark, entry, "raw", section=Benchmark(retrieval=(entry,)))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"queries": {"good": [["x"], ["z"]]}}, "positives of query 'b' names 'z', which the gallery does not have"),
        ({"queries": {"good": [[], None]}}, "0 of 2 lists name a correct item"),
        ({"gallery": {"id": ["x", "x"]}}, "has the id 'x' more than once"),
        ({"queries": {"id": ["n", "m"], "bad": [["x"], []]}}, "query 'n' lists an item both as correct and as junk"),
        ({"gallery": {"embedding": [[0.0, 1.0], [np.nan, 0.0]]}}, "gallery.parquet: 1 of 2 .* that of id 'y' for one"),
    ],
)
def test_lists_that_do_not_fit(spark, tmp_path, changes, complaint):
    junk = "bad" if "bad" in changes.get("queries", {}) else None
    with pytest.raises(InputError, match=complaint):
        streets(spark, tmp_path, changes, junk=junk).score()


def test_failures_show_the_beginning_of_texts_and_nothing_where_there_is_none(spark, tmp_path):
    texts = {"queries": {"text": ["q" * 2000, None]}, "gallery": {"text": ["first", "é" * 2000]}}
    wrong = {"good": [["y"], ["x"]]}  # a finds x, b finds y
    changes = {"queries": {**texts["queries"], **wrong}, "gallery": texts["gallery"]}
    (result,) = streets(spark, tmp_path, changes, shows="text").score()
    shown = {row[3]: row[-3:] for row in result.failures}
    assert shown == {"a": ("q" * MOST_SHOWN, "first", "é" * MOST_SHOWN), "b": (None, "é" * MOST_SHOWN, "first")}
    (plain,) = streets(spark, tmp_path, changes).score()
    assert {row[-3:] for row in plain.failures} == {(None, None, None)}


def test_what_is_shown_is_a_text(spark, tmp_path):
    with pytest.raises(InputError, match=r"shows: the column 'text' of .* is bigint; it must be string"):
        streets(spark, tmp_path, {"queries": {"text": [1, 2]}}, shows="text")


def test_queries_are_told_by_group(spark, tmp_path):
    changes = {"queries": {"good": [["y"], ["y"]], "area": ["north", None]}}
    (result,) = streets(spark, tmp_path, changes, groups=["area"]).score()
    assert result.scores.groups.keys() == {"recall_1", "mean_average_precision"}
    for groups in result.scores.groups.values():
        assert groups["area"].tolist() == ["north", None]
    assert result.scores.by_item["mean_average_precision"].tolist() == [0.5, 1]
