"""What a run did, read before Spark starts: from a workspace in a local folder, without a JVM."""

from datetime import UTC

from equipoise.pipeline.locating import is_local_alone
from equipoise.runs.record import Record, event_of
from equipoise.schemas import RUNS, Col
from equipoise.tables.local import local_folder, matching_rows


def early_record(workspace: str, run_id: str) -> Record | None:
    """The events of a run, none of a run that is new; None where Spark alone can tell."""
    folder = local_folder(workspace) if is_local_alone() else None
    rows = None if folder is None else matching_rows(folder, RUNS.name, Col.run_id, run_id)
    if rows is None:
        return None
    return Record([event_of(row | {Col.at: row[Col.at].replace(tzinfo=UTC)}) for row in rows])
