import numpy as np
import pytest
from pyspark.sql import functions as F

from equipoise.errors import InputError
from equipoise.kernels.levels import KMeans, Level, fit_level
from equipoise.kernels.lloyd import Iteration, lloyd
from equipoise.kernels.packing import unpack
from equipoise.kernels.placement import DriverLimit, partitions_for
from equipoise.kernels.seeding import seed_centroids
from equipoise.kernels.vectors import ArrayVectors
from equipoise.pipeline import blocks as blocks_module
from equipoise.pipeline import candidates as candidates_module
from equipoise.pipeline import spark_vectors as spark_vectors_module
from equipoise.pipeline import splits, workers
from equipoise.pipeline.blocks import assignments_arrays, vectors_frame
from equipoise.pipeline.fitting import Fitting, fit_levels
from equipoise.pipeline.sharing import SharedArray, share
from equipoise.pipeline.spark_vectors import SparkVectors
from equipoise.tables import DeltaCheckpoint, Workspace

IDS = np.random.default_rng(9).permutation(10_000)[:3000].astype(np.int64)
DATA = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
ARRAYS = ArrayVectors(DATA, IDS)
CENTROIDS = ARRAYS.sample(40, seed=1)


@pytest.fixture(scope="module")
def embeddings(spark):
    return vectors_frame(spark, IDS, DATA).cache()


@pytest.fixture(scope="module")
def vectors(embeddings):
    with SparkVectors.from_embeddings(embeddings, partitions=3) as opened:
        yield opened


def test_vectors_travel_to_spark_and_back_unchanged(vectors):
    back = vectors.to_arrays()
    np.testing.assert_array_equal(back.item_ids, ARRAYS.item_ids)
    np.testing.assert_array_equal(back.vectors, ARRAYS.vectors)
    assert (vectors.count, vectors.dim, vectors.n_partitions) == (3000, 8, 3)


def test_statistics_are_those_of_arrays(vectors):
    here, there = ARRAYS.assign(CENTROIDS), vectors.assign(CENTROIDS)
    np.testing.assert_array_equal(there.counts, here.counts)
    np.testing.assert_allclose(there.sums, here.sums, rtol=1e-12, atol=1e-12)
    assert there.objective == pytest.approx(here.objective, rel=1e-12)


