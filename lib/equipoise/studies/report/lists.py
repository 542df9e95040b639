"""The shorter parts of a report: selections, rejects."""

from itertools import groupby

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from equipoise.evaluation.rejected import rejected_examples
from equipoise.report.content import Rejects, SelectionFacts
from equipoise.report.thumbnails import snippet
from equipoise.runs.tables import RunTables
from equipoise.schemas import REJECTS, Col
from equipoise.studies.report.run import SELECT, rule_of

EXAMPLES_OF_A_REASON = 3


def read_selections(run: RunTables, curated: DataFrame) -> list[SelectionFacts]:
    """The finished selections in the order in which they were made."""
    sizes = curated.groupBy(Col.selection).agg(F.count("*").alias(Col.n_items), F.sum(Col.copies).alias(Col.copies))
    counts = {row[Col.selection]: (row[Col.n_items], row[Col.copies]) for row in sizes.collect()}  # a row a selection
    return [
        SelectionFacts(str(settings["name"]), rule_of(settings), *counts.get(settings["name"], (0, 0)))
        for settings in map(run.settings, run.done(SELECT))
    ]


def read_rejects(run: RunTables) -> list[Rejects]:
    """Reasons with a few items each, the most frequent first."""
    rows = rejected_examples(run.rows(REJECTS), EXAMPLES_OF_A_REASON).collect()  # so many a reason; reasons are few

    def reason(row: Row) -> tuple[int, str, str]:
        return -row[Col.n_items], row[Col.stage], row[Col.reason]

    found = []
    for (negative, stage, name), same in groupby(sorted(rows, key=lambda row: (reason(row), row[Col.rank])), reason):
        named = [(snippet(str(row[Col.uri] or row[Col.item_id])), snippet(row[Col.detail] or "")) for row in same]
        found.append(Rejects(stage, name, -negative, named))
    return found
