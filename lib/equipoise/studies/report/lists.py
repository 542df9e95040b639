"""The shorter parts of a report: selections, rejects, duplicates."""

from itertools import groupby

import numpy as np
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from equipoise.evaluation.duplicates import duplicate_totals, largest_duplicates, similarity_counts
from equipoise.evaluation.rejected import rejected_examples
from equipoise.pipeline.frames import persisted
from equipoise.report.content import DuplicateGroup, Duplicates, Item, Rejects, SelectionFacts
from equipoise.report.thumbnails import snippet
from equipoise.runs.tables import RunTables
from equipoise.schemas import DUPLICATES, REJECTS, Col
from equipoise.studies.report.run import SELECT, rule_of
from equipoise.studies.report.tree import read_items

EXAMPLES_OF_A_REASON = 3
DEDUPLICATE, THRESHOLD = "deduplicate", "threshold"
DUPLICATE_GROUPS, DUPLICATE_ITEMS, SIMILARITY_BINS = 8, 6, 200


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


def read_duplicates(run: RunTables, *, curated: DataFrame) -> Duplicates | None:
    """The duplicates of the run; None where it looked for none."""
    if not run.workspace.exists(DUPLICATES):
        return None
    with persisted(run.rows(DUPLICATES)) as duplicates:
        totals = duplicate_totals(duplicates).collect()[0]  # one row
        if not totals[Col.n_items]:
            return None
        counted = {
            row[Col.bucket]: row[Col.n_items] for row in similarity_counts(duplicates, SIMILARITY_BINS).collect()
        }
        largest = largest_duplicates(duplicates, groups=DUPLICATE_GROUPS, items=DUPLICATE_ITEMS).collect()
    first, last = (min(counted), max(counted)) if counted else (0, 0)
    edges = np.linspace(-1, 1, SIMILARITY_BINS + 1)
    return Duplicates(
        n_items=totals[Col.n_items],
        n_groups=totals[Col.n_groups],
        n_removed=totals[Col.n_rejected],
        groups=_groups(largest, read_items(run, [row[Col.item_id] for row in largest], curated=curated)),
        edges=edges[first : last + 2].tolist(),
        counts=[counted.get(number, 0) for number in range(first, last + 1)],
        threshold=run.settings(DEDUPLICATE).get(THRESHOLD),
    )


def _groups(largest: list[Row], items: dict[int, Item]) -> list[DuplicateGroup]:
    def size(row: Row) -> tuple[int, str, int]:
        return -row[Col.n_items], row[Col.stage], row[Col.component_id]

    groups = []
    for (negative, *_), rows in groupby(sorted(largest, key=lambda row: (size(row), row[Col.rank])), size):
        members = list(rows)
        kept = next((items[row[Col.item_id]] for row in members if row[Col.is_kept]), None)
        others = [(items[row[Col.item_id]], row[Col.similarity]) for row in members if not row[Col.is_kept]]
        groups.append(DuplicateGroup(-negative, kept, others))
    return groups
