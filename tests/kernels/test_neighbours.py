"""The nearest by cosine against a plain sort, in exact arithmetic where ties decide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from equipoise.errors import InputError
from equipoise.kernels import neighbours
from equipoise.kernels.neighbours import indices_of, nearest_by_cosine, ranking_keys

SCORES = arrays.arrays(np.float32, (2, 9), elements=st.floats(-4, 4, width=32) | st.sampled_from([0.0, -0.0, 1.0]))


def sorted_cosines(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (queries, gallery)]
    return -np.sort(-(unit[0] @ unit[1].T), axis=1)


@given(SCORES)
def test_keys_order_scores_and_then_columns(scores):
    order = indices_of(-np.sort(-ranking_keys(scores), axis=1))
    np.testing.assert_array_equal(order, np.argsort(-scores, axis=1, kind="stable"))


@settings(max_examples=20)
@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 7))
def test_cosines_are_the_highest_whatever_the_tiles(seed, k, tile):
    rng = np.random.default_rng(seed)
    queries, gallery = rng.normal(size=(11, 5)), rng.normal(size=(40, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "VECTORS_PER_TILE", tile)
        patch.setattr(neighbours, "QUERIES_PER_CHUNK", 4)
        found = nearest_by_cosine(queries, gallery, k)
    np.testing.assert_allclose(found.cosines, sorted_cosines(queries, gallery)[:, :k], atol=1e-6)
    assert all(len(set(row)) == k for row in found.indices.tolist())


@pytest.mark.parametrize("tile", [3, 8192])
def test_equal_vectors_come_in_the_order_of_their_indices(monkeypatch, tile):
    monkeypatch.setattr(neighbours, "VECTORS_PER_TILE", tile)
    rng = np.random.default_rng(0)
    distinct = rng.normal(size=(4, 33))
    gallery = np.tile(distinct, (5, 1))  # rows i, i + 4, i + 8, ... are equal
    found = nearest_by_cosine(distinct, gallery, 7)
    np.testing.assert_array_equal(found.indices[:, :5], np.arange(4)[:, None] + 4 * np.arange(5))


def test_lengths_do_not_matter_and_zeros_have_cosine_0():
    found = nearest_by_cosine(np.array([[5.0, 0.0]]), np.array([[0.0, 0.0], [-1.0, 0.0], [0.1, 0.0], [9.0, 9.0]]), 4)
    np.testing.assert_array_equal(found.indices, [[2, 3, 0, 1]])
    np.testing.assert_allclose(found.cosines, [[1, np.sqrt(0.5), 0, -1]], atol=1e-7)


@pytest.mark.parametrize(
    ("queries", "gallery", "k", "complaint"),
    [
        (np.ones((2, 3)), np.ones((4, 2)), 1, "shape"),
        (np.ones((0, 3)), np.ones((4, 3)), 1, "shape"),
        (np.ones((2, 3)), np.ones((0, 3)), 1, "has 0 vectors"),
        (np.ones((2, 3)), np.ones((4, 3)), 5, "k is 5 for 4 vectors"),
        (np.ones((2, 3)), np.ones((4, 3)), 0, "k is 0 for 4 vectors"),
        (np.array([[1.0, 1.0], [np.nan, 0.0]]), np.ones((4, 2)), 1, "queries: 1 vectors are not finite.*row 1"),
        (np.ones((2, 2)), np.array([[np.inf, 0.0]]), 1, "the gallery: 1 vectors are not finite.*row 0"),
    ],
)
def test_bad_input(queries, gallery, k, complaint):
    with pytest.raises(InputError, match=complaint):
        nearest_by_cosine(queries, gallery, k)
