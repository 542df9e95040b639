"""The session: what a new one is set to, what a running one is checked for, and what a user is told."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pyspark
import pytest
from pyspark.sql import SparkSession

from equipoise.errors import SessionError
from equipoise.session import get_session
from equipoise.session.checks import check_classic, check_delta, delta_packages, flag
from equipoise.session.defaults import DELTA, LOCAL
from equipoise.session.java import local_java_home

ROOT = Path(__file__).parents[2]
LOCAL_CONF = ROOT / "conf" / "spark" / "local"


def test_flags_have_their_own_names_where_spark_submit_has_them() -> None:
    assert flag("spark.driver.memory", "8g") == "--driver-memory '8g'"
    assert flag("spark.x", "y z") == "--conf 'spark.x=y z'"


@pytest.mark.parametrize(("name", "value"), [("SPARK_REMOTE", "sc://localhost"), ("SPARK_API_MODE", "connect")])
def test_spark_connect_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SessionError, match=r"Spark Connect.*unset SPARK_REMOTE"):
        get_session()


def test_a_connect_session_is_known_by_its_type() -> None:
    session = type("SparkSession", (), {"__module__": "pyspark.sql.connect.session"})()
    with pytest.raises(SessionError, match="Spark Connect"):
        check_classic(session)


def test_the_running_session_is_used(spark: SparkSession) -> None:
    assert get_session() is spark


def test_a_thread_without_a_session_gets_the_one_that_runs(spark: SparkSession) -> None:
    found: list[SparkSession] = []
    thread = Thread(target=lambda: found.append(get_session()))
    thread.start()
    thread.join()
    assert found[0].sparkContext is spark.sparkContext


def test_runtime_keys_are_set_without_a_word(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    before = {key: spark.conf.get(key) for key in ("spark.sql.shuffle.partitions",)}
    key = "spark.databricks.delta.snapshotPartitions"
    try:
        get_session({"spark.sql.shuffle.partitions": "5", key: "3"})
        assert spark.conf.get("spark.sql.shuffle.partitions") == "5"
        assert spark.conf.get(key) == "3"
        assert not caplog.records
    finally:
        get_session({**before, key: LOCAL[key]})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("spark.driver.memory", "64g", "--driver-memory '64g'"),
        ("spark.master", "local[7]", "--master 'local[7]'"),
        ("spark.executor.memory", "9g", "--executor-memory '9g'"),
        ("spark.jars.packages", "org.example:more:1.0", "--packages 'org.example:more:1.0'"),
        ("spark.sql.warehouse.dir", "elsewhere", "--conf 'spark.sql.warehouse.dir=elsewhere'"),
    ],
)
def test_a_key_that_cannot_change_is_named_with_its_flag(
    spark: SparkSession, caplog: pytest.LogCaptureFixture, key: str, value: str, words: str
) -> None:
    before = spark.conf.get(key, None)
    get_session({key: value})
    assert spark.conf.get(key, None) == before
    message = caplog.messages[0]
    assert message.startswith(key)
    assert value in message
    assert words in message
    assert (before or "not set") in message


def test_a_key_that_is_as_wanted_is_not_named(spark: SparkSession, caplog: pytest.LogCaptureFixture) -> None:
    get_session(
        {
            "spark.master": spark.conf.get("spark.master"),
            "spark.sql.extensions": DELTA["spark.sql.extensions"],
        }
    )
    assert not caplog.records


def test_delta_works_and_python_workers_run_this_interpreter(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    spark.range(5).write.format("delta").save(path)
    history = spark.sql(f"describe history delta.`{path}`").collect()
    assert [row.version for row in history] == [0]
    prefixes = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.prefix).collect()
    assert prefixes == [sys.prefix]


def test_the_platform_with_its_own_delta_is_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    check_delta(SimpleNamespace())  # type: ignore[arg-type]


def submit(script: str, folder: Path, *flags: str, **environment: str) -> tuple[int, list[str]]:
    """The exit code and all lines of a job: spark-submit passes its Python's stderr on as stdout."""
    preamble = "import logging\nlogging.basicConfig()\nfrom equipoise.session import get_session\n"
    (folder / "job.py").write_text(preamble + script)
    given = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_", "EQUIPOISE_"))}
    given |= {"JAVA_HOME": str(local_java_home()), "PYSPARK_PYTHON": sys.executable, **environment}
    program = Path(pyspark.__file__).with_name("bin") / "spark-submit"
    command = [str(program), "--driver-memory", "1g", *flags, str(folder / "job.py")]
    ended = subprocess.run(
        command,
        env=given,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    return ended.returncode, ended.stdout.splitlines()


def test_a_bare_spark_submit_is_told_how_to_bring_delta(tmp_path: Path) -> None:
    code, lines = submit("get_session()", tmp_path)
    assert code != 0
    error = next(line for line in lines if "SessionError: " in line)
    assert "has no Delta Lake; it lacks the JAR" in error
    for words in (
        "--properties-file conf/spark/local",
        "SPARK_CONF_DIR=conf/spark/local",
        delta_packages([]),
    ):
        assert words in error


@pytest.mark.slow
def test_spark_submits_words_stand_and_the_difference_is_named(tmp_path: Path) -> None:
    wanted = {"spark.driver.memory": "2g", "spark.sql.shuffle.partitions": "5", "spark.task.maxFailures": "2"}
    script = f"""
spark = get_session({wanted})
spark.range(3).write.format("delta").save("table")
print("values", *[spark.conf.get(key) for key in {[*wanted, "spark.sql.session.timeZone"]}])
"""
    code, lines = submit(script, tmp_path, SPARK_CONF_DIR=str(LOCAL_CONF))
    assert code == 0, lines
    assert "values 1g 5 2 UTC" in lines
    assert any("spark.driver.memory is 1g here, not 2g as wanted" in line for line in lines)
    assert not any(" INFO " in line for line in lines)
