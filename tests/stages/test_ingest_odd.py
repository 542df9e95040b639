"""The stage ingest: single items that are odd among good ones."""

import numpy as np
import pytest
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.schemas import EMBEDDINGS, POOL, Col, Slice
from stages.fakes import Lab
from stages.test_ingest import reasons


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def test_single_vectors_that_cannot_be_used_stop_no_others(lab, tmp_path):
    rows = [(1, [1.0, 2.0]), (2, [3.0, 4.0]), (3, [1.0]), (1, [0.0]), (4, []), (5, [1e25, 0.0]), (6, [float("nan")])]
    schema = "id long, embedding array<float>"
    lab.spark.createDataFrame([*rows, (7, [5.0, 6.0])], schema).write.parquet(f"{tmp_path}/p")
    source = {"kind": "embeddings", "path": f"{tmp_path}/p", "id": "id"}
    run = lab.run(source=source)
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (8, 3, 5)
    assert reasons(run) == ["empty_vector", "not_finite", "other_length", "other_length", "too_large"]
    found = {row[Col.item_id]: row[Col.embedding] for row in run.workspace.read(EMBEDDINGS).collect()}
    assert found == {1: [1.0, 2.0], 2: [3.0, 4.0], 7: [5.0, 6.0]}  # the good one of the two whose id is 1


def test_ids_of_nineteen_digits_that_were_hashed_before_do_not_come_twice(lab, tmp_path):
    """As a pool has them that was made when only 18 digits were taken for a BIGINT."""
    (tmp_path / "i.txt").write_text("1000000000000000000\n7\n")
    np.save(tmp_path / "v.npy", np.eye(2))
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy"), "ids": str(tmp_path / "i.txt"), "name": "s"}
    hashed = lab.spark.sql("select xxhash64('s', '1000000000000000000') as item_id, 's' as source")
    columns = [
        F.lit(None).cast(field.dataType).alias(field.name) for field in POOL.schema if field.name not in hashed.columns
    ]
    lab.workspace.insert_new(
        Slice(POOL, {Col.source: "s"}), hashed.select("*", *columns).select(*POOL.columns), since=None
    )
    with pytest.raises(InputError, match=r"the pool has 1 of its items .* --force ingest"):
        lab.run(source=source).bring("ingest")


def test_a_part_of_vectors_of_another_length_is_rejected_row_by_row(lab, tmp_path):
    (tmp_path / "in").mkdir()
    for number, shape in enumerate([(2, 3), (4, 2), (3, 2)]):
        np.save(tmp_path / "in" / f"{number}.npy", np.ones(shape, [np.float32, np.float16][number % 2]))
    run = lab.run(source={"kind": "embeddings", "path": str(tmp_path / "in")})
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (9, 7, 2)
    assert reasons(run) == ["other_length", "other_length"]
    assert {row[Col.item_id] for row in run.workspace.read(POOL).collect()} == set(range(2, 9))
