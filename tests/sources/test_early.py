"""What is told of a source before Spark starts."""

import numpy as np
import pytest

from equipoise.config import Place
from equipoise.errors import InputError
from equipoise.sources.local import check_source
from sources.asked import source


def early(**values) -> str:
    with pytest.raises(InputError) as caught:
        check_source(source(**values), Place("sources.web"))
    return str(caught.value)


@pytest.mark.parametrize("kind", ["images", "texts", "embeddings"])
def test_a_missing_local_path_is_told_early(tmp_path, kind):
    more = {"id": "i"} if kind == "embeddings" else {}
    assert early(kind=kind, path=tmp_path / "gone", **more).startswith(
        f"sources.web.path {tmp_path}/gone does not exist"
    )


@pytest.mark.parametrize("values", [{"kind": "table", "content": "c"}, {"kind": "embeddings", "id": "i"}])
def test_a_name_may_be_one_of_the_catalog(tmp_path, values):
    check_source(source(path="main.web.pages", **values), Place("source"))
    assert "does not exist" in early(path=tmp_path / "gone.parquet", **values)


def test_what_another_file_system_has_is_asked_later(monkeypatch, tmp_path):
    check_source(source(kind="images", path="s3://bucket/gone"), Place("source"))
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))  # a path without a scheme may lie in HDFS
    check_source(source(kind="images", path="/gone"), Place("source"))
    assert "does not exist" in early(kind="images", path="file:/gone")


def test_what_may_not_be_read_is_told_early(monkeypatch, tmp_path):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may read everything
    assert "may not be read by this user" in early(kind="images", path=tmp_path)


@pytest.mark.parametrize(
    "array, said",
    [
        (np.ones(3), "has the shape (3,); it must be (n, d)"),
        (np.ones((3, 2), int), "holds int64; it must hold float16, float32 or float64"),
        (np.asfortranarray(np.ones((3, 2))), "is in Fortran order"),
    ],
)
def test_vectors_of_another_shape_or_type_are_told_early(tmp_path, array, said):
    np.save(tmp_path / "v.npy", array)
    assert said in early(kind="embeddings", path=tmp_path / "v.npy")


def test_ids_beside_vectors_are_counted_early(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    (tmp_path / "ids.txt").write_text("a\nb\n")
    message = early(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "ids.txt"))
    assert message.startswith("sources.web.ids") and "has 2 ids for 3 vectors" in message
    assert "sources.web.ids" in early(kind="embeddings", path=tmp_path / "v.npy", ids=str(tmp_path / "gone.txt"))


def test_ids_that_cannot_be_read_are_told_early(monkeypatch, tmp_path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.txt").write_bytes("a\nü\nb\n".encode("latin-1"))
    (tmp_path / "ids.txt").write_text("a\nü\nb\n")
    vectors = {"kind": "embeddings", "path": tmp_path / "v.npy"}
    check_source(source(**vectors, ids=str(tmp_path / "ids.txt")), Place("sources.web"))
    message = early(**vectors, ids=str(tmp_path / "folder"))
    assert message.startswith(f"sources.web.ids {tmp_path}/folder cannot be read as ids, one a line: ")
    message = early(**vectors, ids=str(tmp_path / "latin.txt"))
    assert message.startswith(f"sources.web.ids {tmp_path}/latin.txt: line 2 is no UTF-8 text")
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith("ids.txt"))
    assert "ids.txt may not be read by this user" in early(**vectors, ids=str(tmp_path / "ids.txt"))
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert early(**vectors) == (
        f"sources.web.path {tmp_path}/v.npy may not be read by this user: change its permissions, or run as another one"
    )


@pytest.mark.parametrize(
    "content, said",
    [(b"", "is no .npy file"), (b"rubbish!", "is no .npy file"), (None, "does not exist")],
)
def test_a_broken_or_missing_file_of_vectors_is_told_early(tmp_path, content, said):
    if content is not None:
        (tmp_path / "v.npy").write_bytes(content)
    message = early(kind="embeddings", path=tmp_path / "v.npy")
    assert message.startswith(f"sources.web.path {tmp_path}/v.npy {said}")


def test_vectors_that_are_cut_off_are_told_early(tmp_path):
    np.save(tmp_path / "v.npy", np.ones((3, 2)))
    content = (tmp_path / "v.npy").read_bytes()
    (tmp_path / "v.npy").write_bytes(content[:-1])
    assert "is cut off" in early(kind="embeddings", path=tmp_path / "v.npy")
