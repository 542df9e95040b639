"""``equipoise deduplicate --calibrate``: what it prints beside what the stage then does, and when it says no."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml

from equipoise.cli import main

N_ITEMS = 200


@pytest.fixture(scope="module")
def config(spark, tmp_path_factory):
    """Sixty items and what is like them, more or less; one of them twice. A run with the pool alone."""
    folder = tmp_path_factory.mktemp("calibrate")
    random = np.random.default_rng(3)
    first = random.normal(size=(60, 16))
    noise = random.normal(size=(139, 16)) * random.uniform(0.05, 0.5, size=(139, 1))
    np.save(folder / "v.npy", np.concatenate([first, first[random.integers(60, size=139)] + noise, first[:1]]))
    path = folder / "c.yaml"
    source = {"kind": "embeddings", "path": str(folder / "v.npy")}
    rules = {"threshold": 0.8, "stored_above": 0.7, "exact_copies": "none"}
    path.write_text(yaml.safe_dump({"workspace": str(folder / "w"), "source": source, "deduplicate": rules}))
    assert main(["ingest", "--config", str(path), "--run-id", "r", "--quiet"]) == 0
    return str(path)


def ran(config, *arguments, job="deduplicate", run_id="r"):
    return main([job, "--config", config, "--run-id", run_id, "--quiet", *arguments])


def removed_by(printed):
    """The table of what was printed: threshold -> (share removed, margin, items that stay)."""
    rows = re.findall(r"(\d\.\d+|1) +│ (\d+\.\d)% +│ (\d+\.\d)% +│ ([\d,]+)", printed)
    return {float(one): (float(share), float(margin), int(stay.replace(",", ""))) for one, share, margin, stay in rows}


def test_the_share_of_all_is_what_the_stage_removes_and_the_next_command_does_it(config, capsys):
    assert ran(config, "--calibrate", "1", "deduplicate.threshold=0.85") == 0
    printed = capsys.readouterr().out
    assert "what thresholds remove of 200 items, 0 exact copies included, told from 200 sampled items" in printed
    found = removed_by(printed)
    assert min(found) == 0.7 and max(found) == 1 and {margin for _, margin, _ in found.values()} == {0.0}
    after = printed.splitlines()[-1].removeprefix("next: equipoise ")
    assert after == f"deduplicate --config {config} --run-id r deduplicate.threshold=0.85"
    assert main([*shlex.split(after), "--quiet"]) == 0
    capsys.readouterr()
    query = "select count(*) as n from duplicates where not is_kept"
    assert main(["sql", query, "--workspace", str(Path(config).parent / "w")]) == 0
    n_removed = int(re.findall(r"\d+", capsys.readouterr().out)[-1])
    assert found[0.85] == (round(100 * n_removed / N_ITEMS, 1), 0.0, N_ITEMS - n_removed)


def test_a_target_is_told_its_threshold_or_that_there_is_none(config, capsys):
    assert ran(config, "--calibrate", "1", "deduplicate.target_keep=100") == 0
    printed = capsys.readouterr().out
    threshold = float(re.search(r"target_keep 100: a threshold of about (\S+)", printed)[1])
    stay = [n for one, (*_, n) in sorted(removed_by(printed).items()) if abs(one - threshold) < 0.015]
    assert stay[0] <= 100 <= stay[-1]
    assert printed.splitlines()[-1].endswith("--run-id r deduplicate.target_keep=100")
    assert ran(config, "--calibrate", "1", "deduplicate.target_keep=2") == 2
    assert "no threshold from 0.8 to 1 removes 99.0% of the items" in capsys.readouterr().err
    assert ran(config, "--calibrate", "1", "deduplicate.target_keep=201") == 2
    assert "target_keep is 201 and the pool has 200 items: lower it" in capsys.readouterr().err


def test_what_cannot_be_told_is_refused_with_the_way_out(config, capsys):
    assert ran(config, "--calibrate", "0.1", run_id="new") == 2
    said = "run 'new' has not finished stage ingest, which deduplicate:pairs stands on: run that stage first"
    assert said in capsys.readouterr().err
    assert ran(config, "--calibrate", "0.1", "deduplicate=null") == 2
    assert "has no section 'deduplicate': add it to run this stage" in capsys.readouterr().err
    other = Path(config).with_name("semdedup.yaml")
    other.write_text(yaml.safe_dump(yaml.safe_load(Path(config).read_text()) | {"deduplicate": {"semdedup": {"k": 2}}}))
    assert ran(str(other), "--calibrate", "0.1") == 2
    assert "set deduplicate.semdedup.target_keep, at which its rounds end" in capsys.readouterr().err
    assert ran(config, "--calibrate", "1e-9") == 2
    assert "a share of 1e-09 draws none of the 200 items: give a larger one" in capsys.readouterr().err
