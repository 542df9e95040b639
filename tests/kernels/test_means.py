"""Means of groups of unit vectors: by hand, and the same bits in any order."""

import numpy as np

from equipoise.kernels.means import squared_distances, unit_sums

VECTORS = np.array([[3, 4], [0, 2], [-5, 0], [0, 0]], dtype=np.float32)


def test_vectors_are_brought_to_unit_length_and_added_up_by_group():
    groups, sizes, sums = unit_sums(np.array([4, 4, -1, -1]), VECTORS)
    assert groups.tolist() == [4, -1] and sizes.tolist() == [2, 2]
    np.testing.assert_allclose(sums / 2**32, [[0.6, 1.8], [-1, 0]], atol=1e-7)


def test_distances_to_the_mean_are_squared():
    _, sizes, sums = unit_sums(np.array([0, 0]), VECTORS[:2])
    found = squared_distances(VECTORS[:2], sums[[0, 0]], sizes[[0, 0]])
    np.testing.assert_allclose(found, [0.3**2 + 0.1**2] * 2, atol=1e-7)


def test_sums_have_the_same_bits_in_any_order_and_in_parts():
    vectors = np.random.default_rng(0).normal(size=(1000, 7)).astype(np.float32)
    zeros = np.zeros(1000, np.int64)
    _, _, whole = unit_sums(zeros, vectors)
    _, _, turned = unit_sums(zeros, vectors[::-1])
    parts = [unit_sums(zeros[part], vectors[part])[2] for part in (slice(0, 3), slice(3, 1000))]
    assert np.array_equal(whole, turned) and np.array_equal(whole, parts[0] + parts[1])
