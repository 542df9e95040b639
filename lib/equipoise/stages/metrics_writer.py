"""The only way into the table ``metrics``."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from equipoise.runs.context import StageContext
from equipoise.schemas import METRICS, Col


def write_metrics(
    context: StageContext, metrics: pd.DataFrame, names: Sequence[str], *, within: Mapping[str, Any] | None = None
) -> None:
    """Puts rows (selection, name, group, value) in the place of those of ``names`` that the run has.

    ``within`` are values of columns (a list: any of them) that all rows have: those of other values stay.
    """
    run = metrics.assign(**{Col.run_id: context.run_id})[METRICS.columns]
    rows = context.spark.createDataFrame(run, METRICS.schema)
    context.workspace.replace(METRICS, rows, where={Col.run_id: context.run_id, Col.name: names, **(within or {})})
