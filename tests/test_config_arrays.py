"""What a config may say of a source of arrays, and what it is told where keys do not go together."""

import pytest

from configs import refusal, written
from equipoise.config import ArraysSource
from equipoise.stages.configuration import load_config

PLAIN = {"kind": "arrays", "path": "scans", "window": [256, 128], "scaling": {"limits": [-1, 1]}}


def test_the_example_is_read(tmp_path):
    values = {**PLAIN, "overlap": [64, 0], "axis": 2, "every": 4, "partial": "pad", "fill": 0.5}
    source = load_config(written(tmp_path, source=values)).source
    assert isinstance(source, ArraysSource)
    assert (source.window, source.overlaps, source.axis, source.content_kind) == ((256, 128), (64, 0), 2, "images")
    assert source.endings == ("npy", "npz", "zarr") and source.own_name == "scans"


def test_one_overlap_is_that_of_rows_and_columns():
    assert ArraysSource(**{**PLAIN, "overlap": 32}).overlaps == (32, 32)
    assert ArraysSource(**{**PLAIN, "path": "a/survey.2024.zarr"}).own_name == "survey_2024"


def test_a_reader_takes_any_file_or_those_that_are_named():
    reader = {"kind": "arrays", "path": "s", "reader": "python:my.segy:windows"}
    assert ArraysSource(**reader).endings == ("",)
    assert ArraysSource(**reader, extensions=(".SGY", "segy")).endings == ("sgy", "segy")


@pytest.mark.parametrize(
    "values, said",
    [
        ({"window": None}, "arrays need window, as [256, 256]"),
        ({"scaling": None}, "arrays need scaling, as {percentiles: [1, 99]}"),
        ({"scaling": {}}, "scaling needs either percentiles, as [1, 99], or limits, as [-1.0, 1.0]"),
        ({"scaling": {"limits": [0, 1], "percentiles": [1, 99]}}, "scaling needs either percentiles"),
        ({"scaling": {"percentiles": [99, 1]}}, "scaling goes from 99 to 1: the first must be less than the second"),
        ({"scaling": {"percentiles": [1, 101]}}, "source.scaling.percentiles.1: must be"),
        ({"overlap": 128}, "overlap is [128, 128]: it must be less than the window, [256, 128]"),
        ({"axis": 0, "channels": "last"}, "axis cuts a 3-D array into slices, channels makes it one picture"),
        ({"every": 2}, "every goes with axis: name that, or drop it"),
        ({"take": [0]}, "take goes with channels: name that, or drop it"),
        ({"extensions": ["dat"]}, "extensions goes with reader; without one npy, npz, zarr are read: drop it"),
        (
            {"reader": "my.segy"},
            "source.reader: must be python:module:function, a function that yields windows (got 'my.segy')",
        ),
        ({"reader": "python:my.segy:windows", "axis": 1}, "axis does not go with reader, which cuts windows"),
        ({"reader": "python:my.segy:windows", "scaling": None, "fill": 0}, "fill goes with scaling: name that"),
        ({"windw": [1, 1]}, "unknown key 'windw'; did you mean 'window'?"),
    ],
)
def test_keys_that_do_not_go_together_are_named(tmp_path, values, said):
    merged = {key: value for key, value in {**PLAIN, **values}.items() if value is not None}
    assert said in refusal(tmp_path, source=merged)
