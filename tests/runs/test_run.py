"""A run: what is written of it, what is replaced, and who goes on where another process stopped."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from pyspark.sql import functions as F

from equipoise import __version__
from equipoise.errors import RunError
from equipoise.runs.account import SILENT, Account
from equipoise.runs.record import begun
from equipoise.runs.run import Run
from equipoise.runs.steps import State
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CURATED, EMBEDDINGS, POOL, REJECTS, RUNS, Col, Slice
from equipoise.tables import Workspace
from runs import toys
from runs.toys import ACCOUNT, graph_of, node, part, pipeline
from stages.fakes import MemoryWorkspace


@dataclass
class Lab:
    """One run id; every call is a process of its own: it knows only what the tables say."""

    spark: object
    workspace: Workspace
    run_id: str = "run 1"
    calls: toys.Calls = field(default_factory=toys.Calls)

    def run(self, *nodes):
        return Run(graph_of(*nodes), spark=self.spark, workspace=self.workspace, run_id=self.run_id, progress=SILENT)

    def bring(self, nodes, targets=None, force=()):
        run = self.run(*nodes)
        return list(run.bring(targets or [one.name for one in nodes], force))

    def events(self, stage=None):
        rows = self.workspace.read(Slice(RUNS, {Col.run_id: self.run_id}))
        return [row for row in rows.orderBy(Col.at).collect() if stage in (None, row[Col.stage])]

    def statuses(self, stage):
        return [row[Col.status] for row in self.events(stage)]

    def write(self, table, n=1, **where):
        """What a work may do: rows in its slice."""

        def act(context):
            rows = self.spark.range(n).select(F.col("id").alias(Col.item_id))
            context.write(table, rows, **where) if table.is_of_run else context.append(table, rows)

        return act

    def n_rows(self, table, **where):
        return self.workspace.read(Slice(table, where).of_run(self.run_id)).count()


ON_DELTA = pytest.mark.parametrize("lab", ["delta"], indirect=True)


@pytest.fixture
def lab(spark, tmp_path, monkeypatch, request):
    on_delta = getattr(request, "param", None) == "delta"
    made = Lab(spark, Workspace(spark, str(tmp_path)) if on_delta else MemoryWorkspace(spark))
    monkeypatch.setattr(toys, "CALLS", made.calls)
    return made


def raises(error):
    def act(context):
        raise error

    return act


@ON_DELTA
def test_a_new_node_runs_once_and_is_skipped_when_it_is_done(lab):
    one = node("ingest", {"path": "p"}, seed=5, makes=(part(POOL, source="s"), part(ASSIGNMENTS)))
    lab.calls.on["ingest"] = lab.write(POOL)
    (first,) = lab.bring([one])
    assert (first.stage, first.account, first.was_skipped) == ("ingest", ACCOUNT, False)
    running, done = lab.events()
    assert (running[Col.status], done[Col.status]) == ("running", "done")
    for row in (running, done):
        assert json.loads(row[Col.config]) == {"value": {"path": "p"}}
        assert (row[Col.seed], row[Col.code_version]) == (5, __version__)
        assert row[Col.application_id] == lab.spark.sparkContext.applicationId
        assert row[Col.fingerprint] == running[Col.fingerprint] != ""
    assert running[Col.n_in] is None
    counts = (Col.n_in, Col.n_out, Col.n_rejected, Col.n_dropped, Col.n_items)
    assert [done[name] for name in counts] == [10, 6, 1, 3, 6]
    assert done[Col.made] == {"pool/source=s": 0, "assignments": None}  # of what is shared, the version that it left

    (again,) = lab.bring([one])
    assert (again.account, again.was_skipped) == (replace(ACCOUNT, n_items=6), True)
    assert lab.calls.count("ingest") == 1 and len(lab.events()) == 2


@pytest.mark.parametrize("error, last", [(ValueError("no"), ["running", "failed"]), (KeyboardInterrupt(), ["running"])])
def test_a_broken_node_goes_on_from_the_versions_of_its_first_attempt(lab, error, last):
    one = node("embed", makes=(part(POOL, source="s"),))
    lab.bring([node("before", makes=(part(POOL, source="t"),))])
    lab.workspace.append(Slice(POOL, {Col.source: "t"}), lab.spark.range(1).select(F.col("id").alias(Col.item_id)))
    lab.calls.on["embed"] = raises(error)
    with pytest.raises(type(error)):
        lab.bring([one])
    assert lab.statuses("embed") == last
    first = lab.calls.contexts["embed"]
    assert first.is_first_attempt and first.pins == {"pool": 0}
    lab.workspace.append(Slice(POOL, {Col.source: "t"}), lab.spark.range(1).select(F.col("id").alias(Col.item_id)))
    lab.bring([one])
    second = lab.calls.contexts["embed"]
    assert not second.is_first_attempt and second.pins == {"pool": 0}


def test_a_broken_node_with_other_settings_is_done_anew_without_what_it_left(lab):
    def one(value):
        return node("select:a", value, makes=(part(CURATED, selection="a"),))

    def half(context):
        lab.write(CURATED, 3)(context)
        raise ValueError

    lab.calls.on["select:a"] = half
    with pytest.raises(ValueError):
        lab.bring([one(1)])
    assert lab.n_rows(CURATED) == 3
    lab.bring([one(2)])
    assert lab.n_rows(CURATED) == 0
    assert lab.calls.contexts["select:a"].is_first_attempt
    assert lab.statuses("select:a") == ["running", "failed", "replaced", "removed", "running", "done"]


def test_a_finished_node_with_other_settings_is_refused_before_any_work(lab):
    lab.bring(pipeline())
    changed = pipeline(b=2)
    with pytest.raises(RunError, match=r"stage select:b of run 'run 1' .*value was None, is 2.*--force select"):
        lab.bring([*changed, node("last")])
    assert lab.calls.count("last") == 0 and lab.statuses("select:b") == ["running", "done"]


@ON_DELTA
def test_force_replaces_a_node_and_all_that_stands_on_it_those_that_the_config_lost_included(lab):
    writes = {"select:a": ("a", 2), "select:b": ("b", 3)}
    for name, (selection, n) in writes.items():
        lab.calls.on[name] = lab.write(CURATED, n, selection=selection)
    lab.bring(pipeline())
    assert lab.n_rows(CURATED) == 5
    lost = [one for one in pipeline(cluster=2) if one.name not in ("select:b", "evaluate")]
    outcomes = lab.bring(lost, ["ingest", "cluster"], force=("cluster",))
    assert [one.was_skipped for one in outcomes] == [True, False]
    assert lab.n_rows(CURATED) == 0
    for name in ("select:a", "select:b", "evaluate"):
        assert lab.statuses(name) == ["running", "done", "replaced", "removed"]
    assert lab.statuses("benchmark") == ["running", "done"]
    assert [one.was_skipped for one in lab.bring(lost)] == [True, True, False, True]


def test_a_replacing_that_was_broken_off_is_taken_up_again(lab, monkeypatch):
    """What is left of the old result must never be taken for the new one's beginning."""
    lab.calls.on["select:a"] = lab.write(CURATED, 2)
    lab.bring(pipeline())
    with monkeypatch.context() as broken:
        broken.setattr(lab.workspace, "clear", raises(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            lab.bring(pipeline(cluster=2), ["cluster"], force=("cluster",))
    assert lab.n_rows(CURATED) == 2 and lab.calls.count("cluster") == 1
    lab.bring(pipeline(cluster=2))
    assert lab.n_rows(CURATED) == 0 and lab.calls.count("cluster") == 2


def test_what_other_runs_share_goes_by_force_alone_and_for_good(lab, monkeypatch):
    def ingest(value):
        return node("ingest", value, makes=(part(POOL, source="s"),))

    def written(context):
        lab.workspace.append(context.own(POOL), lab.spark.range(2).select(F.col("id").alias(Col.item_id)))
        raise ValueError

    lab.calls.on["ingest"] = written
    with pytest.raises(ValueError):
        lab.bring([ingest(1)])
    lab.bring([ingest(2)])  # other settings: done again, and the pool keeps what it has
    assert lab.workspace.read(POOL).count() == 2
    with monkeypatch.context() as broken:
        broken.setattr(lab.workspace, "clear", raises(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            lab.bring([ingest(2)], force=("ingest",))
    assert lab.statuses("ingest")[-1] == "forgotten"
    lab.bring([ingest(2)])  # the next process ends what that one began
    assert lab.workspace.read(POOL).count() == 0


def test_what_was_removed_once_is_not_removed_again(lab):
    """What another run adds to a shared slice after that stays, and what was made for another encoder does, too."""
    pool = part(POOL, source="s")
    nodes = [
        node("before", makes=(part(CURATED, selection="x"),)),
        node("ingest", needs=(part(CURATED, selection="x"),), makes=(pool,)),
    ]
    lab.calls.on["ingest"] = lab.write(POOL, 2)
    lab.bring(nodes)
    lab.bring(nodes, ["before"], force=("before",))
    assert lab.workspace.read(POOL).count() == 0 and lab.statuses("ingest")[-2:] == ["forgotten", "removed"]
    lab.workspace.append(pool, lab.spark.range(3).select(F.col("id").alias(Col.item_id)))
    lab.bring(nodes)
    assert lab.workspace.read(POOL).count() == 3
    other = part(POOL, source="other")
    lab.workspace.append(other, lab.spark.range(9).select(F.col("id").alias(Col.item_id)))
    lab.bring([nodes[0], replace(nodes[1], makes=(other,))], force=("before",))
    assert lab.workspace.read(POOL).count() == 12


def test_rows_of_what_the_config_lost_go_although_who_removed_them_was_killed(lab, monkeypatch):
    lab.calls.on["select:a"] = lab.write(CURATED, 2)
    lab.bring(pipeline())
    without = [one for one in pipeline() if one.name not in ("select:a", "evaluate")]
    with monkeypatch.context() as broken:
        broken.setattr(lab.workspace, "clear", raises(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            lab.bring(without, force=("cluster",))
    lab.bring(without)
    assert lab.n_rows(CURATED) == 0 and lab.statuses("select:a")[-1] == "removed"


def test_rows_that_are_not_accounted_for_end_the_run(lab):
    lab.calls.on["ingest"] = lambda context: Account(5, 3, 1)
    with pytest.raises(RunError, match=r"stage ingest took 5 items and accounts for 4 \(5 in, 3 out, 1 rejected\)"):
        lab.bring(pipeline())
    assert lab.statuses("ingest") == ["running", "failed"]


def test_of_a_clock_that_is_behind_the_newest_event_is_still_the_last(lab, monkeypatch):
    lab.bring(pipeline())
    late = lab.events("ingest")[-1][Col.at]
    began = begun

    def behind(*arguments):
        return replace(began(*arguments), at=datetime(2000, 1, 1, tzinfo=UTC))

    monkeypatch.setattr("equipoise.runs.run.begun", behind)
    lab.calls.on["ingest"] = raises(ValueError())
    with pytest.raises(ValueError):
        lab.bring(pipeline(), ["ingest"], force=("ingest",))
    assert lab.statuses("ingest")[-2:] == ["running", "failed"] and lab.events("ingest")[-2][Col.at] > late


def test_items_and_vectors_that_go_on_are_without_what_nodes_before_dropped(lab):
    """What other runs have in the same slices is none of this run's."""
    pool, vectors = part(POOL, source="s"), part(EMBEDDINGS, encoder_id="e", source="s")
    screened, rejected = part(REJECTS, stage="screen"), part(REJECTS, stage="embed")
    seen = {}

    def ids(*numbers):
        return lab.spark.createDataFrame([(number,) for number in numbers], "item_id long")

    def ingest(context):
        context.append(POOL, ids(1, 2, 3, 4, 5))
        return Account(5, 5)

    def screen(context):
        context.write(REJECTS, ids(1, 2))
        return Account(5, 3, 2)

    def embed(context):
        assert context.n_items() == 3
        seen["embed"] = {row[0] for row in context.items().select(Col.item_id).collect()}
        # another run has 1, which it does not screen, and its own 9 in the pool
        lab.workspace.append(pool, ids(9))
        context.append(EMBEDDINGS, ids(1, 3, 4, 9).withColumn(Col.embedding, F.array(F.lit(1.0))))
        context.write(REJECTS, ids(5))
        return Account(3, 2, 1)

    def cluster(context):
        seen["cluster"] = {row[0] for row in context.items().select(Col.item_id).collect()}
        seen["vectors"] = {row[0] for row in context.vectors().collect()}
        seen["n_vectors"] = context.n_vectors()

    lab.calls.on |= {"ingest": ingest, "screen": screen, "embed": embed, "cluster": cluster}
    common = {"sources": ("s",), "needs": (pool,)}
    lab.bring([
        node("ingest", sources=("s",), makes=(pool,)),
        node("screen", **common, makes=(screened,), drops=screened, is_sieve=True),
        node("embed", **common, after=("screen",), makes=(vectors, rejected), drops=rejected),
        node("cluster", sources=("s",), needs=(vectors, pool), after=("screen",), makes=(part(CENTROIDS),)),
    ])  # fmt: skip
    assert (seen["embed"], seen["cluster"], seen["n_vectors"]) == ({3, 4, 5}, {3, 4}, 2)
    assert seen["vectors"] >= {3, 4} and 1 not in seen["vectors"]


def test_a_node_needs_those_before_it(lab):
    with pytest.raises(RunError, match="run 'run 1' has not finished stage ingest, which cluster stands on"):
        lab.bring(pipeline(), ["cluster"])
    lab.calls.on["ingest"] = raises(ValueError())
    with pytest.raises(ValueError):
        lab.bring(pipeline(), ["ingest"])
    with pytest.raises(RunError, match="has not finished stage ingest"):
        lab.bring(pipeline(), ["cluster"])
    assert lab.calls.count("cluster") == 0


def test_a_selection_can_be_added_and_changed_by_itself(lab):
    first = [one for one in pipeline() if one.name not in ("select:b", "evaluate")]
    lab.bring(first)
    outcomes = {one.stage: one.was_skipped for one in lab.bring(pipeline())}
    assert outcomes == {
        "ingest": True, "cluster": True, "select:a": True, "select:b": False, "evaluate": False, "benchmark": True,
    }  # fmt: skip
    outcomes = {one.stage: one.was_skipped for one in lab.bring(pipeline(a=3), force=("select",))}
    assert [name for name, was_skipped in outcomes.items() if not was_skipped] == ["select:a", "select:b", "evaluate"]


def test_what_judges_is_done_again_unasked(lab):
    lab.bring(pipeline())
    outcomes = lab.bring(pipeline(evaluate=6))
    assert [one.stage for one in outcomes if not one.was_skipped] == ["evaluate"]
    assert lab.statuses("evaluate") == ["running", "done", "replaced", "removed", "running", "done"]


def test_runs_do_not_know_of_each_other(lab):
    lab.bring([node("ingest", 1)])
    lab.run_id = "run 2"
    assert not lab.bring([node("ingest", 2)])[0].was_skipped


def test_a_shared_slice_is_read_as_its_maker_left_it(lab):
    made = part(POOL, source="s")
    lab.calls.on["ingest"] = lab.write(POOL, 2)
    nodes = [node("ingest", makes=(made,)), node("cluster", needs=(made,), sources=("s",))]
    lab.bring(nodes, ["ingest"])
    lab.workspace.append(made, lab.spark.range(9).select(F.col("id").alias(Col.item_id)))  # another run
    lab.calls.on["cluster"] = lambda context: lab.calls.names.append(f"{context.rows(POOL).count()} rows")
    lab.bring(nodes)
    assert lab.calls.names[-1] == "2 rows"


def test_a_work_reads_and_writes_only_what_its_node_declared(lab):
    made = part(POOL, source="s")
    nodes = [node("ingest", makes=(made,)), node("cluster", needs=(made,), makes=(part(ASSIGNMENTS),))]
    lab.bring(nodes)
    context = lab.calls.contexts["cluster"]
    with pytest.raises(AssertionError, match="cluster did not declare that it needs curated"):
        context.rows(CURATED)
    with pytest.raises(AssertionError, match="cluster did not declare that it makes pool"):
        context.own(POOL)
    assert context.own(ASSIGNMENTS).where == {Col.run_id: "run 1"}


def test_steps_write_nothing(lab):
    lab.bring(pipeline(), ["ingest"])
    before = len(lab.events())
    steps = lab.run(*pipeline(cluster=3)).steps()
    assert (steps["ingest"].state, steps["cluster"].state) == (State.DONE, State.TO_DO)
    assert len(lab.events()) == before


def test_jobs_of_spark_carry_the_name_of_their_node(lab):
    lab.calls.on["ingest"] = lambda context: context.spark.range(3).count()
    lab.bring([node("ingest")])
    tracker = lab.spark.sparkContext.statusTracker()
    assert len(tracker.getJobIdsForGroup("run 1/ingest")) > 0
    lab.spark.range(3).count()
    assert lab.spark.sparkContext.getLocalProperty("spark.jobGroup.id") is None


def test_an_event_of_a_node_that_was_done_is_written_although_the_next_one_fails(lab):
    lab.calls.on["cluster"] = raises(ValueError())
    with pytest.raises(ValueError):
        lab.bring(pipeline())
    assert lab.statuses("ingest") == ["running", "done"] and lab.statuses("cluster") == ["running", "failed"]


def test_checks_come_before_any_work(lab):
    first, last = node("ingest"), replace(node("cluster"), check="runs.test_run:refuse")
    with pytest.raises(RunError, match="refused"):
        lab.bring([first, last])
    assert lab.calls.names == []


def refuse(settings):
    """The check of the test above."""
    raise RunError("refused")
