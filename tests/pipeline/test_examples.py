"""A few items of a few clusters."""

import numpy as np
import pytest

from equipoise.kernels.draws import Purpose, draws
from equipoise.pipeline.examples import EXAMPLES, examples, members_of, previews
from equipoise.schemas import POOL, Col
from stages.fakes import png

SHOWN = (2, 4)


@pytest.fixture(scope="module")
def assignments(spark):
    rows = [(id, id % 5, float(id * 7 % 23)) for id in range(100)]
    return spark.createDataFrame(rows, "item_id long, cluster_id long, distance_sq float")


@pytest.mark.parametrize("n_partitions", [1, 7])
def test_examples_are_the_first_by_distance_and_by_draw(assignments, n_partitions):
    members = members_of(assignments.repartition(n_partitions), SHOWN)
    found = [tuple(row) for row in examples(members, n=3, seed=5).collect()]
    expected = []
    for cluster in SHOWN:
        ids = np.arange(cluster, 100, 5)
        distances = (ids * 7 % 23).astype(float)
        orders = dict(zip(EXAMPLES, (distances, draws(5, Purpose.PICTURE, ids), -distances), strict=True))
        for kind, order in orders.items():
            first = np.lexsort((ids, order))[:3]
            expected += [(kind, cluster, rank, ids[one], distances[one]) for rank, one in enumerate(first, 1)]
    assert sorted(found) == sorted(expected)


def test_previews_are_made_where_the_contents_are(spark, tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    items = [(1, f"file:{tmp_path}/a.png", None), (2, f"file:{tmp_path}/gone.png", None), (3, None, b"text")]
    items += [(4, None, b"raises \xff"), (5, None, None)]
    rows = [
        {Col.item_id: id, Col.uri: uri, Col.content: content, Col.label: "x", Col.key: "k"}
        for id, uri, content in items
    ]
    pool = spark.createDataFrame([{**dict.fromkeys(POOL.columns), **row} for row in rows], POOL.schema)

    def read(content: bytes) -> tuple[bytes | None, str | None]:  # in here, so that it travels to the workers whole
        return (content[:4], None) if content.startswith(b"\x89PNG") else (None, content.decode())

    found = previews(pool, read).orderBy(Col.item_id).collect()
    columns = (Col.item_id, Col.key, Col.label, Col.thumbnail, Col.snippet)
    assert [tuple(row[name] for name in columns) for row in found] == [
        (1, "k", "x", b"\x89PNG", None),
        (2, "k", "x", None, None),
        (3, "k", "x", None, "text"),
        (4, "k", "x", None, None),
        (5, "k", "x", None, None),
    ]
