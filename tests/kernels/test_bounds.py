"""The bound of products is never below them, and tight where the vectors' length is in few directions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.kernels.bounds import Projected, fit_basis, margin, project
from equipoise.kernels.vectors import unit_length


def drawn(seed: int, n: int, dim: int, *, decay: float) -> np.ndarray:
    """Vectors of many lengths whose i-th direction is i ** -decay as long, with copies and a zero among them."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    vectors = (rng.normal(size=(n, dim)) * np.arange(1, dim + 1) ** -decay) @ turned * rng.lognormal(size=(n, 1))
    vectors[n // 2] = vectors[0]
    vectors[-1] = 0
    return vectors.astype(np.float32)


def excess(left: Projected, right: Projected, width: int) -> np.ndarray:
    """By how much the bounds are above the products, over the vectors' lengths: exact but for 2^-53."""
    exact = left.vectors.astype(np.float64) @ right.vectors.T.astype(np.float64)
    bound = (left.folded(width) @ right.folded(width).T).astype(np.float64)
    scale = np.sqrt(np.outer(left.norms_sq, right.norms_sq))
    return (bound - exact) / np.where(scale == 0, 1, scale)


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(2, 30), st.integers(3, 150), st.floats(0, 3), st.booleans())
def test_a_bound_is_never_below_the_product(seed, n, dim, decay, of_unit_length):
    vectors = drawn(seed, 2 * n, dim, decay=decay)
    vectors = unit_length(vectors) if of_unit_length else vectors
    basis = fit_basis(vectors[:n])  # the others are none of the sample
    left, right = project(vectors, basis), project(vectors[n:], basis)
    for width in (*basis.widths, dim):
        assert excess(left, right, width).min() >= -margin(dim, width)
    for narrow, wide in itertools.combinations(basis.widths, 2):
        mine = left.further(narrow, wide)
        mine[:, -1] *= -1
        taken_on = left.folded(narrow) @ right.folded(narrow).T + mine @ right.further(narrow, wide).T
        gap = np.abs(taken_on - left.folded(wide) @ right.folded(wide).T)
        assert (gap <= margin(dim, wide) * np.sqrt(np.outer(left.norms_sq, right.norms_sq))).all()


def test_more_coordinates_bound_tighter_and_all_of_them_are_the_product():
    basis = fit_basis(drawn(0, 200, 128, decay=0.5))
    projected = project(unit_length(drawn(1, 60, 128, decay=0.5)), basis)
    loose = [excess(projected, projected, width).mean() for width in (*basis.widths, 128)]
    assert basis.widths == (8, 16, 32, 48, 64)
    assert all(wider < narrower for narrower, wider in itertools.pairwise(loose))
    assert abs(loose[-1]) < 1e-7


def test_vectors_within_the_first_directions_are_bounded_by_their_product():
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0]
    flat = unit_length(np.random.default_rng(1).normal(size=(100, 8)) @ turned[:8])
    projected = project(flat, fit_basis(flat))
    assert projected.rests[:, 0].max() < 0.01
    assert np.abs(excess(projected, projected, 8)).max() < 1e-4


def test_directions_are_orthonormal_and_the_rest_is_what_they_leave():
    vectors = drawn(2, 80, 96, decay=1.0)
    basis = fit_basis(vectors)
    np.testing.assert_allclose(basis.directions.T @ basis.directions, np.eye(48), atol=1e-5)
    rests = np.linalg.norm(vectors - vectors @ basis.directions[:, :16] @ basis.directions[:, :16].T, axis=1)
    projected = project(vectors, basis)
    above_sq = projected.rests[:, 1].astype(np.float64) ** 2 - rests.astype(np.float64) ** 2
    assert (above_sq >= 0).all() and (above_sq <= 4 * margin(96, 16) * projected.norms_sq + 1e-80).all()


@pytest.mark.parametrize("dim", [1, 15])
def test_short_vectors_have_no_bound_but_their_product(dim):
    projected = project(np.ones((3, dim)), fit_basis(np.ones((5, dim))))
    assert projected.basis.widths == ()
    np.testing.assert_array_equal(projected.folded(dim), np.ones((3, dim)))


def test_rows_can_be_taken():
    projected = project(drawn(3, 20, 40, decay=1.0), fit_basis(drawn(3, 20, 40, decay=1.0)))
    rows = np.array([7, 2, 7])
    np.testing.assert_array_equal(projected.take(rows).folded(16), projected.folded(16)[rows])
    np.testing.assert_array_equal(projected.folded(16, rows), projected.folded(16)[rows])
