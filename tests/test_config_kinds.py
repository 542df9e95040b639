"""Every key of every section, given what is none of its values: it is taken as its type, or refused by its name."""

import copy
import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from equipoise.config import Section
from equipoise.config.kinds import misfits
from equipoise.errors import ConfigError
from equipoise.stages.configuration import WholeConfig, config_from, graph_of

EMBEDDINGS = {"kind": "embeddings", "path": "t", "id": "i", "vector": "v", "uri": "u", "label": "l"}
WHOLE: dict[str, Any] = {
    "name": "all",
    "workspace": "w",
    "seed": 1,
    "pool": ["pictures", "rows"],
    "sources": {
        "pictures": {"kind": "images", "path": "p"},
        "likes": {"kind": "images", "path": "l"},
        "shards": {"kind": "webdataset", "path": "s", "block": {"domains": "d", "urls": "u", "url": "f"}},
        "notes": {"kind": "texts", "path": "n"},
        "scans": {"kind": "arrays", "path": "s", "window": [8, 8], "scaling": {"percentiles": [1, 99]}},
        "rows": {"kind": "table", "path": "r", "content": "c", "attributes": ["a"], "block": {"urls": "u", "url": "f"}},
        "given": {**EMBEDDINGS, "attributes": ["a"]},
    },
    "encoders": {"small": {"encoder": "pixels", "size": 8, "mode": "L"}},
    "deduplicate": {"threshold": 0.7, "against": {"sources": ["likes"]}, "keep": {"attribute": "a"}},
    "cluster": {
        "levels": [{"k": 30, "splits": 3}, {"k": 5, "resampling": {"rounds": 3, "points": 2}}],
        "driver_limit": {"bytes": 1e6, "flops": 1e6},
        "encoder": "small",
    },
    "select": [{"name": "even", "target": 10}, {"name": "each", "per_cluster": 2}, {"name": "more", "targets": [5, 6]}],
    "evaluate": {"labelled": {"path": "t"}},
    "benchmark": {
        "features": [
            {"name": "f", "models": {"m": "t"}, "tests": {"new": {"split": "s", "labels": "l", "family": "x"}}},
            {"name": "d", "models": {"m": "t"}, "image": "i", "groups": ["g"]},
        ],
        "regression": [{"name": "h", "models": {"m": "t"}, "block": "b"}],
        "answers": [{"name": "q", "models": {"m": "t"}}],
        "retrieval": [{"name": "r", "models": {"m": {"queries": "q", "gallery": "g"}}, "pair": "p"}],
    },
    "compare": {"target": 5, "variants": [{"name": "other", "cluster": {"iterations": 3}}]},
    "report": {"out": "o"},
    "spark": {"spark.executor.cores": 2},
}
SHORT: dict[str, Any] = {
    "workspace": "w",
    "source": {"kind": "images", "path": "p"},
    "embed": {"encoder": "pixels"},
    "deduplicate": {"semdedup": {"k": 2, "clusters": {"run": "r"}, "rounds": 2}},
}
HUGE = 10**30
BAD = {
    "a boolean": True,
    "NaN": math.nan,
    "infinity": math.inf,
    "a negative": -3,
    "a huge number": HUGE,
    "a huge float": 1e300,
    "no text": "",
    "a blank": "  ",
    "a control character": "a\x00b",
    "a list": [],
    "a list of booleans": [True],
    "a list of blanks": [" "],
    "nested lists": [[[]]],
    "a mapping": {"a": {}},
    "nothing": None,
}


