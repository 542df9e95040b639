"""What counts as a change of data outside the workspace: files alone, no Spark."""

import os

from equipoise.sources.states import state_of


def state(path) -> int | None:
    return state_of(None, str(path))


def test_a_file_has_another_state_when_it_is_written_again(tmp_path):
    path = tmp_path / "vectors.npz"
    path.write_bytes(b"12")
    first = state(path)
    assert first is not None and state(path) == first
    os.utime(path, ns=(5, 5))
    touched = state(path)
    path.write_bytes(b"123")
    os.utime(path, ns=(5, 5))
    assert len({first, touched, state(path)}) == 3


def test_a_folder_has_the_state_of_its_files_at_any_depth(tmp_path):
    (tmp_path / "split=test").mkdir()
    (tmp_path / "split=test" / "0.parquet").write_bytes(b"1")
    first = state(tmp_path)
    (tmp_path / "split=test" / "1.parquet").write_bytes(b"1")
    assert state(tmp_path) != first


def test_a_delta_table_has_the_state_of_its_log(tmp_path):
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "0.json").write_bytes(b"1")
    first = state(tmp_path)
    (tmp_path / "left-by-a-failed-write.parquet").write_bytes(b"1")
    assert state(tmp_path) == first
    (tmp_path / "_delta_log" / "1.json").write_bytes(b"1")
    assert state(tmp_path) != first


def test_what_is_not_there_or_cannot_be_asked_has_none(tmp_path):
    assert state(tmp_path / "gone.npz") is None
    assert state("nowhere://x/y.npz") is None
