"""Several named sources and encoders, end to end: who is curated, what is counted, and what a change does not touch."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.cli import main
from equipoise.schemas import Col

SIZES = {"web": 24, "news": 12, "seeds": 6}
ENCODERS = {"small": {"encoder": "pixels", "size": 2, "mode": "L"}}


def write_images(folder: Path, n: int, *, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in range(n):
        path = folder / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(1, 255, (4, 4), dtype=np.uint8)).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("several")
    for seed, (name, n) in enumerate(SIZES.items()):
        write_images(made / name, n, seed=seed)
    (made / "news/a/broken.png").write_bytes(b"no image")
    return made


def config_of(folder: Path, **sections) -> str:
    sources = {name: {"kind": "images", "path": str(folder / name), "label": "parent_folder"} for name in SIZES}
    plain = {
        "workspace": str(folder / "workspace"),
        "sources": sources,
        "pool": ["web", "news"],
        "encoders": ENCODERS,
        "cluster": {"iterations": 5, "levels": [{"k": 6}, {"k": 2}]},
        "select": [{"name": "even", "target": 9}],
        "evaluate": {"groups": ["source"]},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**plain, **sections}))
    return str(path)


@pytest.fixture(scope="module")
def done(spark, folder) -> Path:
    assert main(["curate", "--config", config_of(folder), "--run-id", "r", "--quiet"]) == 0
    return folder


def rows(spark, folder: Path, name: str, run_id: str | None = "r"):
    found = equipoise.read_table(spark, str(folder / "workspace"), name)
    return found if run_id is None else found.where(F.col(Col.run_id) == run_id)


def accounts(spark, folder: Path) -> dict[str, tuple]:
    finished = rows(spark, folder, "runs").where("status = 'done'").collect()
    for row in finished:
        assert row[Col.n_in] == row[Col.n_out] + row[Col.n_rejected] + row[Col.n_dropped], row[Col.stage]
    return {row[Col.stage]: (row[Col.n_in], row[Col.n_out], row[Col.n_rejected]) for row in finished}


def test_every_step_accounts_for_its_source(spark, done):
    found = accounts(spark, done)
    assert {name: counts for name, counts in found.items() if name.startswith("ingest")} == {
        "ingest:web": (24, 24, 0), "ingest:news": (13, 12, 1), "ingest:seeds": (6, 6, 0),
    }  # fmt: skip
    assert found["embed:small/news"] == (12, 12, 0) and found["embed:small/seeds"] == (6, 6, 0)
    assert found["cluster"] == (36, 36, 0) and found["select:even"] == (36, 9, 0)
    (reject,) = rows(spark, done, "rejects").collect()
    assert (reject[Col.stage], reject[Col.reason]) == ("ingest:news", "unreadable_image")


def test_only_the_pool_is_clustered_and_selected_from(spark, done):
    source = rows(spark, done, "pool", None).select(Col.item_id, Col.source)
    for table in ("assignments", "curated"):
        found = rows(spark, done, table).join(source, Col.item_id).groupBy(Col.source).count().collect()
        assert {row[Col.source] for row in found} == {"web", "news"}
    assert rows(spark, done, "embeddings", None).where("source = 'seeds'").count() == 6


def test_balance_is_measured_by_source(spark, done):
    measured = rows(spark, done, "metrics").where("name = 'n_items' and `group` = 'source' and selection = 'pool'")
    assert [row[Col.value] for row in measured.collect()] == [36.0]
    rates = rows(spark, done, "metrics").where("name = 'selection_rate' and selection = 'even'").collect()
    assert {"source=web", "source=news"} <= {row[Col.group] for row in rates}


def statuses(spark, folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in rows(spark, folder, "runs").orderBy(Col.at).collect():
        found.setdefault(row[Col.stage], []).append(row[Col.status])
    return found


def test_another_source_and_encoder_refuse_and_repeat_nothing(spark, done, capsys):
    before = statuses(spark, done)
    write_images(done / "more", 4, seed=9)
    sources = {name: {"kind": "images", "path": str(done / name), "label": "parent_folder"} for name in SIZES}
    config = config_of(
        done,
        sources={**sources, "more": {"kind": "images", "path": str(done / "more")}},
        encoders={**ENCODERS, "large": {"encoder": "pixels", "size": 3, "mode": "L"}},
        cluster={"iterations": 5, "levels": [{"k": 6}, {"k": 2}], "encoder": "small"},
    )
    assert main(["curate", "--config", config, "--run-id", "r", "--quiet"]) == 0, capsys.readouterr().err
    after = statuses(spark, done)
    assert {name: after[name] for name in before} == before
    assert {name for name in after if name not in before} == {
        "ingest:more", "embed:small/more", *(f"embed:large/{name}" for name in (*SIZES, "more")),
    }  # fmt: skip


def test_a_changed_selection_is_refused_alone_and_replaced_alone(spark, done, capsys):
    both = [{"name": "even", "target": 9}, {"name": "other", "target": 4}]
    command = ["curate", "--config", config_of(done, select=both), "--run-id", "r", "--quiet"]
    assert main(command) == 0
    changed = [{"name": "even", "target": 8}, both[1]]
    command[2] = config_of(done, select=changed)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "stage select:even of run 'r' is finished with other settings (target was 9, is 8)" in error
    assert main([*command, "--force", "select"]) == 0
    found = rows(spark, done, "curated").groupBy(Col.selection).count().collect()
    assert {row[Col.selection]: row["count"] for row in found} == {"even": 8, "other": 4}
    assert statuses(spark, done)["cluster"] == ["running", "done"]


def test_what_the_config_lost_goes_when_what_it_stood_on_is_replaced(spark, done):
    command = ["cluster", "--config", config_of(done, select=[{"name": "even", "target": 8}]), "--run-id", "r"]
    assert main([*command, "--force", "cluster", "--quiet"]) == 0
    assert rows(spark, done, "curated").count() == 0
    assert statuses(spark, done)["select:other"][-1] == "removed"


def test_a_selection_is_not_made_of_a_tree_of_other_settings(spark, done, capsys):
    other = {"iterations": 5, "levels": [{"k": 5}, {"k": 2}]}
    command = ["select", "--config", config_of(done, cluster=other), "--run-id", "r", "--quiet"]
    assert main(command) == 2
    assert (
        "stage cluster of run 'r' is finished with other settings (levels.0.k was 6, is 5)" in capsys.readouterr().err
    )
