"""Folders for reports: on this machine."""

import pytest

from equipoise.errors import InputError
from equipoise.tables.folder import Folder


@pytest.mark.parametrize("prefix", ["", "file:", "file://"])
def test_a_file_is_written_whole_in_the_place_of_an_earlier_one(tmp_path, prefix):
    folder = Folder(None, f"{prefix}{tmp_path}/a/b c%20")
    folder.make()
    assert (tmp_path / "a/b c%20").is_dir()
    for content in (b"one", b"two"):
        assert folder.write("r.html", content) == f"{tmp_path}/a/b c%20/r.html"
        assert [(one.name, one.read_bytes()) for one in (tmp_path / "a/b c%20").iterdir()] == [("r.html", content)]


def test_what_fails_leaves_the_earlier_file_alone(tmp_path, monkeypatch):
    folder = Folder(None, str(tmp_path))
    folder.write("r.html", b"one")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\): name another with --out"):
        folder.write("r.html", b"two")
    assert (tmp_path / "r.html").read_bytes() == b"one"


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=f"'{tmp_path}/file' cannot be written"):
        Folder(None, f"{tmp_path}/file").make()
