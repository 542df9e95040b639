"""A source keeps its path with its name: another place is refused, other spellings of the same are not."""

import os
import shutil

import numpy as np
import pytest

from equipoise.errors import ConfigError
from equipoise.pipeline.locating import in_one_spelling
from equipoise.runs.origins import refuse_early
from equipoise.schemas import EMBEDDINGS, POOL, RUNS, Slice
from equipoise.stages.configuration import config_from
from equipoise.stages.running import planned
from equipoise.tables import Workspace
from stages.fakes import Lab


def source(path, **values) -> dict:
    return {"kind": "embeddings", "path": str(path), **values}


def write(folder, value: float) -> None:
    folder.mkdir()
    np.save(folder / "v.npy", np.full((3, 2), value, np.float32) + np.eye(3, 2, dtype=np.float32))


@pytest.fixture
def lab(spark, tmp_path):
    """Two folders with a file of the same name; the first is a source of the workspace."""
    write(tmp_path / "a", 1)
    write(tmp_path / "b", 5)
    lab = Lab(spark, tmp_path, on_delta=True)
    lab.run("first", source=source(tmp_path / "a/v.npy")).bring()
    return lab


def smallest(lab) -> float:
    return min(min(row.embedding) for row in lab.workspace.read(EMBEDDINGS).collect())


def test_the_same_name_for_another_path_is_refused_before_any_work(lab, tmp_path, monkeypatch):
    values = {"name": "t", "workspace": str(tmp_path / "workspace")}
    second = planned(config_from({**values, "source": source(tmp_path / "b/v.npy")}))
    said = (
        rf"^source 'v' of workspace .*workspace has its items from {tmp_path}/a/v.npy, and those of {tmp_path}/b/v.npy "
        r"would be taken for more of them: give this one a name of its own \(source.name, or its key below sources\), "
        r"or take another workspace; where the data moved there, --run-id first --force ingest takes them anew$"
    )
    for is_new in (True, False):
        with pytest.raises(ConfigError, match=said):  # without Spark
            second.check("second", is_new=is_new)
    with pytest.raises(ConfigError, match=said):  # from Python, which comes with a session
        lab.run("second", source=source(tmp_path / "b/v.npy")).bring()
    assert lab.workspace.read(POOL).count() == 3 and smallest(lab) == 1

    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")  # what lies in a folder is for Spark to tell
    steps = lab.run("second", source=source(tmp_path / "b/v.npy"))
    with pytest.raises(ConfigError, match=said):
        steps.bring()
    assert not lab.workspace.read(Slice(RUNS, {"run_id": "second"})).collect()


def test_it_goes_on_under_a_name_of_its_own_and_in_another_workspace(lab, tmp_path):
    own = lab.run("second", source=source(tmp_path / "b/v.npy", name="w", id_space="own"))
    assert own.bring()["ingest"].n_out == 3
    long = lab.run("third", sources={"x": source(tmp_path / "b/v.npy", id_space="own")})
    assert long.bring()["ingest:x"].n_out == 3
    (tmp_path / "other").mkdir()
    other = Lab(lab.spark, tmp_path / "other", on_delta=True)
    assert other.run("second", source=source(tmp_path / "b/v.npy")).bring()["ingest"].n_out == 3


def test_the_long_form_of_a_name_is_the_same_source(lab, tmp_path):
    with pytest.raises(ConfigError, match=r"^source 'v' of workspace .* --force ingest:v takes them anew$"):
        lab.run("second", sources={"v": source(tmp_path / "b/v.npy")}).bring()


def test_other_spellings_of_the_place_and_a_moved_workspace_are_taken(lab, tmp_path):
    path = tmp_path / "a/v.npy"
    for number, spelled in enumerate(
        [os.path.relpath(path), f"file:{path}", f"file://{path}", f"{tmp_path}/b/../a//v.npy"]
    ):
        accounts = lab.run(f"r{number}", source=source(spelled, name="v")).bring()
        assert dict(accounts["ingest"].drops) == {"already_in_pool": 3}
    shutil.move(tmp_path / "workspace", tmp_path / "moved")
    lab.workspace = Workspace(lab.spark, str(tmp_path / "moved"))
    assert lab.run("s", source=source(path)).bring()["ingest"].goes_on == 3
    with pytest.raises(ConfigError, match="has its items from"):
        lab.run("t", source=source(os.path.relpath(tmp_path / "b/v.npy"))).bring()


def test_data_that_moved_is_taken_anew_by_force_and_its_place_is_then_the_sources(lab, tmp_path):
    moved = source(tmp_path / "b/v.npy")
    with pytest.raises(ConfigError, match="has its items from"):  # a new run has nothing to replace
        lab.run("second", source=moved).bring(force=("ingest",))
    lab.run("first", source=moved).bring(force=("ingest",))
    assert lab.workspace.read(POOL).count() == 3 and smallest(lab) == 5
    assert lab.run("second", source=moved).bring()["ingest"].goes_on == 3
    with pytest.raises(ConfigError, match=rf"from {tmp_path}/b/v.npy, and those of {tmp_path}/a/v.npy"):
        lab.run("third", source=source(tmp_path / "a/v.npy")).bring()


def test_a_source_whose_items_were_removed_may_come_from_elsewhere(lab, tmp_path):
    lab.workspace.clear(Slice(POOL, {"source": "v"}))
    assert lab.run("second", source=source(tmp_path / "b/v.npy")).bring()["ingest"].n_out == 3


def test_a_finished_run_is_gone_on_with_whatever_came_later(lab, tmp_path):
    run = lab.run("first", source=source(tmp_path / "a/v.npy"))
    assert run.bring()["ingest"].n_out == 3
    os.rename(tmp_path / "a", tmp_path / "gone")
    assert run.bring()["ingest"].n_out == 3


def test_a_workspace_without_runs_refuses_none(tmp_path):
    assert refuse_early(str(tmp_path), ())


def test_a_path_has_one_spelling(tmp_path, monkeypatch):
    (tmp_path / "x.y").mkdir()
    monkeypatch.chdir(tmp_path)
    whole = str(tmp_path / "imgs")
    assert {in_one_spelling(path) for path in ("imgs", "imgs/", "./imgs", whole, f"{whole}//", f"file:{whole}")} == {
        whole
    }
    assert in_one_spelling("s3a://b/imgs/") == in_one_spelling("s3://b/imgs") != in_one_spelling("s3://c/imgs")
    assert in_one_spelling("dbfs:/Volumes/a/b") == in_one_spelling("/Volumes/a/b/")
    assert in_one_spelling("raw.web.pages") == "raw.web.pages"  # of a catalog, wherever one is
    assert in_one_spelling("x.y") == str(tmp_path / "x.y")
    monkeypatch.setenv("SPARK_HOME", "/opt/spark")  # what a relative path is of, is not sure
    assert in_one_spelling("hdfs/imgs/") == "hdfs/imgs" and in_one_spelling(f"file:{whole}") == whole
