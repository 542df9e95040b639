"""Statistics that are added up on the way have the bits of those added up by the driver."""

import numpy as np
import pytest

from equipoise.kernels import placement
from equipoise.pipeline import reduction, sharing
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.sharing import share
from equipoise.pipeline.spark_vectors import SparkVectors

DATA = np.random.default_rng(0).normal(size=(3000, 8)).astype(np.float32)
CENTROIDS = DATA[:200]


@pytest.mark.parametrize("bytes_per_shard", [64 * 2**20, 1000])
def test_scattered_sums_have_the_bits_of_straight_ones(spark, monkeypatch, bytes_per_shard):
    with SparkVectors.from_embeddings(vectors_frame(spark, np.arange(3000), DATA), partitions=5) as vectors:
        straight = vectors.assign(CENTROIDS)
        monkeypatch.setattr(placement, "MOST_STRAIGHT_BYTES", 0)
        monkeypatch.setattr(placement, "BYTES_PER_SHARD", bytes_per_shard)
        scattered = vectors.assign(CENTROIDS)
    for column in ("sums", "counts", "costs"):
        np.testing.assert_array_equal(getattr(scattered, column), getattr(straight, column))


@pytest.mark.parametrize(
    ("n_partitions", "count", "k"), [(65_536, 743_000_000, 100_000), (4, 1000, 50), (8, 10**7, 10**6)]
)
def test_what_one_task_adds_up_stays_under_a_bound_whatever_the_number_of_vectors(n_partitions, count, k):
    shards = placement.shards_for(n_partitions, count, k=k, dim=1024)
    sent = n_partitions * placement.stats_bytes(min(k, -(-count // n_partitions)), 1024)
    assert sent / shards <= placement.BYTES_PER_SHARD
    assert 1 <= shards <= k


def test_what_would_be_too_much_for_the_driver_is_scattered():
    gib = 2**30
    assert placement.goes_straight(100, 1000, 256, most_result_bytes=gib)  # 206 MB of 268
    assert not placement.goes_straight(200, 1000, 256, most_result_bytes=gib)
    assert placement.goes_straight(10_000, 1000, 256, most_result_bytes=0)  # no limit
    assert not placement.goes_straight(1, 600_000, 256, most_result_bytes=0)  # 1.2 GB in one value


def test_the_driver_says_how_much_it_takes(spark):
    assert reduction.most_result_bytes(spark) == 2 * 2**30


@pytest.mark.parametrize("bytes_per_piece", [sharing.BYTES_PER_PIECE, 100])
def test_a_shared_array_arrives_whole_however_many_pieces_it_travels_in(spark, bytes_per_piece):
    shared = share(spark.sparkContext, CENTROIDS, bytes_per_piece=bytes_per_piece)
    assert len(shared.pieces) == (1 if bytes_per_piece > 100 else 67)  # 3 rows of 32 bytes in each
    sums = spark.sparkContext.parallelize([0], 1).map(lambda _: shared.value.tobytes()).collect()
    assert sums == [CENTROIDS.tobytes()]
    shared.destroy()
