"""What a process of each kind leaves on stderr: our lines alone, whether it ends well or not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from equipoise.session.jars import delta_jars

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# Of the first eight partitions one row is wanted, and every task has more to say; then a task fails, and a write.
SCRIPT = """
from equipoise import get_session

spark = get_session({"spark.driver.memory": "1g"})

def many(batches):
    for batch in batches:
        for _ in range(2000):
            yield from [batch] * 100

def fail(batches):
    raise ValueError("a failing task")
    yield

rows = spark.range(8000, numPartitions=8)
print(len(rows.mapInArrow(many, "id long").take(1)))
for act in (lambda df: df.collect(), lambda df: df.write.format("delta").save("table")):
    try:
        act(rows.mapInArrow(fail, "id long"))
    except Exception as error:
        print("a failing task" in str(error))
"""


@pytest.fixture(scope="module", autouse=True)
def kept() -> None:
    """The first start of all fetches Delta, and says so."""
    delta_jars({})


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    given |= {"PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]), **environment}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, timeout=570)


def write_config(folder: Path, *, k: int = 6, **sections: object) -> Path:
    np.save(folder / "vectors.npy", np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    config = {
        "workspace": str(folder / "tables"),
        "source": {"kind": "embeddings", "path": str(folder / "vectors.npy")},
        "cluster": {"iterations": 3, "levels": [{"k": k}, {"k": 2}]},
        "select": [{"name": "balanced", "target": 20}],
        **sections,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def demo_recipe() -> str:
    """What `make demo` runs, after its set-up."""
    answer = run(["make", "--no-print-directory", "--dry-run", "demo", f"BIN={BIN}"], ROOT)
    start = answer.stdout.index("export SPARK_CONF_DIR")
    return answer.stdout[start:].strip()


def test_unread_rows_and_failing_tasks_are_not_told_of_beside_what_is_raised(tmp_path: Path) -> None:
    done = run([sys.executable, "-c", SCRIPT], tmp_path)
    assert done.stdout.split() == ["1", "True", "True"], done.stderr[-4000:]
    assert done.stderr == ""


def test_a_jvm_that_does_not_start_says_why(tmp_path: Path) -> None:
    config = write_config(tmp_path, spark={"spark.driver.memory": "1k"})
    done = run(["equipoise", "curate", "--config", str(config), "--quiet"], tmp_path)
    assert done.returncode == 2
    assert "heap" in done.stdout + done.stderr
    assert done.stderr.splitlines()[-1].startswith("equipoise: Spark's JVM did not start")


@pytest.mark.slow
@pytest.mark.parametrize("command", [["equipoise", "curate"], [sys.executable, str(ROOT / "jobs" / "curate.py")]])
def test_a_run_is_silent_where_it_is_told_to_be(tmp_path: Path, command: list[str]) -> None:
    done = run([*command, "--config", str(write_config(tmp_path)), "--quiet"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "code", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_ctrl_c_and_sigterm_are_answered_by_one_line_and_the_run_goes_on_later(
    tmp_path: Path, sent: signal.Signals, code: int, said: str
) -> None:
    """It comes in the middle of a job of Spark's, as it does."""
    config = write_config(tmp_path)
    command = ["equipoise", "curate", "--config", str(config), "--run-id", "r", "--quiet"]
    given = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]])}
    with subprocess.Popen(command, cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "tables/embeddings/_delta_log").exists():
            time.sleep(0.05)
        process.send_signal(sent)
        told = process.stderr.read() if process.stderr else ""
    assert (process.returncode, told) == (code, f"equipoise: {said}; go on with --run-id r\n")
    done = run(command, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    config = write_config(tmp_path, k=61)
    done = run(["equipoise", "curate", "--config", str(config), "--quiet"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("equipoise: ")
    assert "61" in line


@pytest.mark.slow
@pytest.mark.parametrize(("k", "code", "starts"), [(6, 0, []), (61, 2, ["equipoise: "])])
def test_the_demo_prints_nothing_but_our_lines(tmp_path: Path, k: int, code: int, starts: list[str]) -> None:
    recipe = demo_recipe()
    assert recipe.endswith("--config conf/demo.yaml")
    config = write_config(tmp_path, k=k)
    done = run(["sh", "-c", recipe.replace("conf/demo.yaml", f"{config} --quiet")], ROOT)
    assert done.returncode == code, done.stderr[-4000:]
    assert done.stderr == ""
    # spark-submit passes its Python's stderr on as stdout
    assert [line[: len("equipoise: ")] for line in done.stdout.splitlines()] == starts
