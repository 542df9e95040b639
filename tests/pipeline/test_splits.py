"""Clusters split on the executors are those split on arrays; large ones are fitted on a sample."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from equipoise import select
from equipoise.errors import InputError
from equipoise.kernels import placement
from equipoise.kernels.levels import KMeans, Level
from equipoise.kernels.packing import Block, pack
from equipoise.kernels.placement import DriverLimit
from equipoise.kernels.splitting import split_arrays
from equipoise.kernels.vectors import ArrayVectors
from equipoise.pipeline import fitting, splits
from equipoise.pipeline.blocks import assignments_arrays, vectors_frame
from equipoise.pipeline.checkpoint import DistributedLevel
from equipoise.pipeline.hierarchy import fit_hierarchy
from equipoise.pipeline.routing import routing
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.pipeline.splits import Inside, split
from equipoise.pipeline.workers import assigner
from equipoise.schemas import Col

GENERATOR = np.random.default_rng(0)
COARSE = GENERATOR.normal(scale=20, size=(12, 4)).astype(np.float32)
WEIGHTS = np.array([0.5] + [0.5 / 11] * 11)
DATA = (COARSE[GENERATOR.choice(12, 6000, p=WEIGHTS)] + GENERATOR.normal(size=(6000, 4))).astype(np.float32)
IDS = GENERATOR.permutation(6000) * 7
INSIDE = Inside((5,), KMeans(), 3)


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, IDS, DATA).cache()


def centroids_of(found) -> dict[int, np.ndarray]:
    return {row[Col.cluster_id]: np.array(row[Col.centroid], np.float32) for row in found.centroids().collect()}


def test_clusters_and_labels_are_those_of_arrays(embeddings):
    (expected,), labels = split_arrays(ArrayVectors(DATA, IDS), COARSE, (5,), kmeans=KMeans(), seed=3)
    with SparkVectors.from_embeddings(embeddings, partitions=3) as vectors, split(vectors, COARSE, INSIDE) as found:
        for cluster_id, centroid in centroids_of(found).items():
            np.testing.assert_array_equal(centroid, expected[cluster_id])
        for here, there in zip(labels, assignments_arrays(found.assignments), strict=True):
            np.testing.assert_array_equal(there, here)


def test_a_cluster_above_the_limit_is_fitted_on_a_sample_and_assigned_in_a_stream(embeddings):
    most_bytes = 1000 * (4 * 4 + 8)  # the largest has 3000 members
    (expected,), labels = split_arrays(ArrayVectors(DATA, IDS), COARSE, (5,), kmeans=KMeans(), seed=3)
    with (
        SparkVectors.from_embeddings(embeddings, partitions=3) as vectors,
        split(vectors, COARSE, INSIDE, most_bytes=most_bytes) as found,
    ):
        centroids, there = centroids_of(found), assignments_arrays(found.assignments)
    assert len(there.labels) == 6000 and sorted(there.item_ids) == sorted(IDS)
    large = np.flatnonzero(there.labels // 5 == 0)
    assert len(large) > 2500
    np.testing.assert_array_equal(there.labels[there.labels >= 5], labels.labels[labels.labels >= 5])
    members = DATA[np.argsort(IDS)][large]
    own = np.stack([centroids[number] for number in range(5)])
    distances_sq = ((members[:, None] - own[None]) ** 2).sum(axis=2)
    np.testing.assert_array_equal(there.labels[large], distances_sq.argmin(axis=1))
    whole = labels.distances_sq[labels.labels < 5].sum()
    assert not np.array_equal(own, expected[:5])  # of a sample
    assert distances_sq.min(axis=1).sum() == pytest.approx(whole, rel=0.02)


def test_no_task_is_given_more_than_it_may_hold():
    sizes = np.array([100_000, 5000, 4000, 3000, 2000, 1000, 0])
    routes = routing(sizes, most=5000, n_tasks=2)
    held = np.bincount(routes.tasks, weights=np.minimum(sizes, 5000))
    assert held.max() <= 5000
    assert routes.is_sampled.tolist() == [True] + [False] * 6
    share = (routes.limits[0] / 2**63 + 1) / 2
    assert 4000 < share * 100_000 < 5000
    assert (routes.limits[1:] == 2**63 - 1).all()


def test_more_sampled_clusters_than_the_driver_holds_are_refused_with_the_way_out(embeddings, monkeypatch):
    monkeypatch.setattr(splits, "MOST_DRIVER_BYTES", 79)  # the one cluster above 1000 members makes 5 centroids
    said = r"1 of the coarse clusters .*split_bytes \(1,000 .* take 80 bytes .* set cluster"
    with SparkVectors.from_embeddings(embeddings, partitions=3) as vectors, pytest.raises(InputError, match=said):
        split(vectors, COARSE, INSIDE, most_bytes=1000 * 24)


def test_a_level_below_in_tables_and_one_above_on_the_driver(embeddings, monkeypatch):
    levels = [Level(60, splits=5), Level(4)]
    expected = fit_hierarchy(embeddings, levels, seed=1, driver_limit=DriverLimit(0, 0))
    monkeypatch.setattr(placement, "MOST_DRIVER_BYTES", 0)
    tree = fit_hierarchy(embeddings, levels, seed=1, driver_limit=DriverLimit(100_000))  # 60 vectors fit, 6000 do not
    assert isinstance(tree.levels[0], DistributedLevel)
    np.testing.assert_array_equal(tree.levels[1].n_items, expected.levels[1].n_items)


def test_a_tree_gives_back_what_spark_holds_of_it(spark, embeddings, monkeypatch):
    monkeypatch.setattr(placement, "MOST_DRIVER_BYTES", 0)

    def held() -> int:
        return spark.sparkContext._jsc.getPersistentRDDs().size()

    before = held()
    tree = fit_hierarchy(embeddings, [Level(60, splits=5), Level(20), Level(4)], seed=1, driver_limit=DriverLimit(0, 0))
    assert held() == before + 2  # the level that is split, with the parents that it has now, and the assignments
    tree.unpersist()
    assert held() == before


@pytest.mark.parametrize("most_driver_bytes", [2**30, 0])
def test_a_tree_on_split_clusters_counts_every_item_wherever_its_levels_are(embeddings, monkeypatch, most_driver_bytes):
    monkeypatch.setattr(placement, "MOST_DRIVER_BYTES", most_driver_bytes)
    levels = [Level(60, splits=5), Level(20, rounds=2), Level(4)]
    on_spark = DriverLimit(0, 0)
    tree = fit_hierarchy(embeddings, levels, seed=1, driver_limit=on_spark)
    arrays = fit_hierarchy(DATA[np.argsort(IDS)], levels, seed=1)
    assert isinstance(tree.levels[0], DistributedLevel) == (most_driver_bytes == 0)
    for level, expected in zip(tree.levels, arrays.levels, strict=True):
        assert level.total_items() == expected.total_items() == 6000
    found = tree.levels[0]
    if isinstance(found, DistributedLevel):
        rows = found.rows.toPandas().sort_values(Col.cluster_id)
        np.testing.assert_array_equal(rows[Col.n_items], arrays.levels[0].n_items)
        assert rows[Col.parent_id].notna().all() and rows[Col.parent_id].nunique() == 20
    else:
        np.testing.assert_array_equal(found.centroids, arrays.levels[0].centroids)
    assert select(tree, target=500, seed=0).count() == 500


@pytest.mark.parametrize("backend", ["numpy", "torch", "faiss"])
def test_the_kernel_of_the_task_works_inside_the_clusters(spark, monkeypatch, backend):
    labels = ArrayVectors(DATA, IDS).assignments(COARSE).labels
    order = np.argsort(IDS)
    piece = (labels, pack(Block(IDS[order], DATA[order])))
    near, used = assigner(spark, COARSE, backend), set()

    def noted(vectors, item_ids, *, kernel):
        used.add(kernel.backend)
        return ArrayVectors(vectors, item_ids, kernel=kernel)

    monkeypatch.setattr(splits, "ArrayVectors", noted)
    monkeypatch.setattr(splits, "settle", lambda: None)  # this process keeps its threads
    routes = routing(np.bincount(labels), most=10_000, n_tasks=1)
    streams = list(splits._fitted([(0, piece)], routes, INSIDE, most=10_000, near=near))
    assert used == {backend} and streams
    near.centroids.destroy()


@pytest.mark.parametrize("is_below", [True, False])
def test_a_run_says_by_name_where_split_bytes_does_not_hold(monkeypatch, is_below):
    least = placement.LEAST_MEMBERS * 5 * (4 * 4 + 8)  # five clusters of vectors of four numbers, with their ids
    vectors, said = SparkVectors.__new__(SparkVectors), []
    vectors.dim = 4
    fine = SimpleNamespace(centroids=lambda: COARSE, assignments=None)
    monkeypatch.setattr(fitting, "fit_centroids", lambda *_, **__: COARSE)
    monkeypatch.setattr(fitting, "split", lambda *_, most_bytes: nullcontext(fine))
    how = fitting.Fitting(KMeans(), 3, split_bytes=least - is_below, say=said.append)
    with fitting._clusters(vectors, Level(60, splits=5), number=2, fitting=how):
        pass
    assert said[0] == "level 2: splitting 12 coarse clusters into 5 each"
    assert said[1:] == is_below * [
        f"level 2: a task takes {least:,} bytes, above cluster.split_bytes of {least - 1:,}: "
        f"{placement.LEAST_MEMBERS} vectors for each of 5 clusters is the least; lower splits for less"
    ]
