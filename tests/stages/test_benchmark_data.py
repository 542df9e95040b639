"""Benchmarks' tables and files -> arrays, and what is answered where they do not fit."""

import numpy as np
import pytest

from equipoise.sources.states import state_of
from equipoise.stages.benchmark.data import Wanted, read_rows
from stages.bench_tables import PLAIN, TEXTS, refusal, saved, written


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
        ({"embedding": [[], [], []]}, "vectors of 0 to 0 numbers"),
        ({"embedding": ["a", "b", "c"]}, "vector: the column 'embedding'"),
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


def test_tables_of_the_catalog_have_the_state_of_their_newest_version(spark):
    rows = spark.createDataFrame([(1,)], "id bigint")
    states = []
    for _ in range(2):
        rows.write.format("delta").mode("append").saveAsTable("default.bench_states")
        states += [state_of(spark, "default.bench_states"), state_of(spark, "default.bench_states")]
    assert states[0] == states[1] != states[2] == states[3]
    rows.write.format("parquet").mode("overwrite").saveAsTable("default.bench_parquet")
    assert state_of(spark, "default.bench_parquet") is None


def test_what_is_shown_counts_against_the_limit(spark, tmp_path):
    path = written(tmp_path, text=["x" * 5000, "y", None])
    wanted = Wanted("embedding", {"shows": "text"}, {"shows"})
    assert len(read_rows(spark, path, wanted, most_bytes=24 + 1001).vectors) == 3
    assert "24 bytes, the driver" not in refusal(spark, path, wanted, most_bytes=24 + 1000)
