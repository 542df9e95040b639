"""The section ``benchmark``: what it takes, and what every mistake in it is answered."""

import pytest

from equipoise.config import Config
from equipoise.errors import ConfigError
from equipoise.stages.configuration import config_from
from equipoise.stages.running import planned

PLAIN = {"name": "c", "workspace": "w", "source": {"kind": "images", "path": "x"}}
BIRDS = {"name": "birds", "models": {"raw": "raw.npz", "curated": "curated.parquet"}}
TABLES = {"raw": {"queries": "q.parquet", "gallery": "g.parquet"}}


def loaded(**section) -> Config:
    return config_from({**PLAIN, "benchmark": section}, place="config c.yaml")


def streets(**keys) -> dict:
    return {"name": "streets", "models": TABLES, **keys}


def test_defaults():
    benchmark = loaded(features=[BIRDS]).benchmark
    (birds,) = benchmark.features
    assert (birds.split, birds.label, birds.vector, birds.groups) == ("split", "label", "embedding", ())
    assert birds.id is None
    assert (benchmark.probe, benchmark.rounds, benchmark.driver_bytes) == (True, 1000, 1e9)


def test_a_benchmark_needs_no_source_but_all_else_does():
    values = {"name": "c", "workspace": "w", "benchmark": {"features": [BIRDS]}}
    alone = config_from(values, place="config c.yaml")
    assert planned(alone, family="benchmark").targets == ("benchmark",)
    for family in (None, "cluster"):
        with pytest.raises(ConfigError, match="'c' has no section 'source'"):
            planned(alone, family=family)
    with pytest.raises(ConfigError, match="config 'c' has no section 'source', which cluster needs: add it"):
        planned(config_from({**values, "cluster": {"levels": [{"k": 3}]}}), family="benchmark")


def test_evaluation_without_a_selection_says_what_is_missing():
    sections = {
        "cluster": {"levels": [{"k": 3}]},
        "embed": {"encoder": "pixels"},
        "evaluate": {},
        "compare": {"target": 5},
    }
    with pytest.raises(ConfigError, match="selects nothing: add the section 'select'"):
        planned(config_from({**PLAIN, **sections}), family="evaluate")


def test_lists_are_the_columns_that_are_named():
    (plain, graded) = loaded(
        retrieval=[streets(positives="good"), {**streets(easy="e", hard="h", junk="j"), "name": "oxford"}]
    ).benchmark.retrieval
    assert plain.lists == {"positives": "good"}
    assert graded.lists == {"easy": "e", "hard": "h", "junk": "j"}


def test_paths_are_those_of_all_tables_each_once():
    both = {**TABLES, "curated": {"queries": "q.parquet", "gallery": "other.parquet"}}
    found = loaded(features=[BIRDS], retrieval=[{**streets(pair="p"), "models": both}]).benchmark
    assert found.paths == ["raw.npz", "curated.parquet", "q.parquet", "g.parquet", "other.parquet"]
    assert [entry.name for entry in found.entries] == ["birds", "streets"]


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ({}, "benchmark needs an entry"),
        ({"features": [BIRDS, BIRDS]}, "2 entries named 'birds'"),
        ({"features": [BIRDS], "retrieval": [{**streets(pair="p"), "name": "birds"}]}, "2 entries named 'birds'"),
        ({"features": [{**BIRDS, "name": "average"}]}, "cannot be told from their average"),
        ({"features": [{**BIRDS, "models": {}}]}, "models"),
        ({"features": [{**BIRDS, "models": {"a/b": "x.npz"}}]}, "a/b"),
        ({"features": [{**BIRDS, "lable": "x"}]}, "did you mean 'label'"),
        ({"retrieval": [streets()]}, "needs one of pair, positives, and both of easy and hard"),
        ({"retrieval": [streets(pair="p", positives="x")]}, "needs one of pair, positives"),
        ({"retrieval": [streets(easy="e")]}, "both of easy and hard"),
        ({"retrieval": [streets(pair="p", junk="j")]}, "junk goes with lists"),
        ({"retrieval": [streets(easy="e", hard="h", both_directions=True)]}, "one direction"),
    ],
)
def test_mistakes(section, complaint):
    with pytest.raises(ConfigError) as caught:
        loaded(**section)
    assert complaint in str(caught.value)
    assert str(caught.value).startswith("config c.yaml: benchmark")
