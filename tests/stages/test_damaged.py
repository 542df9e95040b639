"""Damaged files of a table on their way through the stages: one row of the rejects, or one refusal."""

import numpy as np
import pyarrow as pa
import pytest

from equipoise.errors import InputError
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from equipoise.stages.benchmark.data import Wanted, read_rows
from equipoise.stages.evaluate.labelled_set import read_labelled
from equipoise.stages.evaluate.section import LabelledSet
from equipoise.stages.ingest import Ingestion
from equipoise.stages.ingest.verdicts import Verdicts, check
from sources.asked import source
from sources.parquet_written import cut, with_broken_page, written
from stages.fakes import Lab

HALF = pa.list_(pa.float16())


@pytest.fixture
def vectors(tmp_path):
    """Two files of vectors with labels in two spellings, and one of them that is cut off."""
    for name, first in (("a", 0), ("b", 100), ("c", 200)):
        ids = list(range(first, first + 50))
        labels = {"Label": [f"L{n % 2}" for n in ids], "label": [f"l{n % 3}" for n in ids]}
        vectors = pa.array([[n, 1.0] for n in ids], HALF)
        written(tmp_path / "v" / f"{name}.parquet", {"id": ids, "embedding": vectors, **labels})
    return tmp_path / "v"


@pytest.mark.parametrize("damage", [cut, with_broken_page])
def test_a_damaged_file_of_vectors_is_one_reject_and_the_others_go_on(spark, vectors, tmp_path, damage):
    damage(vectors / "b.parquet")
    lab, section = Lab(spark, tmp_path), {"kind": "embeddings", "path": str(vectors), "id": "id", "label": "Label"}
    with pytest.raises(InputError, match=r"1 of 3 files cannot be read: \S+b\.parquet .* source\.damaged: skip$"):
        lab.run(source=section).bring("ingest")
    run = lab.run("s", source={**section, "damaged": "skip"})
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (101, 100, 1)
    (reject,) = [row for row in run.workspace.read(REJECTS).collect() if row[Col.run_id] == "s"]
    assert (reject[Col.reason], reject[Col.uri]) == ("damaged_file", f"file:{vectors}/b.parquet")
    labels = {row[Col.item_id]: row[Col.label] for row in run.workspace.read(POOL).collect()}
    assert labels == {n: f"L{n % 2}" for n in (*range(50), *range(200, 250))}
    assert {row[Col.embedding][0] for row in run.workspace.read(EMBEDDINGS).collect()} == {float(n) for n in labels}


def judged(spark):
    rows = [(f"file:/in/{n}.gz", "cut off", "damaged_file") for n in "edcba"]
    items = spark.createDataFrame(rows, [Col.uri, Col.detail, Col.reason])
    count = spark.createDataFrame([(5, 0)], [Col.n_items, Col.n_clashes]).first()
    return Verdicts(items, {"damaged_file": count}, None)


def test_damaged_files_that_tasks_came_upon_are_refused_by_name_unless_they_are_to_be_skipped(spark):
    section = {"kind": "texts", "path": "/in", "id_space": "own"}
    settings = Ingestion(name="web", source=source(**section), place="sources.web")
    with pytest.raises(InputError) as caught:
        check(None, settings, judged(spark))
    assert str(caught.value) == (
        "source 'web': 5 of its files cannot be read: file:/in/a.gz (cut off); file:/in/b.gz (cut off); "
        "file:/in/c.gz (cut off); and 2 more; write them anew or take them away, or have them rejected by "
        "sources.web.damaged: skip"
    )
    skipping = Ingestion(name="web", source=source(**section, damaged="skip"), place="sources.web")
    check(None, skipping, judged(spark))


def test_a_labelled_set_of_halves_is_read_and_a_damaged_file_of_it_named(spark, vectors):
    section = LabelledSet(path=str(vectors), label="Label")
    found = read_labelled(spark, section)
    assert found.vectors.shape == (150, 2) and set(found.labels) == {"L0", "L1"}
    with_broken_page(vectors / "c.parquet")
    with pytest.raises(InputError) as caught:
        read_labelled(spark, section)
    assert str(caught.value).startswith(f"evaluate.labelled.path {vectors}: 1 of 3 files cannot be read: ")


def test_a_benchmark_takes_columns_of_any_name_and_names_a_damaged_file(spark, vectors):
    wanted = Wanted("embedding", {"label": "label", "groups.Label": "Label", "groups.label": "label"})
    rows = read_rows(spark, str(vectors), wanted, most_bytes=1e6)
    order = np.argsort(rows.vectors[:, 0])
    ids = rows.vectors[order, 0].astype(int)
    assert rows.texts["groups.Label"][order].tolist() == [f"L{n % 2}" for n in ids]
    assert rows.texts["groups.label"][order].tolist() == [f"l{n % 3}" for n in ids]
    cut(vectors / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet .*; write them anew or take them away$"):
        read_rows(spark, str(vectors), wanted, most_bytes=1e6)