def test_labels_are_those_of_arrays(vectors):
    here, there = ARRAYS.assignments(CENTROIDS), assignments_arrays(vectors.assignments(CENTROIDS))
    for expected, found in zip(here, there, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_samples_are_those_of_arrays_whatever_the_partitions(vectors):
    for n in (1, 100, 3000, 5000):
        np.testing.assert_array_equal(vectors.sample(n, seed=4), ARRAYS.sample(n, seed=4))


@pytest.mark.parametrize("backend", ["torch", "faiss"])
def test_other_backends_assign_as_numpy_does(embeddings, backend):
    here = ARRAYS.assign(CENTROIDS)
    with SparkVectors.from_embeddings(embeddings, partitions=3, backend=backend) as opened:
        there, labels = opened.assign(CENTROIDS), assignments_arrays(opened.assignments(CENTROIDS))
    np.testing.assert_array_equal(there.counts, here.counts)
    np.testing.assert_allclose(there.sums, here.sums, rtol=1e-6, atol=1e-5)
    np.testing.assert_array_equal(labels.labels, ARRAYS.assignments(CENTROIDS).labels)


def test_candidates_are_those_of_arrays_and_leave_nothing_on_the_executors(spark, vectors, monkeypatch):
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    with vectors.candidates() as there, ARRAYS.candidates() as here:
        for turn in range(3):
            drawn = ARRAYS.sample(10, seed=1)
            if turn:
                drawn = here.sample_far(50, seed=turn)
                np.testing.assert_array_equal(there.sample_far(50, seed=turn), drawn)
            for candidates in (here, there):
                candidates.add(drawn)
        found, expected = there.stats(), here.stats()
        np.testing.assert_array_equal(found.counts, expected.counts)
        np.testing.assert_allclose(found.sums, expected.sums, rtol=1e-12, atol=1e-12)
        assert expected.counts.sum() == 3000 and len(expected.counts) == 110
        every = here.neighbours(DATA, 4)
        np.testing.assert_array_equal(there.neighbours(DATA, 4), every)
        monkeypatch.setattr(candidates_module, "MOST_NEIGHBOUR_FLOPS", 0)
        np.testing.assert_array_equal(there.neighbours(DATA, 4), every)
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before


def test_no_vector_is_drawn_where_all_are_candidates(vectors):
    with vectors.candidates() as candidates:
        candidates.add(DATA)
        assert candidates.sample_far(50, seed=6).shape == (0, 8)


def test_seeds_by_candidates_are_those_of_arrays(vectors):
    here, there = (seed_centroids(one, 60, method="kmeans||", seed=3) for one in (ARRAYS, vectors))
    np.testing.assert_allclose(there, here, rtol=1e-6)


def test_the_farthest_members_are_those_of_arrays(vectors):
    clusters = np.array([17, 3, 30])
    np.testing.assert_array_equal(vectors.farthest(CENTROIDS, clusters), ARRAYS.farthest(CENTROIDS, clusters))


@pytest.mark.parametrize("r", [1, 20, 10_000])
def test_the_closest_members_are_those_of_arrays(vectors, r):
    expected = ARRAYS.closest(CENTROIDS, r)
    with vectors.closest(CENTROIDS, r) as kept:
        assert kept.count == expected.count
        np.testing.assert_array_equal(kept.to_arrays().item_ids, expected.item_ids)


def test_ties_among_the_closest_go_to_the_lowest_id(spark):
    ids, rows = np.array([4, 3, 2, 1]), np.array([[1.0], [-1.0], [1.0], [0.0]], np.float32)
    with SparkVectors.from_arrays(spark, rows, ids) as opened, opened.closest(np.zeros((1, 1), np.float32), 3) as kept:
        np.testing.assert_array_equal(kept.to_arrays().item_ids, [1, 2, 3])


def test_the_loop_ends_with_the_objective_and_the_labels_of_arrays(vectors):
    *_, here = lloyd(ARRAYS, Iteration(0, CENTROIDS, np.inf), iterations=15)
    *_, there = lloyd(vectors, Iteration(0, CENTROIDS, np.inf), iterations=15)
    assert there.objective == pytest.approx(here.objective, rel=1e-5)
    labels = assignments_arrays(vectors.assignments(there.centroids)).labels
    assert (labels == ARRAYS.assignments(here.centroids).labels).mean() > 0.999


def test_a_level_with_resampling_is_that_of_arrays(vectors):
    level, kmeans = Level(30, rounds=2, points="half"), KMeans(iterations=6)
    here = fit_level(ARRAYS, level, kmeans=kmeans, seed=2)
    there = fit_level(vectors, level, kmeans=kmeans, seed=2)
    np.testing.assert_allclose(there, here, atol=1e-5)


def test_blocks_are_the_same_bytes_however_the_rows_arrive(embeddings, monkeypatch):
    monkeypatch.setattr(blocks_module, "ROWS_PER_BLOCK", 256)
    packed = []
    for rows in (embeddings, embeddings.repartition(7).orderBy(F.desc("item_id"))):
        block_rows = blocks_module.blocks(rows, partitions=3, dim=8, spherical=False)
        packed.append([bytes(row[0]) for row in block_rows.collect()])
    assert packed[0] == packed[1]
    assert len(packed[0]) >= 12


def test_half_precision_stores_half_the_bytes_and_keeps_the_objective(embeddings):
    with SparkVectors.from_embeddings(embeddings, partitions=2, half=True) as half:
        assert half.assign(CENTROIDS).objective == pytest.approx(ARRAYS.assign(CENTROIDS).objective, rel=1e-3)


def test_spherical_vectors_have_unit_length(embeddings):
    with SparkVectors.from_embeddings(embeddings, partitions=2, spherical=True) as opened:
        np.testing.assert_allclose(np.linalg.norm(opened.to_arrays().vectors, axis=1), 1, rtol=1e-6)


def test_the_number_of_partitions_comes_from_the_bytes():
    assert partitions_for(1, 1) == 1
    assert partitions_for(200_000, 256) == 4  # 195 MiB: small, but worth the cores of a small machine
    assert partitions_for(20_000, 256) == 2  # 19.5 MiB
    assert partitions_for(1_000_000, 1024) == 32  # one for 128 MiB: 31 would do, the next power of two


def test_blocks_of_arrays_are_even():
    assert blocks_module.even_rows(200_000, 256, 4) == 1000  # 50 in a partition of 50,000, none above a MiB: 1015
    assert blocks_module.even_rows(10, 4, 4) == 3
    assert blocks_module.even_rows(1000, 100_000, 1) == 2
    assert blocks_module.even_rows(1000, 1_000_000, 1) == 1  # a vector is never cut


def test_vectors_of_different_lengths_are_refused_with_both(spark):
    rows = spark.createDataFrame([(1, [1.0, 2.0]), (2, [1.0, 2.0, 3.0])], "item_id bigint, embedding array<float>")
    with pytest.raises(InputError, match="2 and of 3 numbers"):
        SparkVectors.from_embeddings(rows)


def test_vectors_beyond_float16_are_refused_with_half_unless_they_are_brought_to_unit_length(spark):
    rows = spark.createDataFrame([(1, [1.0, 2.0]), (9, [1e5, 2.0])], "item_id bigint, embedding array<float>")
    with pytest.raises(InputError, match="item 9 holds a number beyond 65504"):
        SparkVectors.from_embeddings(rows, half=True)
    with SparkVectors.from_embeddings(rows, half=True, spherical=True) as opened:
        assert opened.count == 2


def test_no_vectors_are_refused(spark):
    with pytest.raises(InputError, match="no embeddings"):
        SparkVectors.from_embeddings(spark.createDataFrame([], "item_id bigint, embedding array<float>"))


def test_leaving_the_context_gives_the_storage_back(spark, embeddings):
    before = spark.sparkContext._jsc.getPersistentRDDs().size()
    with SparkVectors.from_embeddings(embeddings, partitions=2) as opened:
        opened.assign(CENTROIDS)
        assert spark.sparkContext._jsc.getPersistentRDDs().size() == before + 1
    assert spark.sparkContext._jsc.getPersistentRDDs().size() == before


def test_members_that_stay_for_resampling_are_blocks_as_small_as_any(spark, monkeypatch):
    data = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
    with SparkVectors.from_arrays(spark, data, np.arange(3000)) as vectors:
        monkeypatch.setattr(spark_vectors_module, "rows_per_block", lambda dim: 100)
        with vectors.closest(data[:2], 1000) as members:
            sizes = members._packed.map(lambda block: len(unpack(block).item_ids)).collect()
    assert sum(sizes) == members.count > 1000
    assert max(sizes) == 100


def test_a_task_of_arrays_carries_no_vectors_once_they_are_spread(spark):
    data = np.random.default_rng(0).normal(size=(50_000, 100)).astype(np.float32)
    with SparkVectors.from_arrays(spark, data, np.arange(50_000)) as vectors:
        assert vectors.n_partitions == 2
        assert b"ShuffledRDD" in vectors._packed.toDebugString()
        np.testing.assert_array_equal(vectors.to_arrays().vectors, data)


def test_arrays_of_the_driver_become_few_files(spark, monkeypatch):
    data = np.zeros((3000, 64), np.float32)
    monkeypatch.setattr(blocks_module, "BYTES_PER_BLOCK", 10_000)
    assert blocks_module.vectors_frame(spark, np.arange(3000), data).rdd.getNumPartitions() == 1
    monkeypatch.setattr(blocks_module, "BYTES_PER_TASK", 200_000)
    assert blocks_module.vectors_frame(spark, np.arange(3000), data).rdd.getNumPartitions() == 5


@pytest.fixture
def destroyed(monkeypatch) -> list[int]:
    """The numbers of the shared arrays that were destroyed."""
    numbers: list[int] = []
    destroy = SharedArray.destroy

    def noted(self: SharedArray) -> None:
        numbers.append(self.number)
        destroy(self)

    monkeypatch.setattr(SharedArray, "destroy", noted)
    return numbers


def test_centroids_that_a_lazy_frame_needs_are_lent_and_taken_back(spark, destroyed):
    with SparkVectors.from_embeddings(vectors_frame(spark, IDS, DATA)) as vectors:
        lazy = vectors.assignments(CENTROIDS)
        vectors.assign(CENTROIDS)
        assert len(destroyed) == 1  # what an iteration shares goes with it
        assert lazy.count() == len(DATA)
        vectors.take_back()
        assert len(set(destroyed)) == 2


@pytest.mark.parametrize("level", [Level(6), Level(6, splits=2)])
def test_a_level_that_is_saved_leaves_nothing_on_the_executors(spark, destroyed, tmp_path, level, monkeypatch):
    shared = []

    def noted(*given, **named):
        shared.append(share(*given, **named))
        return shared[-1]

    for module in (spark_vectors_module, workers, splits):
        monkeypatch.setattr(module, "share", noted)
    workspace = Workspace(spark, str(tmp_path))
    checkpoint = DeltaCheckpoint(workspace, "r", "cluster", n_levels=1, is_new=True)
    fitting = Fitting(KMeans(), 0, spark, DriverLimit(0, 0), checkpoint)
    fit_levels(lambda: SparkVectors.from_embeddings(vectors_frame(spark, IDS, DATA)), [level], fitting=fitting)
    assert shared and {array.number for array in shared} == set(destroyed)
