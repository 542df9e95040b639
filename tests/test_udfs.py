"""Encoders and clusters in SQL: the values of the stages."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from equipoise import assign_udf, embed_udf, register_udfs
from equipoise.errors import ConfigError, RunError
from equipoise.pipeline.tar_members import Member
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, EMBEDDINGS, POOL, Col, Slice
from equipoise.sources.tar_files import opened_tar
from equipoise.udfs import _vectors
from sources.shards import tarred
from stages.fakes import Lab, png

PIXELS = {"encoder": "pixels", "size": 2, "mode": "L", "batch_size": 4}


@pytest.fixture(scope="module")
def finished(spark, tmp_path_factory):
    """A run over 13 pictures, two of which are broken, kept inline; 4 clusters in 2."""
    lab = Lab(spark, tmp_path_factory.mktemp("udfs"), on_delta=True)
    folder = lab.folder / "in"
    folder.mkdir()
    for grey in range(11):
        (folder / f"{grey}.png").write_bytes(png(20 * grey))
    for number in range(2):
        (folder / f"cut {number}.png").write_bytes(png(number, size=(64, 64))[:-40])
    run = lab.run(
        source={"kind": "images", "path": str(folder), "inline": True},
        embed=PIXELS,
        cluster={"levels": [{"k": 4}, {"k": 2}], "metric": "cosine"},
    )
    run.bring("cluster")
    return run


@pytest.fixture(scope="module")
def place(finished):
    return finished.workspace.given


@pytest.fixture(scope="module")
def views(spark, finished, place):
    finished.workspace.read(POOL).createOrReplaceTempView("pool_of_udfs")
    finished.workspace.read(EMBEDDINGS).createOrReplaceTempView("embeddings_of_udfs")
    assert register_udfs(spark, place, run_id="r") == ["embed", "nearest_cluster"]


def by_id(rows):
    return {row[0]: row[1] for row in rows}


def test_contents_have_the_bits_of_the_stage_and_broken_ones_none(spark, finished, views):
    found = by_id(spark.sql(f"select {Col.item_id}, embed({Col.content}) from pool_of_udfs").collect())
    expected = by_id(finished.workspace.read(EMBEDDINGS).select(Col.item_id, Col.embedding).collect())
    assert len(expected) == 11
    assert found == expected | dict.fromkeys(found.keys() - expected.keys()) and len(found) == 13


def test_vectors_have_the_clusters_of_the_run_at_every_level(spark, finished, views, place):
    found = by_id(
        spark.sql(f"select {Col.item_id}, nearest_cluster({Col.embedding}) from embeddings_of_udfs").collect()
    )
    expected = by_id(finished.workspace.read(ASSIGNMENTS).select(Col.item_id, Col.cluster_id).collect())
    assert found == expected and len(set(found.values())) == 4
    finest = finished.workspace.read(Slice(CENTROIDS, {Col.level: 1}))
    parents = by_id(finest.select(Col.cluster_id, Col.parent_id).collect())
    above = assign_udf("r", 2, workspace=place)
    rows = finished.workspace.read(EMBEDDINGS).select(Col.item_id, above(Col.embedding)).collect()
    assert by_id(rows) == {item: parents[cluster] for item, cluster in expected.items()}


def test_what_is_no_vector_of_the_run_has_no_cluster(spark, views):
    vectors = [[1.0, 2.0, 3.0, 4.0], None, [1.0], [float("nan")] * 4, [0.0] * 4, [1e30] * 4, [4.0, 3.0, 2.0, 1.0]]
    rows = spark.createDataFrame(list(enumerate(vectors)), "id int, v array<float>").coalesce(1)
    found = by_id(rows.select("id", F.expr("nearest_cluster(v)")).collect())
    assert [place for place, cluster in found.items() if cluster is not None] == [0, 6]


def test_texts_and_uris_are_read_as_what_they_are(spark, tmp_path):
    (tmp_path / "a b.png").write_bytes(png(9))
    embed = embed_udf(**PIXELS)
    tarred(tmp_path / "c.tar", {"a b.png": png(9)})
    with opened_tar(f"file:{tmp_path}/c.tar") as tar:
        (entry,) = tar.entries()
    member = Member(f"file:{tmp_path}/c.tar", entry.name, entry.offset, entry.n_bytes)
    uris = [f"file:{tmp_path}/a b.png", member.uri, None, "file:/no/such.png"]
    rows = spark.createDataFrame([(uri,) for uri in uris], "uri string")
    from_uri, from_shard, *nothing = [row[0] for row in rows.coalesce(1).select(embed("uri")).collect()]
    (from_content,) = spark.createDataFrame([(bytearray(png(9)),)], "c binary").select(embed("c")).first()
    assert from_uri == from_shard == from_content and nothing == [None, None]


class Lengths:
    """An encoder of texts: the vector is the number of their signs."""

    kind = "texts"

    def decode(self, content):
        return content.decode()

    def encode(self, items):
        return np.array([[len(item)] for item in items], np.float32)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass


def test_as_many_rows_come_out_of_a_batch_as_went_in_and_in_their_order():
    batches = [["a", "bbb"], [], [None, "cc", b"dddd", b"\xff"], ["e" * n for n in range(1, 30)], [], ["f"], []]
    found = [*_vectors((pd.Series(batch, dtype=object) for batch in batches), Lengths, 3)]
    assert [len(one) for one in found] == [len(batch) for batch in batches]
    told = [[one if one is None else int(one[0]) for one in series] for series in found]
    assert told == [[1, 3], [], [None, 2, 4, None], [*range(1, 30)], [], [1], []]


def test_values_that_are_no_contents_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"^embed reads BINARY contents or STRING, not values such as 7: cast the"):
        list(_vectors(iter([pd.Series([None, 7], dtype=object)]), Lengths, 3))


def test_what_cannot_be_is_told_before_a_query(spark, finished, place, monkeypatch):
    for options, said in (
        ({"encoder": "pixel"}, "did you mean 'pixels'"),
        ({"encoder": "pixels", "sise": 3}, "embed_udf: .*did you mean 'size'"),
        ({"encoder": "sentence-transformers:./no/such"}, "does not exist"),
    ):
        with pytest.raises(ConfigError, match=said):
            embed_udf(**options)
    with pytest.raises(RunError, match=r"^level is 3; run 'r' has the levels 1 to 2$"):
        assign_udf("r", 3, workspace=place)
    with pytest.raises(RunError, match="has no run 's'"):
        assign_udf("s", workspace=place)
    from equipoise.encoders.pixels import PixelsEncoder

    monkeypatch.setattr(PixelsEncoder, "code_revision", 99)
    with pytest.raises(ConfigError, match=r"encoder pixels: it is another model now \(pixels-\w+\) than run"):
        register_udfs(spark, place, run_id="r")
    assert register_udfs(spark, place, run_id="r", encoder="pixels", size=3) == ["embed", "nearest_cluster"]
