"""`equipoise plan`: what it prints, what it refuses and with which way out; Spark is never started."""

import argparse
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from equipoise.cli import main
from equipoise.cli.plan_arguments import add_plan_arguments
from equipoise.kernels.levels import Level
from equipoise.kernels.placement import DriverLimit
from equipoise.planning.costs import PlannedKMeans
from equipoise.planning.machines import GFLOPS_PER_CORE, GIB, GPU_MEMORY_BYTES, TFLOPS_PER_GPU, Machine
from equipoise.stages.cluster.section import Cluster
from equipoise.studies.costs import command
from equipoise.studies.costs.machine import LOCAL, as_bytes, machine_of
from equipoise.studies.costs.plan import as_kmeans, as_level, cost_plan
from equipoise.studies.costs.units import duration, size

ROOT = Path(__file__).parents[2]
CLUSTER = Machine(
    executors=16, cores=8, memory_bytes=56 * GIB, heap_bytes=28 * GIB, driver_memory_bytes=64 * GIB,
    max_result_bytes=8 * GIB,
)  # fmt: skip
IMAGES = ["--items", "743_000_000", "--dim", "1024", "--executors", "16"]
TILES = ["--items", "18_000_000", "--dim", "1024", "--executors", "16"]
PLAIN = {
    "workspace": "w",
    "source": {"kind": "images", "path": "nowhere"},
    "embed": {"encoder": "pixels"},
    "cluster": {"levels": [{"k": 30}, {"k": 5, "resampling": {"rounds": 3}}]},
}


