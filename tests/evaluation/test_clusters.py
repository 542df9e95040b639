"""Sizes of clusters before and after a selection: a tree by hand, and a random one against pandas."""

import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession

from equipoise.evaluation.clusters import cluster_sizes, shrunk, size_histograms
from equipoise.evaluation.metrics import cluster_metrics
from equipoise.schemas import POOL_NAME
from equipoise.stages.select.section import Selection

CLUSTERS = "level int, cluster_id long, parent_id long, n_items long"
CURATED = "selection string, item_id long, copies int, cluster_id long"
TREE = [(1, 0, 0, 6), (1, 1, 0, 2), (1, 2, 1, 2), (2, 0, None, 8), (2, 1, None, 2)]
TAKEN = [("a", 1, 1, 0), ("a", 2, 1, 1), ("a", 3, 2, 2), ("b", 4, 1, 0)]


@pytest.fixture(scope="module")
def sizes(spark: SparkSession):
    frames = spark.createDataFrame(TREE, CLUSTERS), spark.createDataFrame(TAKEN, CURATED)
    return cluster_sizes(*frames, levels=2, selections=["a", "b", "c"]).cache()


def test_every_cluster_has_a_row_in_every_selection_also_in_an_empty_one(spark: SparkSession, sizes) -> None:
    expected = spark.createDataFrame(
        [
            ("a", 1, 0, 0, 6, 1), ("a", 1, 1, 0, 2, 1), ("a", 1, 2, 1, 2, 2),
            ("a", 2, 0, None, 8, 2), ("a", 2, 1, None, 2, 2),
            ("b", 1, 0, 0, 6, 1), ("b", 1, 1, 0, 2, 0), ("b", 1, 2, 1, 2, 0),
            ("b", 2, 0, None, 8, 1), ("b", 2, 1, None, 2, 0),
            ("c", 1, 0, 0, 6, 0), ("c", 1, 1, 0, 2, 0), ("c", 1, 2, 1, 2, 0),
            ("c", 2, 0, None, 8, 0), ("c", 2, 1, None, 2, 0),
        ],
        "selection string, level int, cluster_id long, parent_id long, n_pool long, n_curated long",
    )  # fmt: skip
    assert_df_equality(sizes, expected, ignore_row_order=True, ignore_nullable=True)


def test_histograms_count_clusters_by_size(spark: SparkSession, sizes) -> None:
    expected = spark.createDataFrame(
        [
            (POOL_NAME, 1, 6, 1), (POOL_NAME, 1, 2, 2), (POOL_NAME, 2, 8, 1), (POOL_NAME, 2, 2, 1),
            ("a", 1, 1, 2), ("a", 1, 2, 1), ("a", 2, 2, 2),
            ("b", 1, 1, 1), ("b", 1, 0, 2), ("b", 2, 1, 1), ("b", 2, 0, 1),
            ("c", 1, 0, 3), ("c", 2, 0, 2),
        ],
        "selection string, level int, n_items long, n_groups long",
    )  # fmt: skip
    assert_df_equality(size_histograms(sizes), expected, ignore_row_order=True, ignore_nullable=True)


def test_the_largest_clusters_of_the_pool_are_ranked_by_how_much_they_shrank(spark: SparkSession, sizes) -> None:
    expected = spark.createDataFrame(
        [
            ("a", 1, 1, 1, 0, 0, 6, 1, 0.6, 0.25, 0.25 / 0.6), ("a", 1, 2, 2, 1, 0, 2, 1, 0.2, 0.25, 0.25 / 0.2),
            ("b", 1, 1, 2, 0, 0, 6, 1, 0.6, 1.0, 1.0 / 0.6), ("b", 1, 2, 1, 1, 0, 2, 0, 0.2, 0.0, 0.0),
            ("c", 1, 1, 1, 0, 0, 6, 0, 0.6, None, None), ("c", 1, 2, 2, 1, 0, 2, 0, 0.2, None, None),
        ],
        "selection string, level int, rank int, shrink_rank int, cluster_id long, parent_id long, n_pool long, "
        "n_curated long, share_pool double, share_curated double, ratio double",
    )  # fmt: skip
    assert_df_equality(shrunk(sizes.where("level = 1"), 2), expected, ignore_row_order=True, ignore_nullable=True)


