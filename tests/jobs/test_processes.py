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


def run(command: list[str], folder: Path, *, returns: int = 0, **environment: str) -> subprocess.CompletedProcess:
    bin_folder = str(Path(sys.executable).parent)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))},
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
        **environment,
    }
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=570)
    assert done.returncode == returns, done.stderr[-4000:]
    return done


def result(spark, folder: Path) -> tuple[list, list]:
    """Centroids to the bit, and the selection."""
    centroids, curated = (
        equipoise.read_table(spark, str(folder / "tables"), name).filter(F.col(Col.run_id) == "r").collect()
        for name in ("centroids", "curated")
    )
    return sorted(map(tuple, centroids), key=repr), sorted(map(tuple, curated))


def curated_by(master: str, pool: Path, folder: Path) -> Path:
    """``python jobs/curate.py`` on so many cores, started in ``folder``."""
    config = write_config(folder, pool)
    job = [sys.executable, str(ROOT / "jobs/curate.py"), "--config", str(config), "--run-id", "r", "--quiet"]
    run([*job, f"spark.spark.master={master}"], folder)
    return folder


@pytest.fixture(scope="module")
def on_two_cores(spark, pool, tmp_path_factory) -> tuple[list, list]:
    return result(spark, curated_by("local[2]", pool, tmp_path_factory.mktemp("two")))


def test_one_core_and_two_give_the_same_bits(spark, pool, tmp_path, on_two_cores):
    centroids, curated = result(spark, curated_by("local[1]", pool, tmp_path))
    assert len(centroids) == 12 + 4 and len(curated) == 20
    assert (centroids, curated) == on_two_cores


def test_spark_submit_job_by_job_gives_what_curate_gives(spark, pool, tmp_path, on_two_cores):
    config = write_config(tmp_path, pool)
    submit = {"SPARK_CONF_DIR": str(ROOT / "conf/spark/local"), "JAVA_HOME": str(find_java_home())}
    for job in JOBS:
        script = [str(ROOT / f"jobs/{job}.py"), "--config", str(config), "--run-id", "r", "--quiet"]
        run(["spark-submit", "--driver-memory", "2g", *script], tmp_path, **submit)
    assert result(spark, tmp_path) == on_two_cores


def test_a_mistake_is_one_line_on_the_terminal(pool, tmp_path):
    config = write_config(tmp_path, pool)
    command = ["equipoise", "ingest", "--config", str(config), "--quiet", "source.path=nowhere"]
    done = run(command, tmp_path, returns=2, SPARK_CONF_DIR=str(ROOT / "conf/spark/local"))
    assert done.stdout == ""
    (line,) = [line for line in done.stderr.splitlines() if "equipoise" in line]
    assert line.startswith("equipoise: source.path nowhere does not exist")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
