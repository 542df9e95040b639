"""A tree that is split from the top: the same wherever it is made, and what it is in the eyes of brute force."""

import numpy as np
import pytest

from equipoise import select
from equipoise.errors import ConfigError, InputError
from equipoise.kernels import placement
from equipoise.kernels.levels import KMeans, Level
from equipoise.kernels.placement import DriverLimit
from equipoise.pipeline.blocks import assignments_arrays, vectors_frame
from equipoise.pipeline.checkpoint import DistributedLevel, InMemory
from equipoise.pipeline.fitting import Fitting
from equipoise.pipeline.hierarchy import fit_hierarchy, open_vectors
from equipoise.pipeline.top_down import fit_top_down
from equipoise.schemas import Col

GENERATOR = np.random.default_rng(0)
MEANS = GENERATOR.normal(scale=20, size=(12, 4)).astype(np.float32)
WEIGHTS = np.array([0.5] + [0.5 / 11] * 11)
DATA = (MEANS[GENERATOR.choice(12, 3000, p=WEIGHTS)] + GENERATOR.normal(size=(3000, 4))).astype(np.float32)
IDS = GENERATOR.permutation(3000) * 7
KS = [48, 12, 4]
ON_SPARK = DriverLimit(0, 0)


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, IDS, DATA).cache()


@pytest.fixture(scope="module")
def arrays():
    return fit_hierarchy(DATA[np.argsort(IDS)], KS, tree="top_down", seed=1, tolerance=0, iterations=300)


