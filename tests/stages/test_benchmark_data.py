"""Benchmarks' tables and files -> arrays, and what is answered where they do not fit."""

import numpy as np
import pandas as pd
import pytest

from equipoise.config import Benchmark
from equipoise.config.benchmark import FeatureBenchmark, RetrievalBenchmark
from equipoise.errors import InputError
from equipoise.stages.benchmark import _read
from equipoise.stages.benchmark.data import Wanted, named_problems, read_rows
from equipoise.stages.benchmark.retrieval import retrieved

TEXTS = {"split": "split", "label": "label"}
PLAIN = {"split": ["train", "test", "test"], "label": [3, 1, 2], "embedding": [[1.0, 0.0], [0.5, 2.0], [0.0, 1.0]]}


def written(folder, **columns) -> str:
    path = str(folder / "vectors.parquet")
    pd.DataFrame({**PLAIN, **columns}).to_parquet(path)
    return path


def saved(folder, **arrays) -> str:
    path = str(folder / "vectors.npz")
    np.savez(path, **{**{name: np.array(column) for name, column in PLAIN.items()}, **arrays})
    return path


def refusal(spark, path: str, wanted: Wanted | None = None, *, most_bytes: float = 1e9) -> str:
    with pytest.raises(InputError) as caught, named_problems("birds", "raw"):
        read_rows(spark, path, wanted or Wanted("embedding", TEXTS), most_bytes=most_bytes)
    message = str(caught.value)
    assert message.startswith("benchmark birds, model")
    assert path in message
    assert "source." not in message
    return message


def test_labels_of_any_type_are_texts_and_optional_ones_may_be_missing(spark, tmp_path):
    wanted = Wanted("embedding", {**TEXTS, "groups.area": "area"}, {"groups.area"}, {"junk": "junk"})
    path = written(tmp_path, area=["x", None, "y"], junk=[[1, 2], None, []])
    rows = read_rows(spark, path, wanted, most_bytes=24)
    order = np.argsort(rows.texts["label"])
    assert rows.texts["label"][order].tolist() == ["1", "2", "3"]
    assert rows.texts["groups.area"][order].tolist() == [None, "y", "x"]
    assert [rows.lists["junk"][place].tolist() for place in order] == [[], [], ["1", "2"]]
    np.testing.assert_array_equal(rows.vectors[order], np.float32([[0.5, 2], [0, 1], [1, 0]]))
    assert rows.vectors.dtype == np.float32


def test_arrays_are_read_in_their_order(spark, tmp_path):
    rows = read_rows(spark, saved(tmp_path), Wanted("embedding", TEXTS), most_bytes=1e6)
    assert rows.texts["label"].tolist() == ["3", "1", "2"]
    np.testing.assert_array_equal(rows.vectors, np.float32(PLAIN["embedding"]))


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"label": [1, None, 2]}, "has no label in 1 of 3 rows"),
        ({"embedding": [[1.0], None, [2.0]]}, "has no embedding in 1 of 3 rows"),
        ({"embedding": [[1.0], [1.0, 2.0], [2.0]]}, "vectors of 1 to 2 numbers"),
        ({"embedding": [[], [], []]}, "vector: the column 'embedding'"),
        ({"embedding": ["a", "b", "c"]}, "it must be array<float> or array<double>"),
    ],
)
def test_tables_that_do_not_fit(spark, tmp_path, columns, complaint):
    assert complaint in refusal(spark, written(tmp_path, **columns))


def test_tables_that_are_not_there_or_lack_a_column(spark, tmp_path):
    assert "models.raw: " in refusal(spark, str(tmp_path / "gone.parquet"))
    assert "does not exist" in refusal(spark, str(tmp_path / "gone.parquet"))
    assert "did you mean 'label'?" in refusal(spark, written(tmp_path), Wanted("embedding", {"label": "lable"}))
    wanted = Wanted("embedding", TEXTS, lists={"junk": "label"})
    assert "junk: the column 'label'" in refusal(spark, written(tmp_path), wanted)


def test_empty_tables(spark, tmp_path):
    path = str(tmp_path / "empty.parquet")
    spark.createDataFrame([], "split string, label string, embedding array<float>").write.parquet(path)
    assert "has no rows" in refusal(spark, path)


def test_tables_and_files_above_the_limit_are_not_read(spark, tmp_path):
    told = refusal(spark, written(tmp_path), most_bytes=23)
    assert "3 vectors of 2 numbers, 24 bytes, the driver takes 23: raise benchmark.driver_bytes" in told
    assert "the driver takes 100" in refusal(spark, saved(tmp_path), most_bytes=100)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"embedding": np.ones((2, 2))}, "split: "),
        ({"embedding": np.ones(3)}, "holds float64 of shape (3,)"),
        ({"embedding": np.ones((3, 2), dtype=np.int64)}, "holds int64 of shape (3, 2)"),
        ({"label": np.array([1, None, 2], dtype=object)}, "plain values"),
    ],
)
def test_files_that_do_not_fit(spark, tmp_path, arrays, complaint):
    assert complaint in refusal(spark, saved(tmp_path, **arrays))


def test_files_that_are_no_files_of_arrays(spark, tmp_path):
    assert "does not exist" in refusal(spark, str(tmp_path / "gone.npz"))
    (tmp_path / "text.npz").write_text("vectors")
    assert "cannot be read as .npz" in refusal(spark, str(tmp_path / "text.npz"))
    with (tmp_path / "one.npz").open("wb") as file:
        np.save(file, np.ones(3))
    assert "one array without a name" in refusal(spark, str(tmp_path / "one.npz"))
    assert "did you mean 'label'?" in refusal(spark, saved(tmp_path), Wanted("embedding", {"label": "lable"}))
    wanted = Wanted("embedding", TEXTS, lists={"junk": "junk"})
    assert "cannot hold junk: lists differ in length" in refusal(spark, saved(tmp_path), wanted)


def test_a_benchmark_needs_both_splits(spark, tmp_path):
    entry = FeatureBenchmark(name="birds", models={"raw": "x"})
    with pytest.raises(InputError, match="no row whose split is 'train', but test, training: name the splits"):
        _read(spark, entry, written(tmp_path, split=["training", "test", "test"]), most_bytes=1e6)


SIDES = {"queries": {"id": ["a", "b"], "good": [["x"], ["y", "x"]]}, "gallery": {"id": ["x", "y"]}}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"queries": {"good": [["x"], ["z"]]}}, "positives of query 'b' names 'z', which the gallery does not have"),
        ({"queries": {"good": [[], None]}}, "0 of 2 lists name a correct item"),
        ({"gallery": {"id": ["x", "x"]}}, "has the id 'x' more than once"),
        ({"queries": {"bad": [["x"], []]}}, "query 0 lists an item both as correct and as junk"),
    ],
)
def test_lists_that_do_not_fit(spark, tmp_path, changes, complaint):
    paths = {}
    for side, columns in SIDES.items():
        paths[side] = str(tmp_path / f"{side}.parquet")
        rows = {"embedding": [[1.0, 0.0], [0.0, 1.0]], **columns, **changes.get(side, {})}
        pd.DataFrame(rows).to_parquet(paths[side])
    junk = "bad" if "bad" in changes.get("queries", {}) else None
    entry = RetrievalBenchmark(name="streets", models={"raw": paths}, positives="good", junk=junk)
    with pytest.raises(InputError, match=complaint):
        list(retrieved(spark, entry, "raw", section=Benchmark(retrieval=(entry,))))
