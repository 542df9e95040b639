"""Arrays by a function of the user's, and what is missing for arrays, told by name; without Spark."""

import numpy as np
import pytest

from equipoise.config import Place
from equipoise.errors import ConfigError, InputError
from equipoise.sources.array_rows import user_function
from equipoise.sources.local import check_source
from sources.test_array_rows import found, pixels, source

READER = """
import numpy as np
def windows(path, window=(2, 2), overlap=(0, 0)):
    values = np.loadtxt(path)
    for row in range(0, len(values), window[0]):
        yield f"rows {row}", values[row : row + window[0]]
def broken(path):
    yield "first", np.zeros((2, 2))
    raise OSError("bad header")
NUMBER = 3
"""


@pytest.fixture
def reader(tmp_path, monkeypatch):
    (tmp_path / "segment_reader.py").write_text(READER)
    monkeypatch.syspath_prepend(tmp_path)
    np.savetxt(tmp_path / "a.txt", np.arange(16).reshape(4, 4))
    return tmp_path / "a.txt"


def test_a_reader_of_the_users_yields_windows_which_are_scaled_and_kept(reader):
    rows = found(reader, reader="python:segment_reader:windows", window=(2, 4), scaling={"percentiles": (0, 100)})
    assert [row.key for row in rows] == [f"file:{reader}#rows 0", f"file:{reader}#rows 2"]
    np.testing.assert_allclose(pixels(rows[1]), np.arange(8, 16).reshape(2, 4) / 15, rtol=1e-6)
    assert {row.uri for row in rows} == {f"file:{reader}"}


def test_without_scaling_its_values_are_taken_as_they_are(reader):
    rows = found(reader, reader="python:segment_reader:windows", window=None, scaling=None)
    np.testing.assert_array_equal(pixels(rows[0]), np.arange(8).reshape(2, 4))


def test_what_a_reader_raises_makes_the_file_a_damaged_one(reader):
    rows = found(reader, reader="python:segment_reader:broken", window=None)
    assert [row.reason for row in rows] == [None, "damaged_file"]
    assert rows[1].detail == "reader python:segment_reader:broken: OSError: bad header"


@pytest.mark.parametrize(
    "name, said",
    [
        (
            "python:no_such_module:f",
            r"^reader python:no_such_module:f: .*cannot be imported \(ModuleNotFoundError",
        ),
        ("python:segment_reader:f", r"the module segment_reader \(.*\) has no f"),
        ("python:segment_reader:NUMBER", "has a int, no class or function, NUMBER"),
    ],
)
def test_a_reader_that_is_not_there_is_named(reader, name, said):
    with pytest.raises(ConfigError, match=said):
        user_function(name)


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'zarr'", name="zarr")

    monkeypatch.setattr("equipoise.pipeline.stored_arrays._zarr", missing)
    with pytest.raises(ConfigError, match=r"a.zarr needs the library zarr: pip install 'equipoise\[zarr\]'"):
        found(tmp_path / "a.zarr")


def test_what_is_missing_is_told_before_spark_starts(reader, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="the module no_such_module cannot be imported"):
        check_source(source(path=str(tmp_path), reader="python:no_such_module:f"), Place("source"))
    check_source(source(path=str(tmp_path), reader="python:segment_reader:windows"), Place("source"))
    (tmp_path / "s.zarr").mkdir()
    monkeypatch.setattr("equipoise.sources.local.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"source.path .*s.zarr needs the library zarr: pip install 'equipoise\[zarr\]'"
    ):
        check_source(source(path=str(tmp_path / "s.zarr")), Place("source"))
    with pytest.raises(InputError, match=r"source.path .*none.npy does not exist"):
        check_source(source(path=str(tmp_path / "none.npy")), Place("source"))