def test_items_are_where_the_nearest_centroid_of_each_step_leads(arrays):
    vectors = DATA[np.argsort(IDS)].astype(float)
    _, labels, _ = arrays.assignments
    bottom, middle, top = arrays.levels
    parents = dict(zip(bottom.cluster_ids, bottom.parents, strict=True))
    above = dict(zip(middle.cluster_ids, middle.parents, strict=True))
    paths = [(above[parents[label]], parents[label], label) for label in labels]
    for vector, path in zip(vectors, paths, strict=True):
        above_it = 0
        for level, cluster, branches in zip((top, middle, bottom), path, (4, 3, 4), strict=True):
            siblings = np.flatnonzero(level.cluster_ids // branches == above_it)
            far = ((level.centroids[siblings] - vector) ** 2).sum(axis=1)
            assert level.cluster_ids[siblings[far.argmin()]] == cluster
            above_it = cluster


def test_centroids_are_the_means_of_all_items_below_and_sizes_add_up(arrays):
    vectors = DATA[np.argsort(IDS)].astype(float)
    labels = arrays.assignments.labels
    for level, width in zip(arrays.levels, (1, 4, 12), strict=True):
        assert len(level.cluster_ids) == 48 // width and level.total_items() == 3000
        for cluster_id, centroid, n_items in zip(level.cluster_ids, level.centroids, level.n_items, strict=True):
            members = vectors[labels // width == cluster_id]
            assert len(members) == n_items
            np.testing.assert_allclose(centroid, members.mean(axis=0), atol=1e-3)
    for level in arrays.levels[1:]:
        assert level.n_children.sum() == {12: 48, 4: 12}[len(level.cluster_ids)]


def test_on_spark_it_is_the_same(embeddings, arrays):
    tree = fit_hierarchy(embeddings, KS, tree="top_down", seed=1, tolerance=0, iterations=300, driver_limit=ON_SPARK)
    for found, expected in zip(tree.levels, arrays.levels, strict=True):
        for name in ("cluster_ids", "centroids", "n_items", "n_children", "mean_distance_sq", "parents"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    for here, there in zip(assignments_arrays(tree.assignments)[1:], arrays.assignments[1:], strict=True):
        np.testing.assert_array_equal(here, there)


def test_levels_too_large_for_the_driver_stay_on_spark_and_count_the_same(embeddings, arrays, monkeypatch):
    monkeypatch.setattr(placement, "MOST_DRIVER_BYTES", 0)
    tree = fit_hierarchy(embeddings, KS, tree="top_down", seed=1, tolerance=0, iterations=300, driver_limit=ON_SPARK)
    np.testing.assert_array_equal(tree.levels[2].n_items, arrays.levels[2].n_items)  # the top was fitted on the driver
    np.testing.assert_allclose(tree.levels[2].mean_distance_sq, arrays.levels[2].mean_distance_sq, rtol=1e-6)
    for found, expected in zip(tree.levels[:2], arrays.levels[:2], strict=True):
        assert isinstance(found, DistributedLevel)
        rows = found.rows.toPandas().sort_values(Col.cluster_id)
        np.testing.assert_array_equal(rows[Col.n_items], expected.n_items)
        np.testing.assert_allclose(rows[Col.mean_distance_sq], expected.mean_distance_sq, rtol=1e-6)
        np.testing.assert_array_equal(rows[Col.parent_id].astype(int), expected.parents)
    assert select(tree, target=200, seed=0).count() == 200
    tree.unpersist()


def test_clusters_above_the_limit_are_split_by_a_sample_and_every_item_descends(spark, embeddings):
    checkpoint = InMemory()
    fitting = Fitting(KMeans(), 1, spark, ON_SPARK, checkpoint, split_bytes=900 * (4 * 4 + 8))
    levels = fit_top_down(lambda: open_vectors(embeddings, spherical=False), [Level(k) for k in KS], fitting=fitting)
    item_ids, labels, distances_sq = assignments_arrays(checkpoint.assignments)
    np.testing.assert_array_equal(item_ids, np.sort(IDS))
    sizes = np.bincount(labels // 12)
    assert sizes.max() > 900  # of this the task had a sample alone
    for level, width in zip(levels, (1, 4, 12), strict=True):
        np.testing.assert_array_equal(np.unique(labels // width, return_counts=True)[1], level.n_items)
    centroids = levels[0].centroids[np.searchsorted(levels[0].cluster_ids, labels)]
    far = ((DATA[np.argsort(IDS)].astype(float) - centroids) ** 2).sum(axis=1)
    np.testing.assert_allclose(distances_sq, far, rtol=1e-3, atol=1e-4)


def test_a_tree_of_one_level_is_plain_k_means():
    plain, tree = (fit_hierarchy(DATA, [12], tree=tree, seed=1) for tree in ("bottom_up", "top_down"))
    np.testing.assert_array_equal(plain.levels[0].centroids, tree.levels[0].centroids)
    np.testing.assert_array_equal(plain.assignments.labels, tree.assignments.labels)


def test_a_tree_that_was_broken_off_ends_the_same(arrays):
    class Broken(InMemory):
        """Has the first level of a tree that ended there, and nothing of the others."""

        def load_level(self, number):
            return arrays.levels[0] if number == 1 else None

    checkpoint = Broken()
    levels = fit_top_down(
        lambda: open_vectors(DATA[np.argsort(IDS)], spherical=False),
        [Level(k) for k in KS],
        fitting=Fitting(KMeans(tolerance=0, iterations=300), 1, checkpoint=checkpoint),
    )
    for found, expected in zip(levels, arrays.levels, strict=True):
        np.testing.assert_array_equal(found.centroids, expected.centroids)
    np.testing.assert_array_equal(checkpoint.assignments.labels, arrays.assignments.labels)


def test_spherical_trees_have_centroids_of_unit_length():
    tree = fit_hierarchy(DATA, KS, tree="top_down", metric="cosine", seed=1)
    for level in tree.levels:
        np.testing.assert_allclose(np.linalg.norm(level.centroids, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([48, 13, 4], "48 is none of 13; take 39"),
        ([48, Level(12, rounds=2), 4], "level 2 .* has 2 rounds of resampling"),
        ([Level(48, splits=4), 12], "level 1 .* splits: 4"),
        ([12, 24], "12 is none of 24; take 24"),
    ],
)
def test_levels_that_do_not_split_are_refused(levels, reason):
    with pytest.raises(ConfigError, match=reason):
        fit_hierarchy(DATA, levels, tree="top_down")


def test_fewer_items_than_clusters_at_the_top_are_refused():
    with pytest.raises(InputError):
        fit_hierarchy(DATA[:3], [16, 4], tree="top_down")