def test_metrics_tell_what_the_largest_clusters_shrank_to(sizes) -> None:
    rows = cluster_metrics(sizes, shrunk(sizes, 2), n=1)
    found = {(row.selection, row.name, row.group): row.value for row in rows.itertuples(index=False)}
    assert len(found) == len(rows)
    assert {group for _, _, group in found if "=" in group} == {"level_1=0", "level_2=0"}  # n=1: the largest alone
    assert found[POOL_NAME, "cluster_share", "level_1=0"] == pytest.approx(0.6)
    assert found["a", "cluster_share", "level_1=0"] == pytest.approx(0.25)
    assert found["a", "cluster_share_ratio", "level_1=0"] == pytest.approx(0.25 / 0.6)
    assert found["a", "n_shrunk", "level_1"] == 1 and found["a", "largest_share", "level_1"] == pytest.approx(0.5)
    assert found["a", "shrunk_share_pool", "level_1"] == pytest.approx(0.6)
    assert found["a", "shrunk_share", "level_1"] == pytest.approx(0.25)
    assert (
        found["b", "shrunk_share_pool", "level_1"] == pytest.approx(0.2) and found["b", "shrunk_share", "level_1"] == 0
    )
    assert found["c", "n_items", "level_1"] == found["c", "n_shrunk", "level_1"] == 0  # nothing was selected
    assert ("c", "cluster_share", "level_1=0") not in found
    assert found[POOL_NAME, "n_items", "level_2"] == 10


def test_a_selection_cannot_be_called_as_the_pool_is() -> None:
    with pytest.raises(ValueError, match="the whole pool"):
        Selection(name=POOL_NAME, target=1)


@pytest.mark.parametrize("depth", [1, 3])
def test_sizes_and_ranks_agree_with_pandas(spark: SparkSession, depth: int) -> None:
    rng = np.random.default_rng(depth)
    ks = [200, 20, 4][:depth]
    parents = [rng.integers(0, above, k) for k, above in zip(ks, [*ks[1:], 1], strict=True)]
    items = pd.DataFrame({"c1": rng.zipf(1.5, 3000).clip(max=ks[0]) - 1})
    for level in range(2, depth + 1):
        items[f"c{level}"] = parents[level - 2][items[f"c{level - 1}"]]
    drawn = rng.random(len(items)) < 0.1
    items["copies"] = np.where(drawn, rng.integers(1, 3, len(items)), 0)
    rows = [
        (level, cluster, int(parents[level - 1][cluster]), int((items[f"c{level}"] == cluster).sum()))
        for level in range(1, depth + 1)
        for cluster in range(ks[level - 1])
    ]
    curated = [("s", int(i), int(row.copies), int(row.c1)) for i, row in items[items["copies"] > 0].iterrows()]
    sizes = cluster_sizes(
        spark.createDataFrame(rows, CLUSTERS), spark.createDataFrame(curated, CURATED), levels=depth, selections=["s"]
    )
    sizes = sizes.cache()
    found = sizes.toPandas().set_index(["level", "cluster_id"])["n_curated"]
    for level in range(1, depth + 1):
        expected = items.groupby(f"c{level}")["copies"].sum().reindex(range(ks[level - 1]), fill_value=0)
        assert found[level].sort_index().tolist() == expected.tolist()
    first = shrunk(sizes, 10).where("level = 1").orderBy("rank").toPandas()
    largest = pd.DataFrame(rows, columns=["level", "id", "parent", "n"]).query("level == 1")
    expected_ids = largest.sort_values(["n", "id"], ascending=[False, True])["id"].head(10)
    assert first["cluster_id"].tolist() == expected_ids.tolist() and first["rank"].tolist() == list(range(1, 11))
    assert first["share_pool"].tolist() == pytest.approx((first["n_pool"] / len(items)).tolist())
