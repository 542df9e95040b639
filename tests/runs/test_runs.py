"""The semantics of a run (DESIGN section 4), with stages that only count their calls."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pyspark.sql import functions as F

from equipoise import __version__
from equipoise.config import Config
from equipoise.errors import RunError
from equipoise.runs import run as runs
from equipoise.runs.context import Account, StageContext
from equipoise.runs.run import Run, Stage
from equipoise.schemas import EMBEDDINGS, METRICS, POOL, RUNS, Col, Table
from equipoise.tables import Workspace
from stages.fakes import MemoryWorkspace, Progress

ACCOUNT = Account(10, 6, 1, {"already_in_pool": 2, "other": 1})
SEED = 5


@dataclass
class Fake:
    """A stage that does nothing but remember how it was called; ``error`` breaks its next work off."""

    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[Table, ...] = ()
    outputs: tuple[Table, ...] = ()
    error: BaseException | None = None
    clear_error: BaseException | None = None
    only_judges: bool = False
    outside: dict[str, int | None] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    seen: list[dict[str, int]] = field(default_factory=list)

    def work(self, context: StageContext) -> Account:
        self.calls.append("work")
        self.seen.append(dict(context.versions))
        error, self.error = self.error, None
        if error:
            raise error
        return ACCOUNT

    def clear(self, context: StageContext) -> None:
        self.calls.append("clear")
        error, self.clear_error = self.clear_error, None
        if error:
            raise error

    def stage(self) -> Stage:
        made = Stage(self.name, self.settings, self.inputs, self.outputs, self.work, self.clear, None, self.only_judges)
        return replace(made, outside=lambda context: self.outside)


@dataclass
class Lab:
    """One run id; every call is a process of its own: it knows only what the table ``runs`` says."""

    context: StageContext

    def bring(self, fake: Fake, stages: list[Fake] | None = None, *, force: bool = False):
        all_stages = [one.stage() for one in stages or [fake]]
        return Run(self.context).perform(fake.stage(), stages=all_stages, force=force)

    def bring_all(self, stages: list[Fake]):
        return [self.bring(one, stages) for one in stages]

    def events(self, stage: str | None = None) -> list:
        rows = self.context.workspace.read(RUNS).filter(F.col(Col.run_id) == self.context.run_id)
        return [row for row in rows.orderBy(Col.at).collect() if stage in (None, row[Col.stage])]

    def statuses(self, stage: str) -> list[str]:
        return [row[Col.status] for row in self.events(stage)]

    def advance(self, table: Table) -> int:
        """Somebody else adds to a table: its new version."""
        self.context.workspace.version(table)  # creates it
        self.context.workspace.append(table, self.context.spark.createDataFrame([], table.schema))
        return self.context.workspace.version(table)


class MemoryRuns(MemoryWorkspace):
    """Events without the second that Delta takes for a commit: most of these tests make a dozen of them."""

    location = "memory"

    def append(self, table, rows):
        self.versions[table.name].append(self._rows(table) + rows.collect())


ON_DELTA = pytest.mark.parametrize("lab", ["delta"], indirect=True)


@pytest.fixture
def lab(spark, tmp_path, request) -> Lab:
    on_delta = getattr(request, "param", None) == "delta"
    workspace = Workspace(spark, str(tmp_path)) if on_delta else MemoryRuns(spark)
    sections = {"name": "t", "workspace": workspace.location, "seed": SEED, "source": {"kind": "texts", "path": "p"}}
    return Lab(StageContext(spark, Config.model_validate(sections), workspace, "run 1", Progress()))


@ON_DELTA
def test_a_new_stage_runs_once_and_is_skipped_when_it_is_done(lab):
    fake = Fake("ingest", {"path": "p"}, (METRICS,))
    version = lab.advance(METRICS)
    first = lab.bring(fake)
    assert (first.stage, first.account, first.was_skipped) == ("ingest", ACCOUNT, False)

    running, done = lab.events()
    assert (running[Col.status], done[Col.status]) == ("running", "done")
    for row in (running, done):
        assert json.loads(row[Col.config]) == {"path": "p"}
        assert (row[Col.seed], row[Col.code_version]) == (SEED, __version__)
        assert row[Col.input_versions] == {"metrics": version}
        assert row[Col.application_id] == lab.context.spark.sparkContext.applicationId
        assert row[Col.fingerprint] == running[Col.fingerprint] != ""
    columns = (Col.n_in, Col.n_out, Col.n_rejected, Col.n_dropped)
    assert [running[name] for name in (*columns, Col.drops)] == [None] * 5
    assert [done[name] for name in columns] == [10, 6, 1, 3]
    assert done[Col.drops] == {"already_in_pool": 2, "other": 1}

    lab.advance(METRICS)  # what came in since is for the next run
    again = lab.bring(fake)
    assert (again.account, again.was_skipped) == (ACCOUNT, True)
    assert fake.calls == ["work"] and len(lab.events()) == 2


@pytest.mark.parametrize("error, last", [(ValueError("no"), ["running", "failed"]), (KeyboardInterrupt(), ["running"])])
def test_a_broken_stage_goes_on_with_the_inputs_of_its_first_attempt(lab, error, last):
    fake = Fake("ingest", {}, (METRICS,), error=error)
    version = lab.advance(METRICS)
    with pytest.raises(type(error)) as caught:
        lab.bring(fake)
    assert caught.value is error
    assert lab.statuses("ingest") == last
    lab.advance(METRICS)
    assert not lab.bring(fake).was_skipped
    assert fake.calls == ["work", "work"]  # nothing was cleared: the second finds what the first left
    assert fake.seen == [{"metrics": version}] * 2
    assert lab.statuses("ingest") == [*last, "running", "done"]


def test_a_broken_stage_with_other_settings_is_done_anew(lab):
    broken = Fake("ingest", {"k": 1}, (METRICS,), error=ValueError())
    old = lab.advance(METRICS)
    with pytest.raises(ValueError):
        lab.bring(broken)
    new = lab.advance(METRICS)
    other = Fake("ingest", {"k": 2}, (METRICS,))
    lab.bring(other)
    assert other.calls == ["clear", "work"]
    assert (broken.seen, other.seen) == ([{"metrics": old}], [{"metrics": new}])
    assert lab.statuses("ingest") == ["running", "failed", "replaced", "running", "done"]


def test_a_finished_stage_with_other_settings_is_refused_key_by_key(lab):
    lab.bring(Fake("ingest", {"metric": "cosine", "levels": [{"k": 9}, {"k": 3}], "same": 1, "gone": None}))
    other = Fake("ingest", {"metric": "euclidean", "levels": [{"k": 9}, {"k": 4}, {"k": 2}], "same": 1})
    with pytest.raises(RunError) as caught:
        lab.bring(other)
    message = str(caught.value)
    for part in (
        "metric was 'cosine', is 'euclidean'",
        "levels.1.k was 3, is 4",
        "levels.2.k was None, is 2",
        "--force ingest",
        "another --run-id",
        "'run 1'",
    ):
        assert part in message
    assert "same" not in message and "levels.0" not in message
    assert other.calls == [] and lab.statuses("ingest") == ["running", "done"]


def test_another_version_of_the_code_is_refused(lab, monkeypatch):
    fake = Fake("ingest")
    lab.bring(fake)
    monkeypatch.setattr(runs, "__version__", "99.0")
    with pytest.raises(RunError, match="the version of Equipoise changed"):
        lab.bring(fake)
    assert fake.calls == ["work"]


def test_force_replaces_a_stage_and_all_that_stands_on_it(lab):
    names = ("ingest", "embed", "cluster", "select:kept", "select:gone")
    ingest, embed, _, kept, gone = stages = [Fake(name, {"k": 1}) for name in names]
    lab.bring_all(stages)

    changed = Fake("cluster", {"k": 2})
    lab.bring(changed, [ingest, embed, changed, kept], force=True)  # the config has lost a selection since
    assert changed.calls == ["clear", "work"]
    assert ingest.calls == embed.calls == ["work"]
    assert kept.calls == ["work", "clear"]
    for name in ("select:kept", "select:gone"):
        assert lab.statuses(name) == ["running", "done", "replaced"]

    now = [ingest, embed, changed, kept, gone]
    outcomes = lab.bring_all(now)
    assert [one.was_skipped for one in outcomes] == [True, True, True, False, False]
    assert kept.calls[-1] == gone.calls[-1] == "work"


def test_force_does_a_finished_stage_again_with_the_newest_inputs(lab):
    fake = Fake("ingest", {}, (METRICS,))
    lab.bring(fake)
    version = lab.advance(METRICS)
    lab.bring(fake, force=True)
    assert fake.calls == ["work", "clear", "work"]
    assert fake.seen[-1] == {"metrics": version}


def test_a_replacing_that_was_broken_off_is_taken_up_again(lab):
    """What is left of the old result must never be taken for the new one's beginning."""
    _, select = stages = [Fake("cluster", {"k": 1}), Fake("select:a")]
    lab.bring_all(stages)
    changed = Fake("cluster", {"k": 2}, clear_error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        lab.bring(changed, [changed, select], force=True)
    assert changed.calls == ["clear"]
    lab.bring(changed, [changed, select])
    assert changed.calls == ["clear", "clear", "work"]
    lab.bring(select, [changed, select])
    assert select.calls[-2:] == ["clear", "work"]


def test_a_stage_needs_those_before_it(lab):
    ingest, cluster = stages = [Fake("ingest"), Fake("cluster", {"k": 1})]
    with pytest.raises(RunError, match="run 'run 1' has not finished stage ingest, which cluster"):
        lab.bring(cluster, stages)
    ingest.error = ValueError()
    with pytest.raises(ValueError):
        lab.bring(ingest, stages)
    with pytest.raises(RunError, match="has not finished stage ingest"):
        lab.bring(cluster, stages)
    assert cluster.calls == []


def test_a_selection_can_be_added_and_changed_by_itself(lab):
    cluster, first = Fake("cluster"), Fake("select:first", {"target": 1})
    lab.bring_all([cluster, first])
    second = Fake("select:second", {"target": 2})
    outcomes = lab.bring_all([cluster, first, second])
    assert [one.was_skipped for one in outcomes] == [True, True, False]
    assert first.calls == second.calls == ["work"]

    changed = Fake("select:first", {"target": 3})
    with pytest.raises(RunError, match=r"stage select:first .*target was 1, is 3.*--force select"):
        lab.bring(changed, [cluster, changed, second])
    lab.bring(changed, [cluster, changed, second], force=True)
    assert lab.bring(second, [cluster, changed, second]).was_skipped


def test_a_later_stage_reads_what_an_earlier_one_read_except_where_that_one_wrote(lab):
    ingest = Fake("ingest", {}, (), (POOL, EMBEDDINGS))
    embed = Fake("embed", {}, (POOL, EMBEDDINGS), (EMBEDDINGS,))
    cluster = Fake("cluster", {}, (POOL, EMBEDDINGS))
    stages = [ingest, embed, cluster]
    lab.bring(ingest, stages)
    old = {table.name: lab.advance(table) for table in (POOL, EMBEDDINGS)}
    lab.bring(embed, stages)
    new = {table.name: lab.advance(table) for table in (POOL, EMBEDDINGS)}
    lab.bring(cluster, stages)
    assert (ingest.seen, embed.seen) == ([{}], [old])
    assert cluster.seen == [{"pool": old["pool"], "embeddings": new["embeddings"]}]


def test_what_came_before_is_part_of_the_fingerprint(lab):
    _, cluster = stages = [Fake("ingest", {"path": "a"}), Fake("cluster")]
    lab.bring_all(stages)
    (before,) = {row[Col.fingerprint] for row in lab.events("cluster")}
    moved = Fake("ingest", {"path": "b"})
    lab.bring(moved, [moved, cluster], force=True)
    lab.bring(cluster, [moved, cluster])
    assert lab.events("cluster")[-1][Col.fingerprint] != before
    assert cluster.calls.count("work") == 2


def test_runs_do_not_know_of_each_other(lab):
    lab.bring(Fake("ingest", {"k": 1}))
    lab.context = replace(lab.context, run_id="run 2")
    other = Fake("ingest", {"k": 2})
    assert not lab.bring(other).was_skipped
    assert other.calls == ["work"]


def test_what_only_judges_is_done_again_without_force_when_it_does_not_fit_any_more(lab):
    first, judge = Fake("select:a"), Fake("evaluate", {"top": 5}, (METRICS,), only_judges=True)
    lab.advance(METRICS)
    lab.bring_all([first, judge])
    assert lab.bring(judge, [first, judge]).was_skipped
    second = Fake("select:b")
    newest = lab.advance(METRICS)
    stages = [first, second, judge]
    assert [outcome.was_skipped for outcome in lab.bring_all(stages)] == [True, False, False]
    assert judge.calls == ["work", "clear", "work"]
    assert judge.seen[1] == {"metrics": newest}
    assert lab.statuses("evaluate") == ["running", "done", "replaced", "running", "done"]
    judge.settings = {"top": 6}
    assert [outcome.was_skipped for outcome in lab.bring_all(stages)] == [True, True, False]
    assert first.calls == second.calls == ["work"]


def test_what_only_judges_is_done_again_when_data_outside_changed_but_not_when_they_are_gone(lab):
    judge = Fake("benchmark", only_judges=True, outside={"raw.npz": 7, "unknown": None})
    lab.bring(judge)
    assert lab.bring(judge).was_skipped
    judge.outside = {"raw.npz": None, "unknown": None}
    assert lab.bring(judge).was_skipped
    judge.outside = {"raw.npz": 8, "unknown": None}
    assert not lab.bring(judge).was_skipped
    assert judge.calls == ["work", "clear", "work"]
    assert judge.seen == [{"raw.npz": 7}, {"raw.npz": 8}]


def test_a_stage_of_no_family_stands_alone(lab):
    stages = [Fake("ingest"), Fake("cluster")]
    apart = Fake("benchmark", {"rounds": 1})
    assert not lab.bring(apart, [*stages, apart]).was_skipped  # before all others
    lab.bring_all(stages)
    lab.bring(stages[0], stages, force=True)
    assert lab.statuses("cluster") == ["running", "done", "replaced"]
    assert lab.bring(apart, [*stages, apart]).was_skipped
    lab.bring(apart, [*stages, apart], force=True)
    assert lab.statuses("benchmark") == ["running", "done", "replaced", "running", "done"]
    assert lab.statuses("ingest")[-1] == "done"
    assert apart.calls == ["work", "clear", "work"]
