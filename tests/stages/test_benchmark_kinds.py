"""Several test sets, dense features, measurements and answers: tables and arrays -> what is scored."""

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError
from equipoise.evaluation.answers import EXACT_MATCH
from equipoise.evaluation.features import Features
from equipoise.evaluation.regression import BLOCK_R2, MAE, R2, RMSE, regression_scores, ridge_probe
from equipoise.stages.benchmark.answers import load_answers
from equipoise.stages.benchmark.features import load_features
from equipoise.stages.benchmark.regression import load_regression
from equipoise.stages.benchmark.rows import Loaded
from equipoise.stages.benchmark.section import AnswerBenchmark, Benchmark, FeatureBenchmark, RegressionBenchmark

SPLITS = np.array(["train", "train", "train", "val", "val", "sketch", "sketch", "other"])
ANGLES = np.deg2rad([0, 45, 90, 10, 50, 80, 40, 0])
ROWS = {
    "split": SPLITS,
    "label": np.array(["ant", "bee", "cat", "ant", "cat", "cat", "cat", "cat"]),
    "embedding": np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1),
    "id": np.arange(8),
}


def insects(spark, path: str, **keys) -> Loaded:
    entry = FeatureBenchmark(name="insects", models={"raw": path}, **keys)
    return load_features(spark, entry, "raw", section=Benchmark(features=(entry,), probe=False), seed=0)


def saved(folder, **arrays) -> str:
    path = str(folder / "rows.npz")
    np.savez(path, **{**ROWS, **arrays})
    return path


def written(folder, rows: dict) -> str:
    path = str(folder / "rows.parquet")
    pd.DataFrame({key: list(column) for key, column in rows.items()}).to_parquet(path)
    return path


def by_nearest(loaded: Loaded) -> dict[str, list[bool]]:
    return {one.scores.benchmark: one.scores.by_item["knn_1_accuracy"].tolist() for one in loaded.score()}


def test_test_sets_are_splits_or_share_one(tmp_path):
    tests = {
        "val": {},
        "again": {"split": "val", "label": "other"},
        "sketch": {},
        "own": {"split": "sketch", "own_classes": True},
    }
    other = np.array(["x", "x", "x", "bee", "bee", "x", "x", "x"])
    loaded = insects(None, saved(tmp_path, other=other), tests=tests, id="id", groups=["label"])
    assert by_nearest(loaded) == {
        "insects:val": [True, False],
        "insects:again": [False, True],
        "insects:sketch": [True, False],
        "insects:own": [True, True],  # cats alone
    }
    ids = {what: found.tolist() for what, found in loaded.ids.items()}
    assert ids == {"train items": ["0", "1", "2"], "val items": ["3", "4"], "sketch items": ["5", "6"]}
    groups = {one.scores.benchmark: one.scores.groups["knn_1_accuracy"]["label"] for one in loaded.score()}
    assert groups["insects:sketch"].tolist() == ["cat", "cat"]


def test_a_test_set_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no row whose split is 'v2', but other, sketch, train, val: give those that"):
        insects(None, saved(tmp_path), tests={"val": {}, "v2": {}})


def test_items_of_several_right_labels_count_where_there_is_one(spark, tmp_path):
    right = [None, None, None, ["ant"], ["bee", "cat", None], [], ["cat"], None]
    labels = [*ROWS["label"][:3], None, None, None, None, None]
    path = written(tmp_path, {**ROWS, "label": labels, "right": right})
    tests = {"val": {"labels": "right"}, "sketch": {"labels": "right", "own_classes": True}}
    loaded = insects(spark, path, tests=tests, id="id")
    assert by_nearest(loaded) == {"insects:val": [True, True], "insects:sketch": [True]}
    numbers = {one.scores.benchmark: one.scores.numbers["n_test"] for one in loaded.score()}
    assert numbers == {"insects:val": 2, "insects:sketch": 1}
    with pytest.raises(InputError, match=r"split 'val' has no label in 2 of 2 rows"):
        insects(spark, path, tests={"val": {}, "sketch": {"labels": "right"}})
    none = written(tmp_path, {**ROWS, "right": [["ant"], *[[]] * 7]})
    with pytest.raises(InputError, match=r"split 'val' has no right label in tests.val.labels \('right'\)"):
        insects(spark, none, tests={"val": {"labels": "right"}})


def test_rows_of_images_are_scored_by_mean_iou(tmp_path):
    images = np.array(["p", "p", "p", "q", "r", "x", "x", "x"])
    (result,) = insects(None, saved(tmp_path, image=images), image="image", tests={"val": {}}).score()
    assert result.scores.benchmark == "insects:val" and not result.scores.by_item
    # ant is right; bee is said of a cat: ant 1, bee 0, cat 0
    assert result.scores.values["knn_1_mean_iou"] == pytest.approx(1 / 3)
    assert (result.scores.numbers["n_test"], result.scores.numbers["n_images"]) == (2, 2)
    assert result.scores.by_set["knn_1_mean_iou"].of([[2, 0]])[0] == 1


