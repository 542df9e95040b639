"""The machine of ``equipoise plan``: flags before the config's own settings of Spark, and where each size is from."""

from types import SimpleNamespace

import pytest
import yaml

from equipoise.cli import main
from equipoise.planning.machines import GIB
from equipoise.studies.costs import command
from equipoise.studies.costs.machine import machine_of, origins_of
from equipoise.studies.costs.units import size


@pytest.fixture
def plan(tmp_path, capsys, monkeypatch):
    """Runs the command on a config; returns its exit code, stdout and stderr. Nothing is measured."""
    monkeypatch.setattr(command, "calibrated", lambda machine, *, dim, k: machine)
    plain = {"workspace": "w", "source": {"kind": "images", "path": "nowhere"}, "cluster": {"levels": [{"k": 100}]}}

    def plan(*arguments: str, **sections):
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({**plain, **sections}))
        code = main(["plan", "--config", str(path), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return plan


def options(**given):
    names = ["executors", "cores", "memory", "driver_memory", "gpus", "gpu_memory", "tflops", "gflops_per_core"]
    return SimpleNamespace(**{**dict.fromkeys(names), "network_gbit": 10.0, "disk_mb": 500.0, **given})


CONFIGURED = {
    "spark.executor.instances": "4",
    "spark.executor.cores": "6",
    "spark.executor.memory": "20g",
    "spark.executor.memoryOverhead": "10240",  # Spark's unit of memory is a MiB
    "spark.executor.pyspark.memory": "2g",
    "spark.driver.memory": "10g",
}


def test_what_the_config_says_of_executors_and_driver_is_the_machine():
    machine = machine_of(options(), CONFIGURED)
    assert (machine.executors, machine.cores, machine.is_local) == (4, 6, False)
    assert (machine.memory_bytes, machine.heap_bytes, machine.python_bytes) == (32 * GIB, 20 * GIB, 12 * GIB)
    assert machine.driver_memory_bytes == 20 * GIB  # as much for Python, as in conf/spark/cluster.conf
    assert origins_of(options(), CONFIGURED) == {
        "executors": "spark.executor.instances",
        "cores": "spark.executor.cores",
        "memory": "spark.executor.memory + spark.executor.memoryOverhead + spark.executor.pyspark.memory",
        "JVM": "spark.executor.memory",
        "driver memory": "spark.driver.memory + as much for Python",
        "results on the driver": "usual",
    }


@pytest.mark.parametrize(
    ("spark", "memory"),
    [
        ({"spark.executor.memory": "20g"}, 40),
        ({"spark.executor.memory": "20g", "spark.executor.memoryOverheadFactor": "0.5"}, 30),
        (
            {
                "spark.executor.memory": "20g",
                "spark.executor.memoryOverheadFactor": "0.5",
                "spark.executor.memoryOverhead": "4g",
            },
            24,
        ),
        ({"spark.executor.memory": "20g", "spark.executor.pyspark.memory": "8g"}, 30),
        ({"spark.executor.memoryOverhead": "4g"}, 32),
        ({}, 56),
    ],
)
def test_memory_beside_the_heap_is_that_of_the_config(spark, memory):
    assert machine_of(options(executors=2), spark).memory_bytes == memory * GIB


def test_flags_win_over_the_config():
    flags = options(executors=2, cores=3, memory="8g", driver_memory="9g")
    machine = machine_of(flags, CONFIGURED)
    assert (machine.executors, machine.cores) == (2, 3)
    assert (machine.memory_bytes, machine.heap_bytes, machine.driver_memory_bytes) == (8 * GIB, 4 * GIB, 9 * GIB)
    assert origins_of(flags, CONFIGURED)["memory"] == "--memory"


def test_instances_of_a_config_that_runs_on_one_machine_are_none():
    spark = {**CONFIGURED, "spark.master": "local[2]"}
    assert machine_of(options(memory="30g"), spark).is_local
    assert origins_of(options(memory="30g"), spark) == {
        "cores": "spark.master",
        "memory": "--memory",
        "JVM": "spark.driver.memory",
        "driver memory": "memory - JVM",
        "results on the driver": "usual",
    }


def test_the_plan_says_where_its_machine_comes_from(plan):
    code, out, _ = plan("--items", "1_000_000", "--dim", "64", spark=CONFIGURED)
    assert code == 0
    assert "4 executors: 6 cores, 32 GiB" in out
    assert "(executors: spark.executor.instances; cores: spark.executor.cores; memory: spark.executor.memory + " in out


def test_split_bytes_that_are_too_few_are_told(plan):
    levels = [{"k": 100_000, "splits": 100}]
    arguments = ("--items", "10_000_000", "--dim", "64", "--executors", "4")
    cluster = {"levels": levels, "driver_limit": {"bytes": 0}}
    code, out, _ = plan(*arguments, cluster={**cluster, "split_bytes": 1000})
    assert code == 0
    least = 64 * 100 * (4 * 64 + 8)
    said = f"a task that splits takes {size(least)}, above cluster.split_bytes of 0.977 KiB: 64 vectors for each of 100"
    assert said.replace("0.977 KiB", size(1000)) in out
    code, out, _ = plan(*arguments, cluster={**cluster, "split_bytes": least})
    assert code == 0 and "split_bytes" not in out
