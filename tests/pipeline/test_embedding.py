"""Items -> vectors on Spark."""

import io

import numpy as np
import pytest
from PIL import Image

from equipoise.encoders import UnreadableItem, encoder_id, load_encoder
from equipoise.errors import ConfigError
from equipoise.pipeline import embedding as em
from equipoise.pipeline import encoding as en
from equipoise.schemas import Col

ITEMS = f"{Col.item_id} long, {Col.key} string, {Col.uri} string, {Col.content} binary"
OPTIONS = {"size": 2, "mode": "L"}


def png(*grey):
    file = io.BytesIO()
    Image.fromarray(np.array(grey, np.uint8).reshape(2, 2)).save(file, "PNG")
    return file.getvalue()


def noise(seed):
    return png(*np.random.default_rng(seed).integers(0, 255, 4))


def vectors(items, batch_size=2):
    wanted_id = encoder_id("pixels", OPTIONS)
    rows = em.vectors(items, "pixels", OPTIONS, wanted_id=wanted_id, n_items=8, batch_size=batch_size).collect()
    return {row[Col.item_id]: row for row in rows}


def test_vectors_are_those_of_the_encoder(spark, tmp_path):
    (tmp_path / "a b.png").write_bytes(png(3, 0, 0, 4))
    rows = [(1, "a", f"file:{tmp_path}/a b.png", None), (2, "b", None, bytearray(png(0, 5, 0, 0)))]
    found = vectors(spark.createDataFrame(rows, ITEMS))
    np.testing.assert_allclose(found[1][Col.embedding], [0.6, 0, 0, 0.8], rtol=1e-6)
    np.testing.assert_allclose(found[2][Col.embedding], [0, 1, 0, 0], rtol=1e-6)


def test_broken_items_are_rejected_with_a_reason_and_the_others_go_on(spark):
    contents = [png(1, 2, 3, 4), b"no image", png(1, 2, 3, 4)[:-25], None, png(0, 0, 0, 0)]
    rows = [(place, f"key {place}", None, content and bytearray(content)) for place, content in enumerate(contents)]
    found = vectors(spark.createDataFrame(rows, ITEMS))
    reasons = [found[place][Col.reason] for place in range(5)]
    assert reasons == [None, "unreadable_image", "unreadable_image", "missing_content", None]
    assert all((row[Col.embedding] is None) == (row[Col.reason] is not None) for row in found.values())
    assert found[4][Col.embedding] == [0.0] * 4
    assert {row[Col.key] for row in found.values()} == {f"key {place}" for place in range(5)}


def test_vectors_do_not_depend_on_how_the_input_is_partitioned(spark):
    rows = [(place, str(place), None, bytearray(noise(place))) for place in range(30)]
    one = vectors(spark.createDataFrame(rows, ITEMS).coalesce(1), batch_size=4)
    many = vectors(spark.createDataFrame(rows[::-1], ITEMS).repartition(7), batch_size=4)
    assert one == many and len(one) == 30


def test_an_encoder_that_gives_what_cannot_be_clustered_has_its_items_rejected():
    import pyarrow as pa

    class Broken:
        kind = "texts"

        def decode(self, content):
            return content

        def encode(self, items):
            return np.array([[np.nan, 1], [1, 2], [0, -1e25]], np.float32)

    ids = {Col.item_id: [7, 8, 9], Col.key: ["a", "b", "c"], Col.uri: pa.nulls(3, pa.string())}
    rows = en.encoded(pa.RecordBatch.from_pydict(ids), [b"a", b"b", b"c"], en.Guarded(Broken())).to_pylist()
    assert [row[Col.reason] for row in rows] == ["not_finite", None, "too_large"]
    assert [row[Col.embedding] for row in rows] == [None, [1.0, 2.0], None]
    assert rows[2][Col.detail] == "the encoder's vector holds 1e+25, too large to square in float32"


def test_the_model_is_loaded_once_a_process(monkeypatch):
    loads = []

    def load(name, **options):
        loads.append(name)
        return load_encoder(name, **options)

    monkeypatch.setattr(em, "load_encoder", load)
    em._loaded.cache_clear()
    for _ in range(3):
        em._loaded("pixels", '{"size": 3}', encoder_id("pixels", {"size": 3}), 0)
    assert loads == ["pixels"]


