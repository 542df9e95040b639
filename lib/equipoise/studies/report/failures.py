"""The worst retrievals of a benchmark, as a report shows them: query, prediction and correct item side by side."""

from collections.abc import Sequence
from functools import partial

from pyspark.sql import Row
from pyspark.sql import functions as F

from equipoise.pipeline.examples import previews
from equipoise.report.content import Failure
from equipoise.report.items import Item
from equipoise.report.thumbnails import is_image_name, preview, snippet
from equipoise.runs.tables import RunTables
from equipoise.schemas import FAILURES, Col
from equipoise.studies.report.tree import LARGEST_PREVIEW

FAILURES_OF_A_MODEL, MOST_FAILURES = 10, 60


def read_failures(run: RunTables) -> list[Failure]:
    """The first failures of every model and benchmark, as many of each as there is room for.

    What the table has of an item is a picture's path or uri, or a text: pictures that can be read are shown as such.
    """
    rows = run.rows(FAILURES).filter(F.col(Col.rank) <= FAILURES_OF_A_MODEL)
    first = rows.orderBy(Col.rank, Col.group, Col.selection).limit(MOST_FAILURES).collect()  # the limit bounds it
    seen = _thumbnails(run, first)

    def shown(row: Row, id_column: str, column: str) -> Item:
        text, item_id = row[column], snippet(str(row[id_column]))
        if not text:
            return Item(item_id)
        thumbnail = seen.get(text)
        return Item(
            item_id,
            thumbnail=thumbnail,
            snippet=None if thumbnail else snippet(text),
            uri=snippet(text) if thumbnail else None,
        )

    return [
        Failure(
            row[Col.selection],
            row[Col.group],
            row[Col.rank],
            shown(row, Col.query_id, Col.query_shown),
            shown(row, Col.predicted_id, Col.predicted_shown),
            shown(row, Col.correct_id, Col.correct_shown),
            row[Col.predicted_distance],
            row[Col.correct_distance],
        )
        for row in sorted(first, key=lambda row: (row[Col.group], row[Col.selection], row[Col.rank]))
    ]


def _thumbnails(run: RunTables, rows: Sequence[Row]) -> dict[str, bytes]:
    """Those of the pictures that can be read, by path or uri. The executors read them."""
    columns = (Col.query_shown, Col.predicted_shown, Col.correct_shown)
    uris = sorted({row[name] for row in rows for name in columns if row[name] and is_image_name(row[name])})
    if not uris:
        return {}
    none = f"{Col.key} string, {Col.label} string, {Col.content} binary, `{Col.n_bytes}` bigint"
    rows_of_uris = [(place, uri, None, None, None, None) for place, uri in enumerate(uris)]
    items = run.spark.createDataFrame(rows_of_uris, f"{Col.item_id} bigint, {Col.uri} string, {none}")
    made = previews(items, partial(preview, most_bytes=LARGEST_PREVIEW)).filter(F.col(Col.thumbnail).isNotNull())
    return {row[Col.uri]: bytes(row[Col.thumbnail]) for row in made.collect()}  # three a failure
