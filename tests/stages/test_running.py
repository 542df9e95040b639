"""What is planned, and what is told before Spark starts: no test here has a session."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from equipoise.errors import ConfigError, EquipoiseError, RunError
from equipoise.stages.configuration import config_from
from equipoise.stages.running import new_run_id, planned

SECTIONS = {
    "name": "small",
    "embed": {"encoder": "pixels", "size": 2},
    "cluster": {"levels": [{"k": 3}]},
    "select": [{"name": "a", "target": 2}, {"name": "b", "target": 1}],
    "evaluate": {},
    "benchmark": {"features": [{"name": "birds", "models": {"raw": "raw.npz"}}]},
}


@pytest.fixture
def sections(tmp_path):
    (tmp_path / "in").mkdir()
    source = {"kind": "images", "path": str(tmp_path / "in")}
    return {**SECTIONS, "workspace": str(tmp_path / "workspace"), "source": source}


# What is brought up to date


@pytest.mark.parametrize(
    "family, targets",
    [
        (None, ("ingest", "embed", "cluster", "select:a", "select:b", "evaluate")),  # a benchmark is no part of curate
        ("ingest", ("ingest",)),
        ("select", ("select:a", "select:b")),
        ("benchmark", ("benchmark",)),
    ],
)
def test_a_job_is_about_the_nodes_of_its_family(sections, family, targets):
    plan = planned(config_from(sections), family=family)
    assert plan.targets == targets and plan.force == ()


def test_what_is_forced_is_a_family_of_the_job(sections):
    config = config_from(sections)
    assert planned(config, force="cluster").force == ("cluster",)
    with pytest.raises(ConfigError, match=r"^--force clusters: not a stage of this job; did you mean 'cluster'\?$"):
        planned(config, force="clusters")
    with pytest.raises(ConfigError, match="--force cluster: not a stage of this job; known: select"):
        planned(config, family="select", force="cluster")
    with pytest.raises(ConfigError, match="--force benchmark: not a stage of this job"):
        planned(config, force="benchmark")


@pytest.mark.parametrize(
    "family, missing, said",
    [
        ("embed", "embed", "has no section 'embed': add it"),
        ("benchmark", "benchmark", "has no section 'benchmark': add it"),
        ("evaluate", "evaluate", "has no section 'evaluate': add it"),
    ],
)
def test_a_job_whose_section_is_missing_says_so(sections, family, missing, said):
    with_vectors = {**sections, "source": {"kind": "embeddings", "path": "v.npy"}, "embed": None}
    values = with_vectors if family == "embed" else sections
    with pytest.raises(ConfigError, match=said):
        planned(config_from({**values, missing: None}), family=family)


def test_a_run_is_named_after_its_config_and_the_time(sections):
    assert new_run_id(config_from(sections)).startswith("small-20")


# What is told early


def told(values) -> str:
    with pytest.raises(EquipoiseError) as caught:
        planned(config_from(values)).check("r")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def forbidden(monkeypatch):
    """Makes a path one that this user may not use in some way: root may do everything."""
    allowed = os.access

    def forbid(path, mode):
        monkeypatch.setattr(
            os, "access", lambda one, asked: not (str(one) == str(path) and asked & mode) and allowed(one, asked)
        )

    return forbid


def test_what_is_right_passes_and_nothing_is_made(sections, tmp_path):
    planned(config_from(sections)).check("r")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_another_default_file_system_is_refused_where_paths_would_be_taken_for_local_ones(sections, monkeypatch):
    elsewhere = {**sections, "spark": {"spark.hadoop.fs.defaultFS": "hdfs://name:8020"}}
    assert told(elsewhere).startswith("spark.spark.hadoop.fs.defaultFS: paths without a scheme are")
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")
    planned(config_from(elsewhere)).check("r")


def test_a_workspace_below_a_file_is_refused(sections, tmp_path):
    (tmp_path / "file").touch()
    message = told({**sections, "workspace": str(tmp_path / "file/deeper/workspace")})
    assert message.startswith(f"workspace {tmp_path}/file/deeper/workspace: {tmp_path}/file is a file")


@pytest.mark.parametrize("scheme", ["", "file:", "file://"])
def test_a_workspace_that_cannot_be_written_is_refused(sections, tmp_path, forbidden, scheme):
    (tmp_path / "locked").mkdir()
    forbidden(tmp_path / "locked", os.W_OK)
    message = told({**sections, "workspace": f"{scheme}{tmp_path}/locked/new/workspace"})
    assert f"nothing can be written to {tmp_path}/locked: change its permissions" in message


@pytest.mark.parametrize("place", ["s3://bucket/w", "hdfs:///w", "spark_catalog.some_schema"])
def test_a_workspace_that_another_system_has_is_asked_later(sections, place, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK)
    planned(config_from({**sections, "workspace": place})).check("r")


def test_a_source_that_is_not_there_or_may_not_be_read_is_named_with_its_key(sections, tmp_path, forbidden):
    assert told({**sections, "source": {"kind": "images", "path": str(tmp_path / "gone")}}).startswith("source.path")
    several = {name: {"kind": "images", "path": str(tmp_path / "in")} for name in ("web", "news")}
    several["news"]["path"] = str(tmp_path / "gone")
    message = told({**sections, "source": None, "sources": several})
    assert message.startswith(f"sources.news.path {tmp_path}/gone does not exist")
    forbidden(tmp_path / "in", os.R_OK)
    assert told(sections) == (
        f"source.path {tmp_path}/in may not be read by this user: change its permissions, or run as another one"
    )


def test_vectors_are_looked_at_in_their_header(sections, tmp_path):
    np.save(tmp_path / "v.npy", np.ones((4, 2), int))
    values = {**sections, "embed": None, "source": {"kind": "embeddings", "path": str(tmp_path / "v.npy")}}
    assert told(values).startswith(f"source.path {tmp_path}/v.npy holds int64; it must hold float16")


def test_a_labelled_set_of_fewer_vectors_than_vote_is_told_early(sections, tmp_path):
    np.save(tmp_path / "known.npy", np.eye(9, dtype=np.float32))
    (tmp_path / "known.txt").write_text("a\n" * 9)
    labelled = {"path": str(tmp_path / "known.npy"), "labels": str(tmp_path / "known.txt"), "k": 9}
    source = {"kind": "embeddings", "path": str(tmp_path / "known.npy")}
    values = {**sections, "embed": None, "source": source, "evaluate": {"labelled": labelled}}
    planned(config_from(values)).check("r")
    values["evaluate"] = {"labelled": {**labelled, "k": 5000}}
    assert told(values) == f"evaluate.labelled.k: 5000, and {tmp_path}/known.npy has 9 vectors: lower it"


def test_a_job_whose_stages_before_were_never_run_is_refused_early(sections):
    with pytest.raises(RunError, match="run 'r' has not finished stage cluster, which select:a stands on"):
        planned(config_from(sections), family="select").check("r")


def test_of_a_run_that_is_new_nothing_is_read(sections):
    planned(config_from({**sections, "workspace": "hdfs:///w"})).check("r", is_new=True)


def test_a_backend_that_is_not_installed_is_told_early(sections, monkeypatch):
    def absent(name):
        raise ConfigError(f"{name} is not installed")

    monkeypatch.setattr("equipoise.stages.cluster.check.choose", absent)
    assert told({**sections, "cluster": {"levels": [{"k": 3}], "backend": "faiss"}}) == "faiss is not installed"


COMMAND = (
    "import sys; from equipoise.cli import main; code = main(sys.argv[1:]); "
    "print([name for name in ('pyspark', 'delta', 'scipy', 'pandas', 'torch') if name in sys.modules]); sys.exit(code)"
)
SECONDS = 60
"""Of a busy machine; alone it takes one."""


def refused(folder: Path, job: str, values: dict) -> str:
    """What a command says that exits with 2, in a process of its own that has imported nothing heavy by then."""
    (folder / "c.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-c", COMMAND, job, "--config", str(folder / "c.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout.strip()) == (2, "[]"), done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_command_refuses_a_workspace_without_importing_spark(sections, tmp_path):
    (tmp_path / "file").touch()
    message = refused(tmp_path, "cluster", {**sections, "workspace": str(tmp_path / "file/workspace")})
    assert f"workspace {tmp_path}/file/workspace: {tmp_path}/file is a file" in message


def test_a_command_refuses_a_source_without_importing_spark(sections, tmp_path):
    gone = {"kind": "images", "path": str(tmp_path / "gone")}
    message = refused(tmp_path, "curate", {**sections, "source": gone})
    assert f"source.path {tmp_path}/gone does not exist" in message


def test_a_command_refuses_sections_without_importing_spark(sections, tmp_path):
    message = refused(tmp_path, "ingest", {**sections, "cluster": {"levels": [{"k": 3}, {"k": 3}]}})
    assert "level 2 has k = 3, not below the 3 of level 1" in message
    message = refused(tmp_path, "ingest", {**sections, "select": [{"name": "a", "target": 1}] * 2})
    assert "select has 2 entries named 'a'" in message


def test_a_graph_is_shown_without_importing_spark(sections, tmp_path):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(sections))
    command = [sys.executable, "-c", COMMAND, "graph", "--config", str(tmp_path / "c.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    *shown, imported = done.stdout.strip().splitlines()
    assert (done.returncode, imported) == (0, "[]"), done.stderr
    assert all(any(name in line for line in shown) for name in ("ingest", "embed", "cluster", "select:a", "evaluate"))
