"""What every stage of the registry keeps to: killed, resumed, forced, made on other partitions, it makes the same."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import equipoise.runs.run
from equipoise.runs.account import SILENT
from equipoise.runs.run import Run, read_record
from equipoise.schemas import RUNS, TABLES, Col, Slice
from equipoise.stages import STAGES
from equipoise.stages.configuration import config_from, graph_of
from equipoise.tables import Workspace

VOLATILE = {Col.seconds, Col.modified_at, Col.at, Col.application_id}
PARTITIONS = "spark.sql.shuffle.partitions"


class Killed(BaseException):
    """As by SIGKILL: nobody handles it."""


def write_data(folder: Path) -> None:
    """Images of two classes, of which one is broken and one black, and a benchmark."""
    for number in range(21):  # the last of them is black
        pixels = np.full((4, 4), 30 + 9 * number, np.uint8) if number < 20 else np.zeros((4, 4), np.uint8)
        pixels[number % 4, : number % 3] //= 2
        path = folder / "images" / "ab"[number % 2] / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "images" / "a" / "broken.png").write_bytes(b"no picture")
    (folder / "images" / "b" / "copy.png").write_bytes((folder / "images" / "b" / "03.png").read_bytes())
    random = np.random.default_rng(0)
    split = np.array(["train", "test"] * 10)
    vectors = random.normal(size=(20, 3)).astype(np.float32)
    np.savez(folder / "bench.npz", embedding=vectors, split=split, label=np.array(list("xyxyy") * 4))


def config_of(folder: Path, workspace: Path):
    """A config with all stages, every level of k-means on Spark."""
    return config_from(
        {
            "name": "contract",
            "workspace": str(workspace),
            "seed": 3,
            "source": {"kind": "images", "path": str(folder / "images"), "label": "parent_folder"},
            "embed": {"encoder": "pixels", "size": 4, "mode": "L", "items_per_commit": 8},
            "deduplicate": {"threshold": 1.0},
            "cluster": {
                "metric": "cosine",
                "iterations": 2,
                "checkpoint_every": 2,
                "driver_limit": {"bytes": 0},
                "levels": [{"k": 5}, {"k": 2}],
            },
            "select": [{"name": "even", "target": 6}, {"name": "near", "per_cluster": 2, "within": "closest"}],
            "evaluate": {"top": 3},
            "benchmark": {
                "features": [{"name": "toy", "models": {"m": str(folder / "bench.npz")}}],
                "probe": False,
                "rounds": 20,
            },
        }
    )


@dataclass
class Lab:
    """One run over one workspace."""

    spark: object
    folder: Path
    workspace: Path

    def bring(self, *force: str):
        graph = graph_of(config_of(self.folder, self.workspace))
        tables = Workspace(self.spark, str(self.workspace))
        run = Run(graph, spark=self.spark, workspace=tables, run_id="r", progress=SILENT)
        return list(run.bring([node.name for node in graph.order], force))

    def rows(self):
        """All rows of all tables but the events, without times."""
        return {table.name: self.rows_of(table) for table in TABLES.values() if table is not RUNS}

    def rows_of(self, table):
        """All rows of one table, without times."""
        kept = [name for name in table.columns if name not in VOLATILE]
        rows = Workspace(self.spark, str(self.workspace)).read(Slice(table)).select(*kept)
        return sorted(str(row) for row in rows.collect())

    def accounts(self):
        """What every step says of its rows."""
        events = read_record(Workspace(self.spark, str(self.workspace)), "r").events
        return {event.stage: event.account for event in events}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("contract")
    write_data(made)
    return made


@pytest.fixture(scope="module")
def whole(spark, folder):
    """A run that nobody disturbed."""
    lab = Lab(spark, folder, folder / "whole")
    lab.bring()
    return lab


@pytest.fixture(scope="module")
def expected(whole):
    return whole.rows()


def test_the_contract_is_about_every_stage_and_makes_rows_of_every_table(whole, expected):
    families = {node.family for node in graph_of(config_of(whole.folder, whole.workspace)).order}
    assert families == {stage.family for stage in STAGES}
    empty = {name for name, rows in expected.items() if not rows}
    assert empty == {"checkpoints", "failures"}  # no level is unfinished, and there is no retrieval


def test_in_is_out_and_rejected_and_dropped(spark, whole):
    record = read_record(Workspace(spark, str(whole.workspace)), "r")
    for event in record.events:
        account = event.account
        assert account.n_in == account.n_out + account.n_rejected + sum(account.drops.values()), event.stage
    counts = {
        event.stage: (event.account.n_in, event.account.n_out, event.account.n_rejected) for event in record.events
    }
    assert counts["ingest"] == (23, 22, 1) and counts["embed"] == (22, 22, 0)
    assert counts["deduplicate:groups"] == (22, 21, 0)
    assert counts["cluster"] == (21, 20, 1) and counts["select:even"] == (20, 6, 0)


def test_a_second_time_nothing_is_done(whole, expected):
    assert all(outcome.was_skipped for outcome in whole.bring())
    assert whole.rows() == expected


ALL = {"--calibrate": "1"}
"""What questions are asked of a pool as small as this."""


@pytest.mark.parametrize("question", [one for stage in STAGES for one in stage.asks], ids=lambda one: one.flag)
def test_a_question_is_answered_by_a_printed_text_and_writes_nothing(whole, expected, question):
    graph = graph_of(config_of(whole.folder, whole.workspace))
    run = Run(graph, spark=whole.spark, workspace=Workspace(whole.spark, str(whole.workspace)), run_id="r")
    printed = Console(file=io.StringIO())
    before = whole.rows_of(RUNS)
    # Ids follow the folder: a share of a few items may draw none.
    value = ALL.get(question.flag, question.example)
    overrides = run.answer(question, question.value(value), printed)
    assert printed.file.getvalue() and all("=" in text for text in overrides)
    assert whole.rows_of(RUNS) == before and whole.rows() == expected


@pytest.mark.slow
def test_killed_after_the_first_write_to_each_table_and_resumed_it_is_the_same(
    spark, folder, whole, expected, monkeypatch
):
    lab = Lab(spark, folder, folder / "killed")
    written = Workspace._written
    deaths = []

    def dying(self, part, rows, options):
        commit = written(self, part, rows, options)
        if part.table is not RUNS and part.table.name not in deaths:
            deaths.append(part.table.name)
            raise Killed
        return commit

    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "_written", dying)
        for _ in TABLES:
            try:
                lab.bring()
                break
            except Killed:
                continue
    assert set(deaths) == {name for name, rows in expected.items() if rows} | {"checkpoints"}
    lab.bring()
    assert lab.rows() == expected
    assert lab.accounts() == whole.accounts()


@pytest.mark.slow
@pytest.mark.parametrize("family", [stage.family for stage in STAGES])
def test_forced_it_makes_the_same_again(spark, whole, expected, family):
    outcomes = {outcome.stage: outcome.was_skipped for outcome in whole.bring(family)}
    graph = graph_of(config_of(whole.folder, whole.workspace))
    forced = {node.name for node in graph.order if node.family == family}
    replaced = forced.union(*(graph.descendants(name) for name in forced))
    assert {name for name, was_skipped in outcomes.items() if not was_skipped} == replaced
    assert whole.rows() == expected


@pytest.mark.slow
def test_killed_while_what_is_replaced_is_removed_it_makes_the_same_again(spark, folder, expected, monkeypatch):
    lab = Lab(spark, folder, folder / "cleared")
    lab.bring()
    clear = Workspace.clear
    for place in range(4):
        cleared = []

        def dying(self, part, most=place, cleared=cleared):
            if len(cleared) == most:
                raise Killed
            cleared.append(part)
            clear(self, part)

        with monkeypatch.context() as patched:
            patched.setattr(Workspace, "clear", dying)
            with pytest.raises(Killed):
                lab.bring("cluster")
    lab.bring()
    assert lab.rows() == expected


@pytest.mark.slow
def test_on_other_partitions_it_makes_the_same(spark, folder, expected, monkeypatch):
    monkeypatch.setattr(equipoise.runs.run, "FEW_ITEMS", 0)  # else a small pool is one partition whatever is asked
    before = spark.conf.get(PARTITIONS)
    spark.conf.set(PARTITIONS, "7")
    try:
        lab = Lab(spark, folder, folder / "partitions")
        lab.bring()
        assert lab.rows() == expected
    finally:
        spark.conf.set(PARTITIONS, before)
