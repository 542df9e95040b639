"""Jobs, commands, README: every family of the registry has all three, and nothing else has."""

import re
from pathlib import Path

import pytest

from equipoise.cli.arguments import parsed
from equipoise.runs.node import loaded
from equipoise.stages import STAGES

ROOT = Path(__file__).parents[1]
JOBS = {path.stem: path.read_text() for path in (ROOT / "jobs").glob("*.py")}
FAMILIES = [stage.family for stage in STAGES]
STUDIES = ["compare", "graph", "plan", "report"]


def test_there_is_a_job_for_every_family_and_study():
    assert sorted(JOBS) == sorted([*FAMILIES, *STUDIES, "curate"])


@pytest.mark.parametrize("name", JOBS)
def test_jobs_are_equal_but_for_their_name(name):
    assert JOBS[name] == JOBS["curate"].replace("curate", name)


@pytest.mark.parametrize("name", [*FAMILIES, "curate"])
def test_every_family_is_a_command(name):
    options = parsed([name, "--config", "c.yaml", "seed=1", "--run-id", "r", "--force", "select", "--quiet"])
    assert (options.job, options.config, options.overrides, options.force) == (name, "c.yaml", ["seed=1"], "select")


def test_help_has_the_line_of_every_stage(capsys):
    with pytest.raises(SystemExit):
        parsed(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for stage in STAGES:
        assert f"{stage.family} {stage.meaning}" in printed


def test_the_readme_has_a_line_for_every_stage():
    readme = (ROOT / "README.md").read_text()
    told = re.findall(r"^\| (\w+) \| `jobs/(\w+)\.py`, `equipoise (\w+)` \|", readme, flags=re.MULTILINE)
    assert told == [(name, name, name) for name in FAMILIES]


def test_the_map_for_contributors_has_a_line_for_every_room():
    rooms = {path.parent.name for path in (ROOT / "lib/equipoise").glob("*/__init__.py")}
    told = set(re.findall(r"^\| `lib/equipoise/(\w+)/` \|", (ROOT / "CONTRIBUTING.md").read_text(), flags=re.MULTILINE))
    assert told == rooms


@pytest.mark.parametrize("stage, question", [(stage, one) for stage in STAGES for one in stage.asks])
def test_a_question_is_an_option_of_its_stage_alone_and_goes_with_no_other(stage, question, capsys):
    given = [question.flag, question.example]
    options = parsed([stage.family, "--config", "c.yaml", *given, "seed=1"])
    assert getattr(options, question.key) == question.value(question.example) and options.questions == stage.asks
    assert callable(loaded(question.answer))
    other = next(one for one in FAMILIES if one != stage.family)
    for refused in (
        [other, "--config", "c.yaml", *given],
        [stage.family, "--config", "c", "--force", "select", *given],
    ):
        with pytest.raises(SystemExit) as ended:
            parsed(refused)
        assert ended.value.code == 2 and question.flag in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parsed([stage.family, "--help"])
    assert f"{question.meaning} (for example {question.example})" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("given", ["0", "1.5", "-0.1", "nan", "inf", "a tenth", ""])
def test_a_share_that_is_none_is_refused_by_its_option(given, capsys):
    with pytest.raises(SystemExit) as ended:
        parsed(["deduplicate", "--config", "c.yaml", f"--calibrate={given}"])
    assert ended.value.code == 2
    said = f"argument --calibrate: {given!r} is no share of the items: give a number above 0 and up to 1"
    assert said in capsys.readouterr().err
