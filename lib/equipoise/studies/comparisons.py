"""What tells a comparison, and the runs that it made, from a user's own: a stage is not to work in them by mistake."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from equipoise.config import Config
from equipoise.errors import ConfigError, RunError
from equipoise.pipeline.locating import is_local_alone
from equipoise.runs.early import early_record
from equipoise.runs.record import Record
from equipoise.schemas import METRICS, Col
from equipoise.stages.cluster import CLUSTER
from equipoise.stages.select import SELECT
from equipoise.stages.select.section import Selection
from equipoise.studies.variants import clustering_part, selection_name, variant_runs
from equipoise.tables.local import local_folder, matching_rows

if TYPE_CHECKING:  # Spark takes seconds to import
    from pyspark.sql import SparkSession

STAGE = "compare"
"""Of the rows of ``metrics`` that a comparison writes."""


def refuse_early(config: Config, run_id: str) -> bool:
    """Refuses the id of a comparison, or of a run that one made; whether that could be told without Spark.

    Raises:
        RunError: it is one, or will be one of this config's.
    """
    folder = local_folder(config.workspace) if is_local_alone() else None
    rows = None if folder is None else matching_rows(folder, METRICS.name, Col.run_id, run_id)
    record = early_record(config.workspace, run_id)
    if rows is None or record is None:
        return False
    _refuse(config, run_id, record, is_comparison=any(row[Col.stage] == STAGE for row in rows))
    return True


def refuse_by_spark(config: Config, run_id: str, spark: "SparkSession") -> None:
    """The same in any workspace.

    Raises:
        RunError: it is one.
    """
    from equipoise.runs.run import read_record
    from equipoise.schemas import Slice
    from equipoise.tables import Workspace

    workspace = Workspace(spark, config.workspace)
    metrics = workspace.read(Slice(METRICS, {Col.stage: STAGE}).of_run(run_id))
    _refuse(config, run_id, read_record(workspace, run_id), is_comparison=not metrics.isEmpty())


def _refuse(config: Config, run_id: str, record: Record, *, is_comparison: bool) -> None:
    if is_comparison:
        raise RunError(
            f"--run-id {run_id!r} is a comparison of this workspace, which has metrics and no stages: pass another id, "
            f"or none for a new run; to compare again: equipoise compare --run-id {run_id}"
        )
    if _is_of_comparison(run_id, record) or run_id in _ids_of(config):
        raise RunError(
            f"--run-id {run_id!r} is a run that equipoise compare makes for its methods, and goes on with itself: pass "
            "another id, or none for a new run; its tables are read by this id as those of any run"
        )


def _is_of_comparison(run_id: str, record: Record) -> bool:
    """Whether a run is called by its clustering, or a selection of it by its rules: no user makes such names."""
    cluster = record.get(CLUSTER.family)
    if cluster is not None and run_id.endswith(f"-{clustering_part(cluster.fingerprint)}"):
        return True
    events = [event for event in record.events if event.stage.startswith(f"{SELECT.family}:")]
    return any(_is_of_method(json.loads(event.config)) for event in events)


def _is_of_method(settings: Mapping[str, Any]) -> bool:
    known = {key: value for key, value in settings.items() if key in Selection.model_fields}
    try:
        selection = Selection.model_validate(known)
    except ValidationError:  # of another version of the package
        return False
    return selection.name == selection_name(selection, selection.name.rpartition("-")[0])


def _ids_of(config: Config) -> set[str]:
    """Those of the runs that a comparison of this config would make; none where it cannot be compared."""
    try:
        return {run.run_id for run in variant_runs(config)} if config.compare else set()
    except ConfigError:  # which stages are not to fail of
        return set()