def keys(section: Section, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The places of all keys of a config, written or not, with those that are an encoder's."""
    names = [*type(section).model_fields, *(section.model_extra or {})]
    for name in names:
        yield (*place, name)
        yield from inside(getattr(section, name, None), (*place, name))


def inside(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    match value:
        case Section():
            yield from keys(value, place)
        case dict():
            for key, entry in value.items():
                yield from inside(entry, (*place, key))
        case tuple():
            for number, entry in enumerate(value):
                yield from inside(entry, (*place, number))


def with_value(values: dict[str, Any], place: tuple[str | int, ...], value: Any) -> dict[str, Any] | None:
    """The config with one value replaced; None where its section is not written out."""
    changed = copy.deepcopy(values)
    at: Any = changed
    for part in place[:-1]:
        try:
            at = at[part]
        except (KeyError, IndexError, TypeError):
            return None
    at[place[-1]] = value
    return changed


def found_at(config: Section, place: tuple[str | int, ...]) -> Any:
    at: Any = config
    for part in place:
        at = getattr(at, part) if isinstance(at, Section) else at[part]
    return at


def sections_of(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
        for field in annotation.model_fields.values():
            yield from sections_of(field.annotation)
    for part in get_args(annotation):
        yield from sections_of(part)


def test_the_whole_config_has_every_section():
    visited = {
        type(section) for values in (WHOLE, SHORT) for section in all_sections(config_from(values | {"name": "a"}))
    }
    assert visited == set(sections_of(WholeConfig))


def all_sections(value: Any) -> Iterator[Section]:
    if isinstance(value, BaseModel):
        yield value  # type: ignore[misc]
        for name in type(value).model_fields:
            yield from all_sections(getattr(value, name))
    entries = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else ()
    for entry in entries:
        yield from all_sections(entry)


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("values", [WHOLE, {"name": "short", **SHORT}], ids=["all", "short"])
def test_every_key_takes_a_value_of_its_type_or_is_named(values, what):
    bad = BAD[what]
    places = dict.fromkeys(keys(config_from(values)))
    assert len(places) > 10
    for place in places:
        changed = with_value(values, place, bad)
        if changed is None:
            continue
        try:
            config = config_from(changed)
            graph_of(config)
        except ConfigError as error:
            # What is null is not there: who misses it says so, by its own name.
            assert bad is None or str(place[-1]) in str(error) or str(place[-2]) in str(error), (place, str(error))
            assert "\n" not in str(error)
            continue
        taken(config, place, bad)


def taken(config: Section, place: tuple[str | int, ...], bad: Any) -> None:
    """A value that was taken is one of the type of its key."""
    section = found_at(config, place[:-1])
    if not isinstance(section, Section) or place[-1] not in type(section).model_fields:
        return
    annotation = type(section).model_fields[str(place[-1])].annotation
    assert not list(misfits(bad, annotation)), place
    assert bad is not True or bool in [annotation, *get_args(annotation)], place
    if isinstance(bad, float | int) and not isinstance(bad, bool):
        assert bad == -3 and place == ("seed",), place
    if isinstance(bad, str):
        assert str in [annotation, *get_args(annotation)] and bad.strip() and bad.isprintable(), place


@pytest.mark.parametrize(
    "place, value, read",
    [
        (("seed",), 7.0, 7),
        (("cluster", "levels", 0, "k"), 3.0e1, 30),
        (("cluster", "iterations"), 1.0e3, 1000),
        (("encoders", "small", "size"), 8.0, 8),
    ],
)
def test_whole_floats_are_whole_numbers(place, value, read):
    config = config_from(with_value(WHOLE, place, value))  # type: ignore[arg-type]
    found = found_at(config, place) if place[-1] != "size" else config.encoders["small"].options["size"]
    assert found == read and type(found) is type(read)


@pytest.mark.parametrize(
    "place, value, must_be",
    [
        (("seed",), "7", "a number"),
        (("encoders", "small", "size"), "8", "a number"),
        (("cluster", "tolerance"), "1e-3", "a number"),
        (("cluster", "levels", 1, "resampling", "points"), "2", "a number"),
        (("cluster", "half"), "true", "true or false"),
        (("sources", "pictures", "inline"), "yes", "true or false"),
        (("evaluate", "random"), "0", "true or false"),
    ],
)
def test_a_number_or_a_flag_in_quotes_is_refused_by_name(place, value, must_be):
    with pytest.raises(ConfigError) as caught:
        config_from(with_value(WHOLE, place, value))  # type: ignore[arg-type]
    said = f"{place[-1]}: must be {must_be}, and in quotes it is a text: drop the quotes (got {value!r})"
    assert said in str(caught.value)


def test_an_empty_value_of_a_key_of_sparks_is_kept():
    assert config_from({**WHOLE, "spark": {"spark.jars.packages": ""}}).spark == {"spark.jars.packages": ""}


@pytest.mark.parametrize(
    "master",
    [
        "local",
        "local[*]",
        "local[ 4 ]",
        "local[*,4]",
        "local-cluster[2,1,1024]",
        "yarn",
        "spark://a:1,b:1",
        "k8s://https://a:1",
    ],
)
def test_masters_that_spark_knows_are_taken(master):
    assert config_from({**WHOLE, "spark": {"spark.master": master}}).spark == {"spark.master": master}


def test_flags_of_spark_sql_are_flags_and_options_of_a_catalog_its_own():
    spark = {"spark.sql.ansi.enabled": True, "spark.sql.catalog.mine.cache.enabled": "auto"}
    assert config_from({**WHOLE, "spark": spark}).spark == {**spark, "spark.sql.ansi.enabled": "true"}
