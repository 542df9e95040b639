"""A few items of a few clusters, and what people see of them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as t

from equipoise.encoders.base import UnreadableItem
from equipoise.encoders.images import quiet_pillow
from equipoise.kernels.draws import Purpose
from equipoise.pipeline.content import READERS, content_of
from equipoise.pipeline.pieces import BYTES_OF_BATCH, in_pieces, whole
from equipoise.pipeline.quotas import draw_of, ranked_by
from equipoise.schemas import Col

EXAMPLES = ("closest", "random", "farthest")

Preview = Callable[[bytes], tuple[bytes | None, str | None]]


def members_of(assignments: DataFrame, cluster_ids: Sequence[int]) -> DataFrame:
    """Keep the items of a few level-1 clusters (a few thousand at most): item_id, cluster_id, distance_sq."""
    shown = assignments.sparkSession.createDataFrame([(one,) for one in cluster_ids], f"{Col.cluster_id} bigint")
    kept = assignments.join(F.broadcast(shown), Col.cluster_id, "left_semi")
    return kept.select(Col.item_id, Col.cluster_id, Col.distance_sq)


def examples(members: DataFrame, *, n: int, seed: int) -> DataFrame:
    """Take the ``n`` closest, ``n`` random and ``n`` farthest items of every cluster; an item may be of all three.

    Args:
        members: item_id BIGINT, cluster_id BIGINT, distance_sq FLOAT; read three times, so best persisted.
        n: items of each kind and cluster.
        seed: of the random ones.

    Returns:
        example STRING, cluster_id, rank INT (1 to n), item_id, distance_sq.
    """
    orders = {
        "closest": F.col(Col.distance_sq).asc(),
        "random": draw_of(seed, Purpose.PICTURE, F.col(Col.item_id)).asc(),
        "farthest": F.col(Col.distance_sq).desc(),
    }

    def first(kind: str) -> DataFrame:
        rank = F.row_number().over(ranked_by(orders[kind], Col.item_id, Col.cluster_id))
        ranked = members.withColumn(Col.rank, rank).where(F.col(Col.rank) <= n)
        kinds = F.lit(kind).alias(Col.example)
        return ranked.select(kinds, Col.cluster_id, Col.rank, Col.item_id, Col.distance_sq)

    return reduce(DataFrame.unionByName, (first(kind) for kind in EXAMPLES))


def previews(items: DataFrame, make: Preview) -> DataFrame:
    """Read the contents of items and keep of each what ``make`` makes of it: contents stay on the executors.

    Args:
        items: rows of the pool; the partitions are the tasks.
        make: content -> (thumbnail or None, snippet or None); pickled to the workers.

    Returns:
        item_id BIGINT, key, label, uri STRING, thumbnail BINARY, snippet STRING; null where there is nothing to see,
        or where one item cannot be read or raises anything.
    """
    told = items.select(Col.item_id, Col.key, Col.label, Col.uri, Col.content)
    added = [t.StructField(Col.thumbnail, t.BinaryType()), t.StructField(Col.snippet, t.StringType())]
    schema = t.StructType([*(field for field in told.schema if field.name != Col.content), *added])
    return in_pieces(told).mapInArrow(partial(_seen, make=make), schema)  # type: ignore[arg-type]


def _seen(batches: Iterable[pa.RecordBatch], *, make: Preview) -> Iterator[pa.RecordBatch]:
    with quiet_pillow(), ThreadPoolExecutor(READERS) as readers:
        for rows, contents in whole(batches, n_rows=READERS, n_bytes=BYTES_OF_BATCH):
            uris = rows.column(Col.uri).to_pylist()
            # Read at once, decoded one after the other: pictures are a hundred times their files.
            views = [_view(make, content) for content in readers.map(_content, uris, contents)]
            columns = {name: rows.column(name) for name in (Col.item_id, Col.key, Col.label, Col.uri)}
            thumbnails, snippets = zip(*views, strict=True)
            columns |= {Col.thumbnail: pa.array(thumbnails, pa.binary()), Col.snippet: pa.array(snippets, pa.string())}
            yield pa.RecordBatch.from_pydict(columns)


def _content(uri: str | None, content: bytes | None) -> bytes | None:
    try:
        return content_of(uri, content)
    except UnreadableItem:
        return None


def _view(make: Preview, content: bytes | None) -> tuple[bytes | None, str | None]:
    try:
        return (None, None) if content is None else make(content)
    except Exception:  # one item never ends a report: there is nothing to see of it
        return None, None
