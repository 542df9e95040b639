"""What thresholds would remove, told from a sample, beside what they do remove."""

from functools import partial

import numpy as np
import pytest

import equipoise.pipeline.calibration as calibration
from equipoise.errors import ConfigError, InputError
from equipoise.kernels.vectors import unit_length
from equipoise.pipeline.blocks import vectors_frame
from equipoise.pipeline.calibration import calibrated
from equipoise.pipeline.neighbours import neighbour_pairs
from equipoise.pipeline.search import Search
from equipoise.schemas import Col
from removals import n_removed

THRESHOLDS = [0.6, 0.7, 0.8, 0.9, 0.97]


N = 4000


def planted(n=N, dim=24, seed=0):
    """Half of them copies: of each of many originals one to five, and copies of copies, more or less far away."""
    random = np.random.default_rng(seed)
    vectors = [unit_length(random.normal(size=(n // 2, dim)).astype(np.float32))]
    while sum(map(len, vectors)) < n:
        some = np.concatenate(vectors)
        origins = some[random.integers(0, len(some) // 2, size=n // 8)]
        noise = random.normal(size=origins.shape) * random.uniform(0.02, 0.2, size=(len(origins), 1))
        vectors.append(unit_length((origins + noise).astype(np.float32)))
    return np.concatenate(vectors)[random.permutation(n)]


@pytest.fixture(scope="module")
def pool(spark):
    rows = vectors_frame(spark, np.arange(N), planted()).localCheckpoint()
    with neighbour_pairs(rows, Search(THRESHOLDS[0])) as pairs:
        ends = pairs.toPandas()
    removed = partial(n_removed, ends[Col.src], ends[Col.dst], ends[Col.similarity])
    return rows, [removed(threshold) / N for threshold in THRESHOLDS]


def test_a_tenth_tells_within_two_points_what_goes_of_a_pool_with_planted_copies(pool):
    rows, removed = pool
    found = calibrated(rows, Search(THRESHOLDS[0], seed=5), THRESHOLDS, share=0.1)
    assert removed[0] > 0.4 and removed[0] - removed[-1] > 0.2, "thresholds differ"
    for one, truth in zip(found.shares, removed, strict=True):
        assert one.middle == pytest.approx(truth, abs=0.02), one.threshold
        assert abs(one.middle - truth) <= one.margin
    assert found.n_items == N and 300 < found.n_sampled < 500
    assert found.n_sampled < found.n_searched <= calibration.MOST_TIMES * found.n_sampled


def test_a_share_of_all_is_exact_and_a_smaller_sample_lies_in_a_larger_one(pool):
    rows, removed = pool
    whole = calibrated(rows, Search(THRESHOLDS[0], seed=5), THRESHOLDS, share=1.0)
    assert [one.middle for one in whole.shares] == pytest.approx(removed)
    assert {one.margin for one in whole.shares} == {0.0} and whole.n_sampled == whole.n_searched == N


def test_what_is_not_followed_widens_the_margin(pool, monkeypatch):
    rows, removed = pool
    monkeypatch.setattr(calibration, "ROUNDS", 1)
    found = calibrated(rows, Search(THRESHOLDS[0], seed=5), THRESHOLDS, share=0.1)
    assert found.n_searched == found.n_sampled
    for one, truth in zip(found.shares, removed, strict=True):
        assert abs(one.middle - truth) <= one.margin
    assert found.shares[0].high - found.shares[0].low > 5 * calibration.WIDTH


def test_vectors_of_zeros_are_items_without_a_pair_and_limits_are_told(spark):
    vectors = np.concatenate([np.zeros((5, 2)), np.ones((5, 2))]).astype(np.float32)
    rows = vectors_frame(spark, np.arange(10), vectors)
    search = Search(0.5)
    assert calibrated(rows, search, [0.5], share=1.0).shares[0].middle == pytest.approx(0.4)
    zeros = calibrated(rows.where("item_id < 5"), search, [0.5], share=1.0)
    assert zeros.shares[0].middle == 0 and zeros.n_items == 5
    with pytest.raises(InputError, match=r"20 pairs lie above a cosine of 0.5, the driver takes 9: calibrate on a sm"):
        calibrated(rows, search, [0.5], share=1.0, most_edges=9)
    with pytest.raises(ConfigError, match=r"a share of 1e-09 draws none of the 10 items: give a larger one"):
        calibrated(rows, search, [0.5], share=1e-9)
