"""The copies that a run found, as a report shows them."""

from itertools import groupby

import numpy as np
from pyspark.sql import DataFrame, Row

from equipoise.evaluation.duplicates import duplicate_totals, largest_duplicates, similarity_counts
from equipoise.pipeline.frames import persisted
from equipoise.report.duplicates import DuplicateGroup, Duplicates
from equipoise.report.items import Item
from equipoise.runs.tables import RunTables
from equipoise.schemas import DUPLICATES, Col
from equipoise.studies.report.tree import read_items

DEDUPLICATE, THRESHOLD = "deduplicate", "threshold"
DUPLICATE_GROUPS, DUPLICATE_ITEMS, SIMILARITY_BINS = 8, 6, 200


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
