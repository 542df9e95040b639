import numpy as np
import pytest

from equipoise import Level, fit_hierarchy, select
from equipoise.errors import ConfigError, InputError
from equipoise.kernels.levels import KMeans
from equipoise.kernels.placement import DriverLimit
from equipoise.kernels.vectors import ArrayVectors
from equipoise.papers.simulation import kl_to_uniform, simulation_points
from equipoise.pipeline.blocks import assignments_arrays, vectors_frame
from equipoise.pipeline.checkpoint import InMemory
from equipoise.pipeline.fitting import Fitting, fit_levels

DATA = np.random.default_rng(0).normal(size=(2000, 6)).astype(np.float32)
LEVELS = [100, Level(20, rounds=2), 5]
ALL_ON_SPARK = DriverLimit(bytes=0, flops=0)


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, np.arange(len(DATA)), DATA).cache()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_arrays_the_driver_and_spark_give_the_same_tree(embeddings, metric):
    arrays = fit_hierarchy(DATA, LEVELS, metric=metric, iterations=5)
    labels = arrays.assignments.labels
    for limit in (None, ALL_ON_SPARK):
        tree = fit_hierarchy(embeddings, LEVELS, metric=metric, iterations=5, driver_limit=limit)
        assert (assignments_arrays(tree.assignments).labels == labels).mean() > 0.999
        for level, expected in zip(tree.levels, arrays.levels, strict=True):
            np.testing.assert_allclose(level.centroids, expected.centroids, atol=1e-5)


def test_a_level_too_thin_to_resample_is_said_once():
    said = []
    levels = [Level(250), Level(100, rounds=2), Level(20, rounds=2)]
    fit_levels(
        lambda: ArrayVectors(DATA[:1000]), levels, fitting=Fitting(KMeans(iterations=3), seed=0, say=said.append)
    )
    assert [text.split(" are ")[0] for text in said] == ["level 2: 250 vectors in 100 clusters"]


def test_sizes_add_up_from_level_to_level():
    tree = fit_hierarchy(DATA, LEVELS, iterations=5)
    for below, level in zip(tree.levels, tree.levels[1:], strict=False):
        for position, cluster_id in enumerate(level.cluster_ids):
            children = below.parents == cluster_id
            assert level.n_children[position] == children.sum()
            assert level.n_items[position] == below.n_items[children].sum()
    assert [level.n_items.sum() for level in tree.levels] == [2000] * 3
    assert tree.levels[-1].parents is None
    assert repr(tree) == "Hierarchy(clusters by level, the finest first: 100, 20, 5)"


def test_mean_distances_are_those_of_the_members():
    tree = fit_hierarchy(DATA, [50], iterations=5)
    labelled = tree.assignments
    for cluster_id, centroid, mean in zip(
        tree.levels[0].cluster_ids, tree.levels[0].centroids, tree.levels[0].mean_distance_sq, strict=True
    ):
        members = DATA[labelled.labels == cluster_id].astype(np.float64)
        assert ((members - centroid) ** 2).sum(axis=1).mean() == pytest.approx(mean, rel=1e-5)


def test_clusters_without_members_are_left_out():
    tree = fit_hierarchy(np.repeat([[0.0, 1.0], [5.0, 5.0], [9.0, 0.0]], 10, axis=0), [6, 2])
    assert len(tree.levels[0].cluster_ids) == 3
    assert tree.levels[0].n_items.tolist() == [10, 10, 10]
    assert tree.levels[1].n_items.sum() == 30


def test_a_finished_level_is_not_built_again():
    class Kept(InMemory):
        def __init__(self):
            self.levels = {}

        def load_level(self, number):
            return self.levels.get(number)

        def save_level(self, number, levels):
            self.levels |= {number - len(levels) + 1 + place: level for place, level in enumerate(levels)}
            return list(levels)

    kept, seen = Kept(), []
    fitting = Fitting(KMeans(iterations=3), 0, checkpoint=kept, on_step=lambda number, state: seen.append(number))
    levels = [Level(50), Level(10), Level(3)]
    whole = fit_levels(lambda: ArrayVectors(DATA), levels, fitting=fitting)
    del kept.levels[3]
    seen.clear()
    again = fit_levels(lambda: pytest.fail("level 1 is finished"), levels, fitting=fitting)
    assert set(seen) == {3}
    np.testing.assert_array_equal(again[2].centroids, whole[2].centroids)
    np.testing.assert_array_equal(again[1].parents, whole[1].parents)


