import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kernels import nearest as module
from equipoise.kernels.nearest import first_of_equals, nearest, prepare


def brute_force(vectors, centroids):
    differences = vectors[:, None, :].astype(np.float64) - centroids[None, :, :].astype(np.float64)
    distances_sq = (differences**2).sum(axis=2)
    return distances_sq.argmin(axis=1), distances_sq.min(axis=1)


@given(
    n=st.integers(1, 40), k=st.integers(1, 12), dim=st.integers(1, 9), offset=st.sampled_from([0.0, 100.0]),
    seed=st.integers(0, 1000),
)  # fmt: skip
def test_labels_and_distances_are_those_of_brute_force(n, k, dim, offset, seed):
    generator = np.random.default_rng(seed)
    vectors = (generator.normal(size=(n, dim)) + offset).astype(np.float32)
    centroids = (generator.normal(size=(k, dim)) + offset).astype(np.float32)
    labels, distances_sq = nearest(vectors, prepare(centroids))
    expected, expected_sq = brute_force(vectors, centroids)
    chosen_sq = ((vectors.astype(np.float64) - centroids[labels]) ** 2).sum(axis=1)
    np.testing.assert_allclose(distances_sq, chosen_sq, rtol=1e-5)
    np.testing.assert_allclose(chosen_sq, expected_sq, rtol=1e-3, atol=1e-4)
    assert (labels == expected).mean() > 0.9


def test_many_rows_and_tiles_change_no_label(monkeypatch):
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(1300, 8)).astype(np.float32)
    centroids = generator.normal(size=(50, 8)).astype(np.float32)
    expected, _ = brute_force(vectors, centroids)
    monkeypatch.setattr(module, "CENTROIDS_PER_TILE", 7)
    labels, _ = nearest(vectors, prepare(centroids))
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("tile", [2, 2048])
def test_ties_go_to_the_lowest_index_also_across_tiles(monkeypatch, tile):
    monkeypatch.setattr(module, "CENTROIDS_PER_TILE", tile)
    centroids = np.array([[5, 5], [1, 0], [1, 0], [1, 0], [9, 9]], dtype=np.float32)
    labels, distances_sq = nearest(np.array([[1, 0], [2, 0]], dtype=np.float32), prepare(centroids))
    np.testing.assert_array_equal(labels, [1, 1])
    np.testing.assert_array_equal(distances_sq, [0, 1])


def test_half_precision_vectors_are_compared_in_single_precision():
    vectors = np.array([[0.1, 0.2], [3, 4]], dtype=np.float16)
    centroids = np.array([[0, 0], [3, 4]], dtype=np.float32)
    labels, distances_sq = nearest(vectors, prepare(centroids))
    np.testing.assert_array_equal(labels, [0, 1])
    np.testing.assert_allclose(distances_sq, [(vectors[0].astype(np.float64) ** 2).sum(), 0], rtol=1e-6)


def test_far_from_the_origin_neighbours_are_still_told_apart():
    centroids = np.array([[1000.0, 0], [1000.5, 0]], dtype=np.float32)
    vectors = np.array([[1000.1, 0], [1000.4, 0]], dtype=np.float32)
    labels, _ = nearest(vectors, prepare(centroids))
    np.testing.assert_array_equal(labels, [0, 1])


def test_the_first_of_equal_rows_is_found():
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(5000, 3)).astype(np.float32)
    distinct[7] = 0
    order = rng.integers(5000, size=9000)
    rows = distinct[order]
    rows[np.flatnonzero(order == 7)[1:]] = -0.0  # equals 0
    lowest = {number: place for place, number in reversed(list(enumerate(order.tolist())))}
    assert first_of_equals(rows).tolist() == [lowest[number] for number in order.tolist()]
    assert prepare(distinct).first is None


def test_rows_of_the_same_hash_that_differ_are_told_apart(monkeypatch):
    monkeypatch.setattr(np.random, "default_rng", lambda seed: SameWeights())
    rows = np.array([[1, 2], [2, 1], [1, 2]], dtype=np.float32)
    assert first_of_equals(rows).tolist() == [0, 1, 0]


class SameWeights:
    def integers(self, high: int, *, size: int, dtype: type) -> np.ndarray:
        return np.ones(size, dtype)
