"""Contents on their way to the tasks: in pieces, so that no Arrow batch is large, however large one content is.

Spark 3.5 bounds a batch by its rows alone, 10,000 as it comes: with contents of 60 MB that is beyond Arrow's 2 GiB, and
beyond any memory. Of small pieces so many are a batch of a known size. Spark 4 bounds the bytes, too, but for the last
row of a batch: there pieces are large.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.pipeline.together import together
from equipoise.schemas import Col

BYTES_OF_BATCH = 64 << 20
"""Of pieces that cross together, at most."""
_ROWS, _BYTES = (f"spark.sql.execution.arrow.{name}" for name in ("maxRecordsPerBatch", "maxBytesPerBatch"))
_NO_BOUND = 1 << 30
_UNITS = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50}
_FEWEST_BYTES = 1 << 10
_USUAL_ROWS = 10_000


def in_pieces(items: DataFrame) -> DataFrame:
    """The items, ``content`` cut into rows of one ``piece`` (0 to ``n_pieces`` - 1) each, which follow each other.

    All other columns are repeated.
    """
    n_bytes = _bytes_of_piece(items.sparkSession)
    others = [name for name in items.columns if name != Col.content]
    size = F.length(Col.content)
    counted = F.greatest(F.lit(1), F.ceil(size / F.lit(n_bytes))).cast("int")  # greatest passes over null
    # Bound to a variable first: Spark would make the content anew for each piece where an expression makes it. And one
    # array of all pieces: a row for each that had the whole content beside it would copy it as often.
    cut_up = f"transform(sequence(1, greatest(length(whole), 1), {n_bytes}), at -> substring(whole, at, {n_bytes}))"
    pieces = F.expr(f"transform(array({Col.content}), whole -> {cut_up})[0]")
    cut = items.select(*others, counted.alias(Col.n_pieces), pieces.alias(Col.content))
    exploded = cut.select(*others, Col.n_pieces, F.posexplode_outer(Col.content).alias(Col.piece, Col.content))
    number = F.coalesce(F.col(Col.piece), F.lit(0))  # no content is one piece, which is null
    return exploded.select(*others, Col.n_pieces, number.alias(Col.piece), Col.content)


def _bytes_of_piece(spark: SparkSession) -> int:
    """So that a batch of as many rows as the session allows is no larger than :data:`BYTES_OF_BATCH`."""
    is_bounded = int(spark.version.partition(".")[0]) >= 4 and _n_bytes(spark.conf.get(_BYTES) or "0") < _NO_BOUND
    if is_bounded:
        return BYTES_OF_BATCH
    allowed = int(spark.conf.get(_ROWS) or 0)
    return max(_FEWEST_BYTES, BYTES_OF_BATCH // (allowed if allowed > 0 else _USUAL_ROWS))


def _n_bytes(size: str) -> int:
    """As Spark writes sizes: ``64m``, ``67108864b``."""
    number = size.strip().lower().removesuffix("b")
    return int(number) if number.isdecimal() else int(number[:-1]) << _UNITS[number[-1]]


def whole(
    batches: Iterable[pa.RecordBatch], *, n_rows: int, n_bytes: int
) -> Iterator[tuple[pa.RecordBatch, list[bytes | None]]]:
    """Puts pieces together: rows without their content, and the contents beside them.

    Args:
        batches: of :func:`in_pieces`.
        n_rows: items that are given out together, at most.
        n_bytes: of their contents, at most, or one item.
    """
    begun: list[bytes] = []
    for batch in filter(len, batches):
        pieces, counts = (batch.column(name).to_numpy() for name in (Col.piece, Col.n_pieces))
        last = np.flatnonzero(pieces == counts - 1)
        contents = _joined(batch.column(Col.content), last, begun)
        yield from _cut(batch, last, contents, n_rows=n_rows, n_bytes=n_bytes)


def _joined(pieces: pa.Array, last: NDArray[np.intp], begun: list[bytes]) -> Iterator[bytes | None]:
    """The contents whose last pieces are here; ``begun`` has what came of the first, and takes what the next lacks.

    Pieces that follow each other lie beside each other: no piece is looked at.
    """
    wide = np.int64 if pa.types.is_large_binary(pieces.type) else np.int32
    _, starts, data = pieces.buffers()
    offsets = np.frombuffer(starts, wide, len(pieces) + 1, pieces.offset * np.dtype(wide).itemsize)
    written = memoryview(data or b"")
    is_null = pieces.is_null().to_numpy(zero_copy_only=False)
    first = 0
    for place in last:
        content = b"".join([*begun, written[offsets[first] : offsets[place + 1]]])
        begun.clear()
        yield None if is_null[place] else content
        first = place + 1
    if first < len(pieces):
        begun.append(bytes(written[offsets[first] : offsets[-1]]))


def _cut(
    batch: pa.RecordBatch, last: NDArray[np.intp], contents: Iterable[bytes | None], *, n_rows: int, n_bytes: int
) -> Iterator[tuple[pa.RecordBatch, list[bytes | None]]]:
    others = batch.select([name for name in batch.schema.names if name not in (Col.content, Col.piece, Col.n_pieces)])
    placed = enumerate(contents)
    for some in together(placed, lambda one: len(one[1] or b""), n_items=n_rows, n_bytes=n_bytes):
        places, own = zip(*some, strict=True)
        yield others.take(pa.array(last[places[0] : places[-1] + 1])), list(own)
