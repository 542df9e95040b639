"""Labels for clusters by their nearest labelled vectors: against scikit-learn on arrays, and classes by hand."""

import numpy as np
import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from sklearn.metrics import pairwise_distances

from equipoise.errors import InputError
from equipoise.evaluation.labelled import Labelled, check_bytes, class_clusters, labelled_clusters
from equipoise.evaluation.metrics import class_metrics
from equipoise.schemas import POOL_NAME

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(60, 5)).astype(np.float32)
LABELS = RNG.choice(["ant", "bee", "cat"], 60)
CENTROIDS = RNG.normal(size=(40, 5)).astype(np.float32)


def centroids(spark: SparkSession, rows: np.ndarray = CENTROIDS):
    numbered = [(number * 3, row.tolist()) for number, row in enumerate(rows)]
    return spark.createDataFrame(numbered, "cluster_id long, centroid array<float>")


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("k", [1, 7])
def test_the_nearest_vote(spark: SparkSession, metric: str, k: int) -> None:
    scaled = CENTROIDS * np.linspace(0.1, 9, 40, dtype=np.float32)[:, None]
    with labelled_clusters(
        centroids(spark, scaled), Labelled(VECTORS, LABELS, k), spherical=metric == "cosine"
    ) as rows:
        found = {row["cluster_id"]: row["label"] for row in rows.collect()}
    near = np.argsort(pairwise_distances(scaled, VECTORS, metric=metric), axis=1)[:, :k]
    for number, votes in enumerate(LABELS[near]):
        labels, counts = np.unique(votes, return_counts=True)
        assert found[3 * number] == labels[counts.argmax()]


def test_vectors_of_another_encoder_are_refused(spark: SparkSession) -> None:
    labelled = labelled_clusters(centroids(spark), Labelled(VECTORS[:, :4], LABELS), spherical=False)
    with pytest.raises(InputError, match="4 numbers, the centroids have 5"), labelled:
        pass


def test_a_zero_vector_has_no_direction(spark: SparkSession) -> None:
    zeroed = Labelled(VECTORS * (LABELS != "ant")[:, None], LABELS)
    with labelled_clusters(centroids(spark), zeroed, spherical=False) as labels:
        assert labels.count() == len(CENTROIDS)
    with pytest.raises(InputError, match="no direction"), labelled_clusters(centroids(spark), zeroed, spherical=True):
        pass


@pytest.mark.parametrize(
    ("vectors", "labels", "k", "reason"),
    [
        (VECTORS, LABELS[:5], 1, "one label a vector"),
        (VECTORS[:0], LABELS[:0], 1, "one label a vector"),
        (VECTORS, LABELS, 61, "1 to 60"),
        (VECTORS * np.nan, LABELS, 1, "NaN"),
    ],
)
def test_bad_sets(vectors: np.ndarray, labels: np.ndarray, k: int, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        Labelled(vectors, labels, k)


def test_a_set_above_what_the_driver_holds_is_refused_with_a_number() -> None:
    check_bytes(250, 1, most=1000)
    with pytest.raises(InputError, match=r"251 vectors of 1 numbers takes 1,004 bytes.*at most 250"):
        check_bytes(251, 1, most=1000)


@pytest.fixture(scope="module")
def classes(spark: SparkSession):
    sizes = spark.createDataFrame(
        [("s", 0, 10, 2), ("s", 1, 6, 0), ("s", 2, 5, 5), ("t", 0, 10, 1), ("t", 1, 6, 1), ("t", 2, 5, 0)],
        "selection string, cluster_id long, n_pool long, n_curated long",
    )
    labels = spark.createDataFrame([(0, "ant"), (1, "ant"), (2, "bee")], "cluster_id long, label string")
    return class_clusters(sizes, labels)


def test_clusters_of_classes_by_hand(spark: SparkSession, classes) -> None:
    expected = spark.createDataFrame(
        [
            (POOL_NAME, "ant", 2, 16), (POOL_NAME, "bee", 1, 5), ("s", "ant", 1, 2), ("s", "bee", 1, 5),
            ("t", "ant", 2, 2), ("t", "bee", 0, 0),
        ],
        "selection string, label string, n_clusters long, n_items long",
    )  # fmt: skip
    assert_df_equality(classes, expected, ignore_row_order=True, ignore_nullable=True)


def test_mean_sizes_and_fits_by_hand(classes) -> None:
    rows = class_metrics(classes.toPandas())
    found = {(row.selection, row.name, row.group): row.value for row in rows.itertuples(index=False)}
    assert found[POOL_NAME, "n_clusters", "class=ant"] == 2
    assert found[POOL_NAME, "mean_cluster_size", "class=ant"] == 8
    assert found["t", "n_clusters", "class=bee"] == 0 and ("t", "mean_cluster_size", "class=bee") not in found
    # from 5 items and 1 cluster to 16 items and 2 clusters
    assert found[POOL_NAME, "clusters_slope", "class"] == pytest.approx(1 / 11)
    assert found[POOL_NAME, "clusters_intercept", "class"] == pytest.approx(1 - 5 / 11)
    assert found[POOL_NAME, "clusters_r2", "class"] == pytest.approx(1)
    assert found["s", "clusters_slope", "class"] == 0 and ("s", "clusters_r2", "class") not in found
    assert not [key for key in found if key[0] == "t" and key[2] == "class"]  # one class alone has items
    assert set(class_metrics(classes.toPandas(), n=1)["group"]) == {"class", "class=ant"}


def test_without_the_pool_the_largest_classes_of_any_set_have_rows() -> None:
    classes = pd.DataFrame(
        [("a", "ant", 1, 9), ("a", "bee", 1, 1), ("b", "ant", 1, 2), ("b", "bee", 2, 8)],
        columns=["selection", "label", "n_clusters", "n_items"],
    )
    rows = class_metrics(classes, group="own_class", n=1)
    assert set(rows["group"]) == {"own_class", "own_class=ant"} and set(rows["selection"]) == {"a", "b"}
