"""Executors that die, or are let go, cost time and nothing else: the objectives and the bits stay."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from equipoise.session.java import find_java_home
from equipoise.session.launch import read_properties

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@pytest.fixture
def spark_home(tmp_path) -> Path:
    """pyspark's files in a folder of their own: executors leave their logs in the one that they are started from."""
    home = tmp_path / "spark"
    home.mkdir()
    for entry in Path(pyspark.__file__).parent.iterdir():
        if entry.name != "work":
            (home / entry.name).symlink_to(entry)
    return home


def losses(what: str, spark_home: Path) -> list[dict]:
    """What ``losses.py`` prints, run on two executors of their own."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    environment = {**given, "SPARK_HOME": str(spark_home), "JAVA_HOME": str(find_java_home())}
    command = [sys.executable, str(Path(__file__).with_name("losses.py")), what]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-6000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_an_executor_killed_in_an_iteration_or_a_split_changes_no_bit(spark_home):
    rows = losses("killed", spark_home)
    assert [row["work"] for row in rows] == ["straight", "scattered", "split"]
    for row in rows:
        assert row["n_lost"] == 1
        assert row["broken"] == row["unbroken"]
    straight, scattered, _ = rows
    assert scattered["unbroken"] == straight["unbroken"]


def test_executors_that_dynamic_allocation_takes_away_with_their_blocks_change_no_bit(spark_home):
    (row,) = losses("released", spark_home)
    assert row["n_lost"] >= 1
    assert row["broken"] == row["unbroken"]


def test_the_settings_for_clusters_let_idle_executors_go_and_save_what_leaving_ones_hold():
    settings = read_properties(ROOT / "conf/spark/cluster.conf")
    for name in ("cachedExecutorIdleTimeout", "shuffleTracking.timeout"):
        assert settings[f"spark.dynamicAllocation.{name}"].endswith("s")
    for name in ("decommission", "storage.decommission", "storage.decommission.rddBlocks"):
        assert settings[f"spark.{name}.enabled"] == "true"