@pytest.mark.parametrize(
    ("vectors", "levels", "metric", "error", "said"),
    [
        (DATA, [10, 10], "euclidean", ConfigError, "k = 10, not below the 10 of level 1"),
        (DATA[:5], [10], "euclidean", InputError, "k = 10 is above the number of vectors, 5"),
        (np.ones((20, 3)), [4], "euclidean", InputError, "all 20 vectors are equal"),
        ([[1.0, 0.0], [0.0, 0.0]], [2], "cosine", InputError, "item 1 is zero"),
    ],
)
def test_what_cannot_be_clustered_is_refused(vectors, levels, metric, error, said):
    with pytest.raises(error, match=said):
        fit_hierarchy(vectors, levels, metric=metric)


def test_a_frame_with_vectors_that_are_not_finite_is_refused(spark):
    broken = vectors_frame(spark, np.arange(3), np.array([[0, 1], [np.nan, 1], [2, 2]], np.float32))
    with pytest.raises(InputError, match="not finite"):
        fit_hierarchy(broken, [2], driver_limit=ALL_ON_SPARK)


def test_a_frame_with_a_zero_vector_is_refused_with_cosine(spark):
    broken = vectors_frame(spark, np.arange(3), np.array([[0, 1], [0, 0], [2, 2]], np.float32))
    with pytest.raises(InputError, match="zero"):
        fit_hierarchy(broken, [2], metric="cosine", driver_limit=ALL_ON_SPARK)


def test_selecting_from_arrays_and_from_frames_gives_the_same_items(embeddings):
    options = {"target": 300, "method": "hierarchical", "within": "closest", "seed": 4}
    chosen = [
        {row.item_id for row in select(fit_hierarchy(vectors, LEVELS, iterations=5), **options).collect()}
        for vectors in (DATA, embeddings)
    ]
    assert len(chosen[0]) == 300 and len(chosen[0] ^ chosen[1]) <= 2


PAPER = {
    "1 level": ([300], 0.36),
    "2 levels": ([1500, 300], 0.15),
    "3 levels": ([3000, 1000, 300], 0.105),
    "3 levels, resampled": ([Level(k, rounds=10, points=2) for k in (3000, 1000, 300)], 0.06),
}
"""Vo et al. 2024, figure 3: 0.340, 0.132, 0.081 and 0.042; the bounds are on the mean over five seeds."""


def simulated_kl(spark, levels, *, seed, driver_limit=None):
    points = simulation_points(seed)
    frame = vectors_frame(spark, np.arange(len(points)), points)
    return kl_to_uniform(fit_hierarchy(frame, levels, seed=seed, driver_limit=driver_limit).levels[-1].centroids)


def test_every_level_and_resampling_bring_the_centroids_nearer_to_uniform(spark):
    kls = [simulated_kl(spark, levels, seed=0) for levels, _ in PAPER.values()]
    assert kls == sorted(kls, reverse=True)
    for kl, (_, bound) in zip(kls, PAPER.values(), strict=True):
        assert kl <= 1.1 * bound


@pytest.mark.slow
@pytest.mark.parametrize("case", PAPER)
def test_over_five_seeds_the_simulation_of_the_paper_comes_out(spark, case):
    levels, bound = PAPER[case]
    assert np.mean([simulated_kl(spark, levels, seed=seed) for seed in range(5)]) <= bound


@pytest.mark.slow
def test_with_every_level_on_spark_the_simulation_is_the_same(spark):
    here, there = (simulated_kl(spark, [1500, 300], seed=0, driver_limit=limit) for limit in (None, ALL_ON_SPARK))
    assert there == pytest.approx(here, rel=0.02)