# Measurements


def heights(folder, **arrays) -> str:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 3))
    columns = {
        "embedding": vectors,
        "target": vectors[:, 0] + rng.normal(size=60),
        "split": np.repeat(["train", "test"], 30),
        "site": np.arange(60) // 5,
        "area": np.where(np.arange(60) % 2 > 0, "north", "south"),
    }
    path = str(folder / "heights.npz")
    np.savez(path, **{**columns, **arrays})
    return path


def canopy(path: str, **keys) -> Loaded:
    entry = RegressionBenchmark(name="canopy", models={"raw": path}, **keys)
    return load_regression(None, entry, "raw", section=Benchmark(regression=(entry,)), seed=4)


def test_measurements_are_predicted_and_told_by_block_and_group(tmp_path):
    path = heights(tmp_path)
    (result,) = canopy(path, block="site", groups=["area"]).score()
    rows = np.load(path)
    vectors, target, sites = (
        rows[key].astype(np.float32 if key == "embedding" else None) for key in ("embedding", "target", "site")
    )
    fitted = ridge_probe(Features(vectors[:30], target[:30]), vectors[30:], seed=4, blocks=sites[:30])
    by_item, by_set = regression_scores(target[30:], fitted.predicted, blocks=sites[30:], groups={})
    assert result.scores.values == pytest.approx(
        {MAE: by_item[MAE].mean(), **{name: by_set[name].of()[0] for name in (RMSE, R2, BLOCK_R2)}}
    )
    assert result.scores.groups[MAE]["area"].tolist() == rows["area"][30:].tolist()
    assert result.scores.by_set[RMSE].groups["area"].tolist() == rows["area"][30:].tolist()
    assert result.scores.numbers == {"n_test": 30, "ridge_penalty": fitted.penalty}
    (plain,) = canopy(path).score()
    assert plain.scores.values.keys() == {MAE, RMSE, R2}


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        (["high"] * 60, "split 'train': target must hold numbers: could not convert string to float: 'high'"),
        ([*range(59), np.nan], "1 of 30 targets are not finite"),
        ([1.0] * 60, "the targets of all 30 items of train are 1"),
    ],
)
def test_what_is_no_measurement(tmp_path, target, complaint):
    with pytest.raises(InputError, match=complaint):
        canopy(heights(tmp_path, target=np.array(target))).score()


# Answers


def trivia(spark, path: str, *, driver_bytes: float = 1e9, **keys) -> Loaded:
    entry = AnswerBenchmark(name="trivia", models={"raw": path}, **keys)
    return load_answers(spark, entry, "raw", section=Benchmark(answers=(entry,), driver_bytes=driver_bytes))


QUESTIONS = {"id": [3, 1, 2], "answer": ["The Nile.", None, "blue"], "correct": [["Nile", None], ["x"], ["red"]]}


def test_answers_are_exact_matches_in_the_order_of_their_ids(spark, tmp_path):
    path = written(tmp_path, {**QUESTIONS, "area": ["rivers", "other", None]})
    loaded = trivia(spark, path, id="id", groups=["area"])
    assert loaded.ids["questions"].tolist() == ["1", "2", "3"]
    (result,) = loaded.score()
    assert result.scores.by_item[EXACT_MATCH].tolist() == [False, False, True]
    assert result.scores.groups[EXACT_MATCH]["area"].tolist() == ["other", None, "rivers"]
    assert result.scores.numbers == {"n_test": 3}


def test_one_right_answer_is_a_text(spark, tmp_path):
    loaded = trivia(spark, written(tmp_path, {**QUESTIONS, "correct": ["nile", "x", "Blue"]}))
    assert sorted(loaded.score()[0].scores.by_item[EXACT_MATCH].tolist()) == [False, True, True]


def test_answers_that_cannot_be_compared(spark, tmp_path):
    with pytest.raises(InputError, match="1 of 3 questions have no right answer"):
        trivia(spark, written(tmp_path, {**QUESTIONS, "correct": [["a"], [], ["b"]]})).score()
    with pytest.raises(
        InputError, match=r"correct: the column 'correct' of .* is bigint; it must be an array or string"
    ):
        trivia(spark, written(tmp_path, {**QUESTIONS, "correct": [1, 2, 3]}))
    with pytest.raises(InputError, match="holds 3 rows of texts, 21 bytes, the driver takes 20"):
        trivia(spark, written(tmp_path, QUESTIONS), driver_bytes=20)
