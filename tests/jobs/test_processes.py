"""The jobs as processes of their own: on one core and on two, by spark-submit, from any directory."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.schemas import Col
from equipoise.session.java import find_java_home

ROOT = Path(__file__).parents[2]
JOBS = ("ingest", "embed", "cluster", "select")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pool")
    rng = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


def write_config(folder: Path, pool: Path) -> Path:
    config = {
        "workspace": "tables",  # in the directory that the job is started from
        "source": {"kind": "images", "path": str(pool)},
        "embed": {"encoder": "pixels", "size": 4, "mode": "L"},
        "cluster": {
            "iterations": 6,
            "partitions": 3,
            "driver_limit": {"bytes": 0},  # Spark does the k-means, as for a pool that no driver holds
            "levels": [{"k": 12}, {"k": 4, "resampling": {"rounds": 1, "points": 2}}],
        },
        "select": [{"name": "balanced", "target": 20}],
        "spark": {"spark.driver.memory": "2g"},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess:
    folder.mkdir(exist_ok=True)
    bin_folder = str(Path(sys.executable).parent)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
        **environment,
    }
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=570)
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def result(spark, folder: Path) -> tuple[list, list]:
    """Centroids to the bit, and the selection."""
    centroids, curated = (
        equipoise.read_table(spark, str(folder / "tables"), name).filter(F.col(Col.run_id) == "r").collect()
        for name in ("centroids", "curated")
    )
    return sorted(map(tuple, centroids), key=repr), sorted(map(tuple, curated))


def test_one_core_and_two_give_the_same_bits(spark, pool, tmp_path):
    config, results = write_config(tmp_path, pool), []
    for master in ("local[1]", "local[2]"):
        folder = tmp_path / master
        job = [sys.executable, str(ROOT / "jobs/curate.py"), "--config", str(config), "--run-id", "r"]
        run([*job, f"spark.spark.master={master}"], folder)
        results.append(result(spark, folder))
    assert len(results[0][0]) == 12 + 4 and len(results[0][1]) == 20
    assert results[0] == results[1]


def test_spark_submit_job_by_job_gives_what_curate_gives(spark, pool, tmp_path):
    config = write_config(tmp_path, pool)
    submit = {"SPARK_CONF_DIR": str(ROOT / "conf/spark/local"), "JAVA_HOME": str(find_java_home())}
    for job in JOBS:
        script = [str(ROOT / f"jobs/{job}.py"), "--config", str(config), "--run-id", "r", "--quiet"]
        run(["spark-submit", "--driver-memory", "2g", *script], tmp_path / "by-job", **submit)
    # The command is the same as the job: at once, in a workspace of its own.
    run(["equipoise", "curate", "--config", str(config), "--run-id", "r", "--quiet"], tmp_path / "at-once")
    found = result(spark, tmp_path / "by-job")
    assert len(found[1]) == 20
    assert found == result(spark, tmp_path / "at-once")


def test_a_mistake_is_one_line_on_the_terminal(pool, tmp_path):
    config = write_config(tmp_path, pool)
    command = [str(ROOT / "jobs/ingest.py"), "--config", str(config), "--quiet", "source.path=nowhere"]
    environment = {**os.environ, "SPARK_CONF_DIR": str(ROOT / "conf/spark/local"), "JAVA_HOME": str(find_java_home())}
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "equipoise" in line]
    assert line.startswith("equipoise: source.path nowhere does not exist")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
