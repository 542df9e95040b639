"""The section ``benchmark``: what it takes, and what every mistake in it is answered."""

import re
from pathlib import Path

import pytest
import yaml

from equipoise.config import Config
from equipoise.errors import ConfigError, InputError
from equipoise.stages.benchmark.check import check
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


IMAGENET = {
    "name": "imagenet",
    "models": BIRDS["models"],
    "family": "in-distribution",
    "tests": {
        "val": {},
        "real": {"split": "val", "labels": "right"},
        "v2": {"family": "out-of-distribution"},
        "a": {"own_classes": True, "family": "out-of-distribution"},
    },
}


def test_several_test_sets_are_benchmarks_of_their_own_in_averages():
    heights = {"name": "canopy", "models": {"raw": "h.parquet"}, "block": "site"}
    benchmark = loaded(
        features=[BIRDS, IMAGENET],
        regression=[heights],
        answers=[{"name": "trivia", "models": {"raw": "t.parquet"}, "family": "texts"}],
        retrieval=[streets(pair="p", both_directions=True, family="out-of-distribution")],
    ).benchmark
    birds, imagenet = benchmark.features
    assert [*birds.asked] == ["birds"] and birds.asked["birds"].split == "test"
    assert {name: (test.split, test.family) for name, test in imagenet.asked.items()} == {
        "imagenet:val": ("val", "in-distribution"),
        "imagenet:real": ("val", "in-distribution"),
        "imagenet:v2": ("v2", "out-of-distribution"),
        "imagenet:a": ("a", "out-of-distribution"),
    }
    assert imagenet.lists == {"tests.real.labels": "right"}
    tests = ["imagenet:val", "imagenet:real", "imagenet:v2", "imagenet:a"]
    assert benchmark.averages == {
        "average": ["birds", *tests, "canopy", "trivia", "streets"],
        "average:in-distribution": tests[:2],
        "average:out-of-distribution": [*tests[2:], "streets"],
        "average:texts": ["trivia"],
    }
    assert benchmark.paths == ["raw.npz", "curated.parquet", "h.parquet", "t.parquet", "q.parquet", "g.parquet"]
    assert [entry.name for entry in benchmark.entries] == ["birds", "imagenet", "canopy", "trivia", "streets"]


def test_the_example_of_the_readme_is_a_config():
    section = (Path(__file__).parents[1] / "README.md").read_text().split("**Models.**")[1]
    values = yaml.safe_load(re.search(r"```yaml\n(.*?)```", section, re.DOTALL)[1])
    found = config_from({"name": "c", **values}, place="config c.yaml").benchmark
    assert all((found.features, found.regression, found.answers, found.retrieval))
    assert found.averages.keys() == {"average", "average:fine-grained", "average:robustness"}


def test_lists_are_refused_in_files_of_arrays_before_anything_is_read():
    values = {"name": "c", "workspace": "w", "benchmark": {"features": [IMAGENET]}}
    plan = planned(config_from(values, place="config c.yaml"), family="benchmark")
    with pytest.raises(
        InputError, match=r"benchmark imagenet, models.raw: raw.npz cannot hold tests.real.labels: lists"
    ):
        check(plan.graph.config.benchmark)


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
        ({}, "benchmark needs an entry: add features, regression, answers or retrieval"),
        ({"features": [{**IMAGENET, "tests": {"b": {"split": "train"}}}]}, "tests.b: 'train' is what is fitted"),
        ({"features": [{**IMAGENET, "tests": {"train": {}}}]}, "tests.train: 'train' is what is fitted"),
        ({"features": [{**IMAGENET, "tests": {"b": {"label": "x", "labels": "y"}}}]}, "give one of the two"),
        ({"features": [{**IMAGENET, "tests": {"b": {"own_clases": True}}}]}, "did you mean 'own_classes'"),
        ({"features": [{**IMAGENET, "tests": {"b:c": {}}}]}, "b:c"),
        ({"features": [{**IMAGENET, "family": "a b"}]}, "family"),
        ({"features": [{**IMAGENET, "image": "image"}]}, "rows of an image have one class each"),
        ({"features": [BIRDS], "regression": [{**BIRDS, "label": "x"}]}, "unknown key 'label'"),
        ({"regression": [BIRDS], "answers": [BIRDS]}, "2 entries named 'birds'"),
        ({"answers": [{**BIRDS, "vector": "v"}]}, "unknown key 'vector'"),
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
