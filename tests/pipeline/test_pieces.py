"""Contents cross to the tasks in pieces: batches are bounded by bytes."""

import resource
import struct
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.encoders import encoder_id
from equipoise.pipeline import content as ct
from equipoise.pipeline import embedding as em
from equipoise.pipeline import pieces as pc
from equipoise.pipeline.items import RAW
from equipoise.schemas import Col

ITEMS = f"{Col.item_id} long, {Col.content} binary"
ROWS, BYTES = (f"spark.sql.execution.arrow.{name}" for name in ("maxRecordsPerBatch", "maxBytesPerBatch"))
WITHOUT_BOUND = {BYTES: 2**31 - 1}
"""Of bytes, as Spark 3.5 is."""


@contextmanager
def set_to(spark, values):
    """Spark's settings, as long as the context lasts."""
    before = {key: spark.conf.get(key) for key in values}
    for key, value in values.items():
        spark.conf.set(key, value)
    try:
        yield
    finally:
        for key, value in before.items():
            spark.conf.set(key, value)


@pytest.mark.parametrize("settings", [{ROWS: 3, **WITHOUT_BOUND}, {BYTES: 5}], ids=["rows", "bytes"])
def test_contents_arrive_as_they_were_in_batches_of_few_bytes(spark, monkeypatch, settings):
    monkeypatch.setattr(pc, "BYTES_OF_BATCH", 6)
    monkeypatch.setattr(pc, "_FEWEST_BYTES", 1)
    contents = [b"", None, b"a", b"bc", b"def", None, b"0123456789abcdef", b"\x00\xff\x00"]
    items = spark.createDataFrame([(place, one and bytearray(one)) for place, one in enumerate(contents)], ITEMS)

    def looked_at(batches):
        largest = []

        def passing():
            for batch in batches:
                largest.append(sum(len(piece or b"") for piece in batch.column(Col.content).to_pylist()))
                yield batch

        for rows, found in pc.whole(passing(), n_rows=2, n_bytes=4):
            sizes = pa.array([max(largest)] * len(rows), pa.int64())
            yield pa.RecordBatch.from_arrays(
                [rows.column(Col.item_id), pa.array(found, pa.binary()), sizes], names=[*rows.schema.names, *RESULT]
            )

    schema = f"{Col.item_id} long, {Col.content} binary, {Col.value} long"
    with set_to(spark, settings):
        rows = pc.in_pieces(items.coalesce(1)).mapInArrow(looked_at, schema).orderBy(Col.item_id).collect()
    assert [row[Col.content] and bytes(row[Col.content]) for row in rows] == [one or one for one in contents]
    assert 0 < max(row[Col.value] for row in rows) <= 6


@pytest.mark.parametrize("written, size", [("67108864b", 1 << 26), ("64m", 1 << 26), ("1GB", 1 << 30), ("7", 7)])
def test_sizes_are_read_as_spark_writes_them(written, size):
    assert pc._n_bytes(written) == size


RESULT = [Col.content, Col.value]
CONTENTS = st.lists(st.none() | st.binary(max_size=9), max_size=12)


@given(contents=CONTENTS, n_bytes=st.integers(1, 4), n_rows=st.integers(1, 5), batch_rows=st.integers(1, 6))
def test_pieces_become_the_contents_again_whatever_the_batches(contents, n_bytes, n_rows, batch_rows):
    rows = []
    for place, one in enumerate(contents):
        cut = [None] if one is None else [one[at : at + n_bytes] for at in range(0, max(1, len(one)), n_bytes)]
        rows += [
            {Col.item_id: place, Col.n_pieces: len(cut), Col.piece: number, Col.content: piece}
            for number, piece in enumerate(cut)
        ]
    kinds = [pa.int64(), pa.int32(), pa.int32(), pa.binary()]
    names = [Col.item_id, Col.n_pieces, Col.piece, Col.content]
    table = pa.Table.from_pylist(rows, schema=pa.schema(zip(names, kinds, strict=True)))
    # Slices of one buffer, as well as batches of their own.
    found = [*pc.whole(table.to_batches(max_chunksize=batch_rows), n_rows=n_rows, n_bytes=5)]
    assert [one for _, some in found for one in some] == contents
    assert [number for part, _ in found for number in part.column(0).to_pylist()] == [*range(len(contents))]
    assert all(len(some) <= n_rows for _, some in found)
    assert all(len(some) == 1 or sum(len(one or b"") for one in some) <= 5 for _, some in found)


WIDTH, HEIGHT = 5000, 4000
SIZE = 3 * WIDTH * HEIGHT
BITMAP = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + SIZE, 0, 0, 54, 40, WIDTH, HEIGHT, 1, 24, 0, 0, 0, 0, 0, 0)
"""The head of a picture of 60 MB."""
MOST = 2 << 30


def limited(function):
    """In a worker whose memory is 2 GiB, as ``spark.executor.pyspark.memory`` has it: by the same call."""

    def run(batches, **options):
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (MOST, before[1]))
        try:
            yield from function(batches, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)

    return run


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, WITHOUT_BOUND], ids=["bytes", "rows"])
def test_forty_contents_of_60_mb_pass_a_worker_of_2_gib(spark, monkeypatch, settings):
    """All in one task, whose batches would be of 10,000 rows."""
    monkeypatch.setattr(em, "_encode", limited(em._encode))
    monkeypatch.setattr(ct, "_with_content", limited(ct._with_content))
    items = (
        spark.range(40)
        .coalesce(1)
        .selectExpr(
            f"id as {Col.item_id}",
            f"'key' as {Col.key}",
            f"cast(null as string) as {Col.uri}",
            f"concat(unhex('{BITMAP.hex()}'), cast(repeat(char(65 + id), {SIZE}) as binary)) as {Col.content}",
        )
    )
    options = {"size": 1}
    with set_to(spark, settings):
        made = em.vectors(items, "pixels", options, wanted_id=encoder_id("pixels", options), n_items=40, batch_size=256)
        found = made.collect()
    assert {row[Col.reason] for row in found} == {None}
    np.testing.assert_allclose([row[Col.embedding] for row in found], np.full((40, 3), 3**-0.5), rtol=1e-6)

    missing = [field for field in RAW if field.name not in items.columns]
    nulls = (f"cast(null as {field.dataType.simpleString()}) as {field.name}" for field in missing)
    raw = items.selectExpr(*items.columns, *nulls).drop(Col.item_id)
    with set_to(spark, settings):
        facts = ct.with_content(raw, "images", keep=True).drop(Col.content).collect()
    assert [(row[Col.width], row[Col.height], row[Col.n_bytes]) for row in facts] == [(WIDTH, HEIGHT, 60_000_054)] * 40
    assert len({row[Col.content_hash] for row in facts}) == 40
