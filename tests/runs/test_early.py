"""The events of a run, read without Spark as Spark reads them."""

from equipoise.runs.account import Account
from equipoise.runs.early import early_record
from equipoise.runs.record import DONE, begun, ended
from equipoise.runs.run import read_record
from equipoise.schemas import RUNS, Slice
from equipoise.tables import Workspace
from runs.toys import node


def written(spark, workspace: Workspace, run_id: str) -> None:
    first = begun(node("toy:a", seed=3), "f", ["before"], {"pool": 4})
    account = Account(5, 3, 1, {"known": 1}, n_partitions=2, n_items=4)
    events = [first, ended(first, DONE, account=account, made={"pool/source=a": 5, "curated": None})]
    rows = [event.row(run_id, "application") for event in events]
    frame = spark.createDataFrame([tuple(row[name] for name in RUNS.schema.names) for row in rows], RUNS.schema)
    workspace.append(Slice(RUNS), frame)


def test_events_are_those_that_spark_reads(spark, tmp_path):
    workspace = Workspace(spark, str(tmp_path))
    for run_id in ("r", "other"):
        written(spark, workspace, run_id)
    record = early_record(str(tmp_path), "r")
    assert record is not None and record.get("toy:a").account.drops == {"known": 1}
    assert record.events == read_record(workspace, "r").events


def test_a_workspace_without_runs_has_none(tmp_path):
    for place in (tmp_path, tmp_path / "gone"):
        record = early_record(str(place), "r")
        assert record is not None and not record.events


def test_what_spark_alone_can_read_is_left_to_it(spark, tmp_path, monkeypatch):
    workspace = Workspace(spark, str(tmp_path))
    written(spark, workspace, "r")
    for place in ("hdfs:///w", "spark_catalog.curation"):
        assert early_record(place, "r") is None
    path = workspace.place(RUNS)
    spark.sql(f"alter table delta.`{path}` set tblproperties ('equipoise.schemaVersion' = '1')")
    assert early_record(str(tmp_path), "r") is None
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")
    assert early_record(str(tmp_path / "new"), "r") is None
