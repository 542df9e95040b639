"""The configurations in conf/: the papers' numbers, and the plans that their comments name. Spark is never started."""

import re
import shlex
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.stages.configuration import graph_of, load_config

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "conf").glob("*.yaml"))


def planned_in(path: Path) -> list[list[str]]:
    """The arguments of the plan commands in the comments of a config."""
    comments = "\n".join(line.lstrip("# ") for line in path.read_text().splitlines() if line.startswith("#"))
    found = re.findall(r"equipoise plan (.*)", comments.replace("\\\n", ""))
    return [shlex.split(arguments) for arguments in found]


CLUSTERED = [path for path in SHIPPED if load_config(path).cluster]


@pytest.mark.parametrize("path", CLUSTERED, ids=lambda path: path.name)
def test_every_shipped_config_names_the_command_that_plans_it_and_fits(path, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    commands = planned_in(path)
    assert commands
    for arguments in commands:
        assert arguments[:2] == ["--config", f"conf/{path.name}"]
        assert main(["plan", *arguments, "--gflops-per-core", "40"]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{items_of(arguments):,} vectors")
        assert f"level {len(load_config(path).cluster.levels)}" in out


def items_of(arguments: list[str]) -> int:
    return int(arguments[arguments.index("--items") + 1])


@pytest.mark.parametrize(
    ("name", "items", "levels", "targets"),
    [
        ("images_web", [743_000_000], [10_000_000, 500_000, 50_000, 10_000], [100_000_000]),
        ("text_ccnet", [641_000_000, 789_000_000], [10_000_000, 500_000, 50_000], [200_000_000]),
        ("satellite", [18_000_000], [500_000, 50_000, 10_000], [9_000_000]),
        (
            "remote_sensing",
            [51_197_237, 2_106_700],
            [50_000, 10_000, 5_000, 1_000],
            [50_000, 100_000, 414_000, 500_000, 750_000, 1_000_000, 1_500_000, 2_000_000],
        ),
    ],
)
def test_the_configurations_are_those_of_the_papers(name, items, levels, targets):
    path = ROOT / "conf" / f"{name}.yaml"
    config = load_config(path)
    assert [items_of(arguments) for arguments in planned_in(path)] == items
    assert [level.k for level in config.cluster.levels] == levels
    assert [one.target for one in config.select] == targets
    assert max(targets) < min(items)


def test_semdedup_is_an_alternative_on_the_same_original_pool():
    config = load_config(ROOT / "conf" / "remote_sensing_semdedup.yaml")
    (node,) = [node for node in graph_of(config).order if node.family == "deduplicate"]
    rule = node.settings.rule
    assert (rule.k, rule.rounds, node.settings.threshold, rule.form) == (50_000, 50, 0.8, "groups")
    assert config.cluster is None and [path for path in SHIPPED if path not in CLUSTERED] == [
        ROOT / "conf" / "remote_sensing_semdedup.yaml"
    ]


def test_many_small_tasks_are_advised_to_be_fewer(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    (arguments,) = planned_in(ROOT / "conf" / "images_web.yaml")
    main(["plan", *arguments, "cluster.partitions=65536"])
    out = capsys.readouterr().out
    advice = re.search(r"level 1: .* cluster\.partitions: (\d+) makes", out)
    assert advice
    main(["plan", *arguments, f"cluster.partitions={advice[1]}"])
    followed = capsys.readouterr().out
    assert "cluster.partitions" not in followed and hours(followed) < hours(out)


def hours(out: str) -> float:
    number, unit = re.search(r"in all: ([\d.]+) (h|days)", out).groups()
    return float(number) * {"h": 1, "days": 24}[unit]


def test_a_level_too_thin_to_resample_is_told_of(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    for arguments in planned_in(ROOT / "conf" / "remote_sensing.yaml"):
        assert main(["plan", *arguments, "--gflops-per-core", "40"]) == 0
        told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("- level 3: ")]
        assert len(told) == 1
        assert "10,000 vectors in 5,000 clusters are 2.0 each, of which resampling takes 2 (points: half" in told[0]
        assert "up to 10,000, all but the third" in told[0] and "less than with k at most 2,500" in told[0]
