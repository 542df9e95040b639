"""The stage ``deduplicate`` over data that it cannot use, or that looks so: what it says, and what simply works."""

import re

import numpy as np
import pandas as pd
import pytest

from equipoise.errors import InputError, NoVectorsError
from equipoise.schemas import DUPLICATES, Col
from equipoise.schemas import POOL as POOL_TABLE
from stages.fakes import Lab

POOL = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def given(folder, deduplicate, **sets):
    """A config whose sources are sets of vectors; all but ``pool`` are there to compare with."""
    for name, vectors in sets.items():
        np.save(folder / f"{name}.npy", np.asarray(vectors, np.float32))
    sources = {name: {"kind": "embeddings", "path": str(folder / f"{name}.npy"), "encoder": "e"} for name in sets}
    for name in sets:
        sources[name]["id_space"] = "own"
    others = [name for name in sets if name != "pool"]
    against = {"against": {"sources": others}} if others else {}
    return {"sources": sources, "pool": ["pool"], "deduplicate": {**deduplicate, **against}}


def refusal(lab, sections, node="deduplicate:groups"):
    with pytest.raises(InputError) as raised:
        lab.run("r", **sections).bring(node)
    return "; ".join([str(raised.value), *getattr(raised.value, "__notes__", ())])


PAIRS = {"exact_copies": "none"}


@pytest.mark.parametrize(
    "sets, said",
    [
        ({"black": np.zeros((3, 2))}, r"no vectors but zeros, .*; the pool was held against 'black' of deduplicate.ag"),
        (
            {"longer": np.ones((3, 5))},
            r"^source 'longer': the vectors of .* have length 5 .* name it by sources.lon",
        ),
        ({"empty": np.full((2, 2), np.nan)}, r"^source 'empty': no item of .* can be used: not_finite \(2\)"),
        (
            {"pool": np.zeros((3, 2))},
            r"^there are no vectors but zeros, which have no direction and are like none: check",
        ),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_vectors_that_cannot_be_compared_are_refused_and_their_set_named(lab, tmp_path, sets, said):
    assert re.search(said, refusal(lab, given(tmp_path, PAIRS, **{"pool": POOL, **sets})))


@pytest.mark.parametrize("k", [1, 2])
def test_semdedup_refuses_zeros_alone(lab, tmp_path, k):
    sections = given(tmp_path, {"semdedup": {"k": k}}, pool=np.zeros((3, 2)))
    with pytest.raises(NoVectorsError, match="no vectors but zeros"):
        lab.run("r", **sections).bring("deduplicate:semdedup")


def test_semdedup_takes_equal_vectors_as_one_cluster_and_zeros_into_none(lab, tmp_path):
    vectors = np.concatenate([np.full((6, 2), 3), np.zeros((2, 2))])
    made = lab.run("r", **given(tmp_path, {"semdedup": {"k": 4, "rounds": 2}}, pool=vectors))
    account = made.bring("deduplicate:semdedup")["deduplicate:semdedup"]
    assert (account.n_in, account.n_out) == (8, 3)
    kept = {row[Col.item_id] for row in made.rows(DUPLICATES) if row[Col.is_kept]}
    assert kept == {min(row[Col.item_id] for row in made.rows(DUPLICATES))}, "of equals the lowest id"


def test_semdedup_asks_for_no_more_clusters_than_there_are_directions(lab, tmp_path):
    vectors = np.concatenate([POOL, np.zeros((4, 2))])
    made = lab.run("r", **given(tmp_path, {"semdedup": {"k": 5, "rounds": 3}}, pool=vectors))
    assert made.bring("deduplicate:semdedup")["deduplicate:semdedup"].n_in == 7


def test_an_attribute_that_no_item_has_tells_nothing_and_some_may_lack_it(lab, tmp_path):
    columns = {"id": ["a", "b", "c"], "vector": POOL.tolist(), "rank": pd.Series([None] * 3, dtype="string")}
    pd.DataFrame({**columns, "size": [None, 2.0, 1.0]}).to_parquet(tmp_path / "v.parquet")
    source = {"kind": "embeddings", "path": str(tmp_path / "v.parquet"), "id": "id", "vector": "vector"}

    def sections(attribute):
        rules = {**PAIRS, "threshold": 0.9, "keep": {"attribute": attribute}}
        return {"source": {**source, "attributes": ["rank", "size"]}, "deduplicate": rules}

    said = refusal(lab, sections("rank"))
    assert said.startswith(
        "deduplicate.keep.attribute: no item has a value of 'rank', so that it cannot tell which one"
    )
    made = lab.run("r", **sections("size"))  # the pairs of before stand
    assert made.bring("deduplicate:groups")["deduplicate:groups"].n_out == 2
    kept, gone = (
        [row[Col.item_id] for row in made.rows(DUPLICATES) if row[Col.is_kept] is one] for one in (True, False)
    )
    sizes = {row[Col.item_id]: row[Col.attributes]["size"] for row in made.rows(POOL_TABLE)}
    assert sizes[kept[0]].startswith("2") and sizes[gone[0]] is None