def test_a_worker_whose_model_is_another_than_the_drivers_says_so():
    """As where a file was replaced, or machines have other files under one path."""
    with pytest.raises(ConfigError, match=r"encoder pixels: a worker has another model .* \(pixels-\w{8}, not other\)"):
        em._loaded("pixels", '{"size": 3}', "other", 0)


def test_chunks_are_stable_and_cover_all(spark):
    items = spark.range(1000).withColumnRenamed("id", Col.item_id)
    once = em.with_chunk(items, 4).orderBy(Col.item_id).collect()
    again = em.with_chunk(items.repartition(5), 4).orderBy(Col.item_id).collect()
    assert once == again
    sizes = np.bincount([row[Col.chunk] for row in once], minlength=4)
    assert len(sizes) == 4 and sizes.min() > 200


def test_whatever_the_decoding_of_one_item_raises_the_others_go_on():
    class Odd:
        kind = "texts"

        def decode(self, content):
            if content == b"large":
                raise MemoryError("no room")
            return int(content)

    found = [en.decoded(Odd(), None, content) for content in (b"large", b"7", b"seven")]
    assert found[1] == 7
    assert [(item.reason, item.detail) for item in found[::2]] == [
        ("unreadable_item", "MemoryError: no room"),
        ("unreadable_item", "ValueError: invalid literal for int() with base 10: b'seven'"),
    ]


class Picky:
    """An encoder of numbers that raises what stands among the items: a vector is (number, number of the batch)."""

    kind = "texts"

    def decode(self, content):
        return content

    def encode(self, items):
        for item in items:
            if isinstance(item, Exception):
                raise item
        return np.array([[item, len(items)] for item in items], np.float32)


def told(found):
    return [(one.reason, one.detail) if isinstance(one, UnreadableItem) else one.tolist() for one in found]


def test_an_item_that_the_encoder_cannot_take_is_a_reject_and_its_batch_goes_on():
    items = [1, MemoryError("no room"), 2, ValueError("odd"), UnreadableItem("too_long", "9 words")]
    assert told(en.Guarded(Picky()).vectors(items)) == [
        [1, 1],
        ("unreadable_item", "MemoryError: no room"),
        [2, 1],
        ("unreadable_item", "ValueError: odd"),
        ("too_long", "9 words"),
    ]
    assert told(en.Guarded(Picky()).vectors([3, 4])) == [[3, 2], [4, 2]]
    assert en.Guarded(Picky()).vectors([]) == []


def test_what_every_item_of_a_batch_raises_and_what_the_user_can_mend_ends_the_task():
    guarded = en.Guarded(Picky())
    guarded.vectors([1, 2])
    with pytest.raises(RuntimeError, match=r"^first$"):
        guarded.vectors([RuntimeError("first"), RuntimeError("second")])
    with pytest.raises(ConfigError, match=r"^no model$"):
        guarded.vectors([1, ConfigError("no model"), 2])


def test_an_item_that_is_alone_in_its_batch_is_a_reject_where_the_encoder_takes_others():
    guarded = en.Guarded(Picky())
    with pytest.raises(ValueError, match=r"^odd$"):
        guarded.vectors([ValueError("odd")])
    guarded.vectors([1, 2])
    assert told(guarded.vectors([ValueError("odd")])) == [("unreadable_item", "ValueError: odd")]


def test_the_row_of_an_odd_item_has_the_reason_and_the_others_their_vectors():
    import pyarrow as pa

    ids = {Col.item_id: [7, 8], Col.key: ["a", "b"], Col.uri: pa.nulls(2, pa.string())}
    rows = en.encoded(pa.RecordBatch.from_pydict(ids), [ValueError("odd"), 5], en.Guarded(Picky())).to_pylist()
    assert [(row[Col.reason], row[Col.detail], row[Col.embedding]) for row in rows] == [
        ("unreadable_item", "ValueError: odd", None),
        (None, None, [5.0, 1.0]),
    ]