@pytest.fixture
def plan(tmp_path, capsys, monkeypatch):
    """Runs the command on a config; returns its exit code, stdout and stderr. Nothing is measured."""
    monkeypatch.setattr(command, "calibrated", lambda machine, *, dim, k: machine)

    def plan(*arguments: str, **sections):
        path = tmp_path / "small.yaml"
        path.write_text(yaml.safe_dump({**PLAIN, **sections}))
        code = main(["plan", "--config", str(path), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return plan


def refused(answer, *parts: str) -> None:
    """Exit code 2, and on stderr one line that says all ``parts``."""
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.startswith("equipoise: ") and err.count("\n") == 1
    for part in parts:
        assert part in err


# What is printed


def test_a_plan_has_a_column_a_level_and_says_what_takes_longest(plan):
    code, out, err = plan("--items", "1000", "--dim", "64", "cluster.driver_limit.bytes=0")
    assert (code, err) == (0, "")
    rows = {cells[0].strip(): [cell.strip() for cell in cells[1:-1]] for cells in table_rows(out)}
    assert rows["input"] == ["1,000", "30"]
    assert rows["clusters"] == ["30", "5"]
    assert rows["resampling"] == ["-", "3 x 15"]
    assert rows["where"] == ["spark", "spark"]
    assert rows["flops"] == ["2.0e+08", "2.5e+06"]  # 2 * 30 * 64 * 1000 * 51; 2 * 5 * 64 * (30 * 54 + 15 * 150)
    assert rows["broadcast, an iteration"] == ["7.5 KiB", "1.25 KiB"]
    assert rows["reduced by"] == ["direct", "direct"]
    assert rows["most of it"][0].startswith("checkpoints")
    assert "in all: " in out and "50 iterations" in out


def table_rows(out: str) -> list[list[str]]:
    return [line.split("│")[1:] for line in out.splitlines() if line.startswith("│")]


def test_overrides_are_planned(plan):
    _, out, _ = plan("--items", "1000", "--dim", "64", "cluster.levels.0.k=40", "cluster.iterations=7")
    assert "40" in out and "7 iterations" in out


def test_the_size_of_the_pool_comes_from_the_header_of_a_npy_file(plan, tmp_path):
    np.save(tmp_path / "vectors.npy", np.zeros((123, 17), np.float16))
    source = {"kind": "embeddings", "path": str(tmp_path / "vectors.npy")}
    assert "123 vectors of 17 numbers" in plan(source=source, embed=None)[1]
    assert "9,999 vectors of 17 numbers" in plan("--items", "9_999", source=source, embed=None)[1]
    np.save(tmp_path / "more.npy", np.zeros((7, 17)))
    folder = {"kind": "embeddings", "path": str(tmp_path), "ids": "gone"}
    assert "130 vectors of 17 numbers" in plan(source=folder, embed=None)[1]


def test_overrides_may_stand_apart(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    plain = ["plan", "--config", "conf/demo.yaml", "--dim", "64", "--gflops-per-core", "9"]
    apart = [*plain, "cluster.iterations=3", "--items", "510", "cluster.half=true"]
    together = [*plain, "cluster.iterations=3", "cluster.half=true", "--items", "510"]
    assert (main(apart), main(together)) == (0, 0)
    first, second = capsys.readouterr().out.split("510 vectors")[1:]
    assert first == second


@pytest.mark.parametrize("word", ["--bogus", "--bogus=3", "later"])
def test_a_word_that_is_no_override_is_refused(word, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["plan", "seed=1", "--items", "510", word])
    assert caught.value.code == 2
    assert f"unrecognized arguments: {word}" in capsys.readouterr().err


def test_a_plan_imports_no_spark():
    program = (
        "import sys; from equipoise.cli import main; "
        "code = main(['plan', '--config', 'conf/demo.yaml', '--items', '510', '--dim', '64', "
        "'--gflops-per-core', '9']); "
        "sys.exit(code or ('pyspark' in sys.modules) * 7)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "9 GFLOP/s a core" in done.stdout


def test_vectors_beyond_the_storage_memory_are_told_of():
    section = Cluster(levels=({"k": 2000}, {"k": 1000}))
    notes = cost_plan(section, CLUSTER, n=2_000_000_000, dim=1024).notes
    assert any("level 1: its vectors do not fit into the executors' storage memory" in note for note in notes)


# What is refused


def test_more_clusters_than_the_driver_holds(plan):
    levels = {"levels": [{"k": 10_000_000}]}
    answer = plan(*IMAGES, cluster=levels)
    refused(
        answer,
        "cluster.levels.0.k: 10,000,000 clusters need 458 GiB on the driver, which has 64 GiB",
        "set cluster.levels.0.splits: 100 (k0 = 100,000), or --driver-memory at least 458g",
    )


def test_more_copies_of_the_centroids_than_an_executor_holds_and_the_way_out_works(plan):
    levels = {"levels": [{"k": 500_000}]}
    refused(
        plan(*TILES, cluster=levels),
        "cluster.levels.0.k: 500,000 clusters need 63 GiB for the 8 Python workers of an executor, which has 28 GiB",
        "set cluster.levels.0.splits: 5 (k0 = 100,000), or --memory at least 125g",
    )
    assert plan(*TILES, "--memory", "125g", cluster=levels)[0] == 0
    assert plan(*TILES, "--memory", "123g", cluster=levels)[0] == 2
    assert plan(*TILES, "cluster.levels.0.splits=5", cluster=levels)[0] == 0


def test_splits_that_leave_too_many_coarse_clusters(plan):
    levels = {"levels": [{"k": 10_000_000, "splits": 2}]}
    answer = plan(*IMAGES, cluster=levels)
    refused(answer, "cluster.levels.0.splits: 2 leaves 5,000,000 coarse clusters", "set cluster.levels.0.splits: 100")


def test_a_resampled_level_loses_that_when_it_is_split(plan):
    levels = {"levels": [{"k": 1_000_000, "splits": 10}, {"k": 500_000, "resampling": {"rounds": 1}}]}
    answer = plan(*TILES, cluster=levels)
    refused(answer, "cluster.levels.1.k: 500,000", "drop its resampling and set cluster.levels.1.splits: 5")


def test_a_k_that_nothing_divides(plan):
    levels = {"levels": [{"k": 500_009}]}
    answer = plan(*TILES, cluster=levels)
    refused(answer, "cluster.levels.0.k: 500,009", "lower k, or --memory at least")


def test_more_clusters_than_items(plan):
    refused(plan("--items", "29", "--dim", "4"), "cluster.levels.0.k: 30 is above the number of items, 29: lower it")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--items", "1000"], ".npy files only: pass --dim D"),
        ([], ".npy files only: pass --items N and --dim D"),
        (["--items", "1000", "--dim", "4", "--memory", "lots"], "--memory lots: not a size; write a number and a unit"),
        (["--items", "1000", "--dim", "4", "--memory", "0g"], "--memory 0g: not a size"),
        (["--suggest", "--target", "3"], "plan --suggest needs the number of items: pass --items N"),
        (["--suggest", "--items", "9"], "plan --suggest needs the number of items to select: pass --target N"),
    ],
)
def test_what_is_missing_or_wrong_is_named(plan, arguments, said):
    refused(plan(*arguments), said)


def test_a_config_without_clustering_and_no_config(plan, capsys):
    refused(plan("--items", "9", "--dim", "4", cluster=None), "config 'small' has no section cluster")
    assert main(["plan", "--items", "9"]) == 2
    assert "plan needs --config FILE; without one, --suggest" in capsys.readouterr().err


def test_the_costs_of_a_tree_that_is_split_from_the_top_are_not_known(plan):
    tree = {"tree": "top_down", "levels": [{"k": 30}, {"k": 5}]}
    refused(plan("--items", "1000", "--dim", "4", cluster=tree), "cluster.tree: top_down", "cluster.tree=bottom_up")


@pytest.mark.parametrize("arguments", [["--items", "0"], ["--dim", "many"], ["--tflops", "-1"], ["--disk-mb", "nan"]])
def test_numbers_below_one_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["plan", *arguments])
    assert caught.value.code == 2
    assert f"argument {arguments[0]}: {arguments[1]!r} is no" in capsys.readouterr().err


# Suggestions


def test_a_suggestion_needs_no_config_and_is_a_config(capsys):
    assert main(["plan", "--suggest", "--items", "743_000_000", "--target", "100_000_000"]) == 0
    out = capsys.readouterr().out
    sections = yaml.safe_load(out)
    levels = Cluster.model_validate(sections["cluster"]).levels
    assert [(level.k, level.splits) for level in levels] == [(10_000_000, 100), (500_000, 1), (50_000, 1), (10_000, 1)]
    assert [level.resampling and level.resampling.rounds for level in levels] == [None, 10, 10, 10]
    assert sections["select"] == [{"name": "balanced", "target": 100_000_000}]
    assert "# 74.3 items a cluster" in out


def test_a_suggestion_takes_what_the_config_knows_and_with_dim_is_planned(plan):
    select = [{"name": "a", "target": 50}, {"name": "b", "target": 400}, {"name": "c", "per_cluster": 3}]
    code, out, _ = plan("--suggest", "--items", "100_000", "--dim", "8", select=select)
    assert code == 0
    assert "target: 400" in out and "100,000 vectors of 8 numbers" in out and "level 3" in out


# The machine


def options(**given):
    names = ["executors", "cores", "memory", "driver_memory", "gpus", "gpu_memory", "tflops", "gflops_per_core"]
    return SimpleNamespace(**{**dict.fromkeys(names), "network_gbit": 10.0, "disk_mb": 500.0, **given})


def test_a_cluster_is_that_of_its_properties_file_where_nothing_else_is_said():
    assert machine_of(options(executors=16), {}) == CLUSTER
    lines = (ROOT / "conf" / "spark" / "cluster.conf").read_text().splitlines()
    settings = dict(line.split() for line in lines if line.startswith("spark."))
    assert int(settings["spark.executor.cores"]) == CLUSTER.cores
    assert as_bytes(settings["spark.executor.memory"], "") == CLUSTER.heap_bytes
    assert float(settings["spark.executor.memoryOverheadFactor"]) * CLUSTER.heap_bytes == CLUSTER.python_bytes
    assert as_bytes(settings["spark.driver.maxResultSize"], "") == CLUSTER.max_result_bytes


def test_flags_and_spark_settings_describe_the_machine():
    machine = machine_of(
        options(executors=2, cores=4, memory="1t", driver_memory="100g", gpus=3, tflops=30.0, network_gbit=80.0),
        {"spark.driver.maxResultSize": "64g"},
    )
    assert (machine.executors, machine.total_cores, machine.flops_per_second) == (2, 8, 2 * 3 * 30e12)
    assert (machine.memory_bytes, machine.driver_memory_bytes) == (1024 * GIB, 100 * GIB)
    assert (machine.network_bytes_per_second, machine.max_result_bytes) == (1e10, 64 * GIB)


def test_this_machine_is_planned_for_where_no_executors_are_named():
    spark = {"spark.master": "local[3,4]", "spark.driver.memory": "4g", "spark.driver.maxResultSize": "0"}
    machine = machine_of(options(memory="10g"), spark)
    assert machine.is_local and (machine.executors, machine.cores) == (1, 3)
    assert (machine.heap_bytes, machine.python_bytes, machine.driver_memory_bytes) == (4 * GIB, 6 * GIB, 6 * GIB)
    assert machine.max_result_bytes == float("inf")
    assert machine_of(options(cores=5), spark).cores == 5


def test_the_help_gives_the_rates_that_are_used():
    parser = argparse.ArgumentParser()
    add_plan_arguments(parser)
    text = " ".join(parser.format_help().split())
    assert f"of a GPU at this work (default: {TFLOPS_PER_GPU:g})" in text
    assert f"at this work (default: {GFLOPS_PER_CORE:g})" in text
    assert f"of a GPU (default: {GPU_MEMORY_BYTES / GIB:g}g)" in text


# What the model repeats of the engine


def test_the_settings_of_a_local_session_are_those_that_are_planned_with():
    from equipoise.session import defaults

    assert LOCAL["heap"] == defaults.LOCAL["spark.driver.memory"]
    assert LOCAL["max_result"] == defaults.LOCAL["spark.driver.maxResultSize"]


def test_all_that_the_config_says_is_planned_with():
    section = Cluster(
        levels=({"k": 9}, {"k": 3, "resampling": {"rounds": 2, "points": 5}}),
        iterations=7, seeding="random", partitions=11, checkpoint_every=2, driver_limit={"bytes": 1, "flops": 2},
        split_bytes=3,
    )  # fmt: skip
    half = section.half
    assert as_kmeans(section) == PlannedKMeans(7, "random", half, 11, 2, DriverLimit(1, 2), 3)
    assert [as_level(level) for level in section.levels] == [Level(9), Level(3, rounds=2, points=5)]


# Numbers in words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.42, "0.42 s"), (89, "89 s"), (90, "1.5 min"), (5400, "1.5 h"), (86_400 * 2, "2.0 days"), (1e8, "1,157.4 days")],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("n_bytes", "said"), [(0, "-"), (999, "999 B"), (1024, "1 KiB"), (3 * 2**40, "3 TiB"), (2**52, "4.0 PiB")]
)
def test_sizes(n_bytes, said):
    assert size(n_bytes) == said


def test_the_plan_in_the_readme_is_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "150")
    section = (ROOT / "README.md").read_text().split("## Plan before the work")[1]
    command, printed, refused_text = re.findall(r"```(?:sh|text)\n(.*?)```", section, re.DOTALL)[:3]
    arguments = shlex.split(command.replace("\\\n", ""))[1:]
    assert main(arguments) == 0
    assert capsys.readouterr().out.split() == printed.split()
    assert main([*arguments, "cluster.levels.0.splits=1"]) == 2
    assert capsys.readouterr().err.split() == refused_text.split()
