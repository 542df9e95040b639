"""All pairs above a cosine against brute force in float64, whatever the bound, the tiles and the blocks."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.kernels import pairs as module
from equipoise.kernels.bounds import Basis, fit_basis, project
from equipoise.kernels.pairs import cheapest_widths, cosines, pairs_above
from equipoise.kernels.vectors import unit_length

Found = dict[tuple[int, int], float]


def drawn(seed: int, n: int, dim: int, *, decay: float = 0.5, copies: int = 3) -> np.ndarray:
    """Unit vectors with copies, near copies and a zero among them."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, dim)) * np.arange(1, dim + 1) ** -decay
    into, of = rng.integers(n, size=(2, copies))
    vectors[into] = vectors[of] + rng.choice([0, 1e-4, 0.1], size=(copies, 1)) * rng.normal(size=(copies, dim))
    vectors[rng.integers(n)] = 0
    return unit_length(vectors)


def brute(left: np.ndarray, right: np.ndarray | None, threshold: float) -> Found:
    """Every pair above the threshold, by float64 cosines rounded to float32."""
    others = left if right is None else right
    norms = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in (left, others)]
    scale = np.outer(*norms)
    found = left.astype(np.float64) @ others.T.astype(np.float64) / np.where(scale == 0, 1, scale)
    similar = (found.clip(-1, 1).astype(np.float32) > threshold) & (scale > 0)
    rows, columns = np.nonzero(np.triu(similar, 1) if right is None else similar)
    return {(i, j): found[i, j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)}


def sought(left: np.ndarray, right: np.ndarray | None, threshold: float, basis: Basis) -> Found:
    others = None if right is None else project(right, basis)
    found: Found = {}
    for rows, columns, similarities in pairs_above(project(left, basis), others, threshold):
        assert similarities.dtype == np.float32 and rows.dtype == columns.dtype == np.int64
        some = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), similarities.tolist(), strict=True))
        assert len(some) == len(rows) and not found.keys() & some.keys()
        found |= some
    return found


def assert_same(found: Found, expected: Found) -> None:
    assert found.keys() == expected.keys()
    assert all(abs(found[pair] - expected[pair]) < 1e-7 for pair in found)


@settings(max_examples=60)
@given(
    st.integers(0, 999), st.integers(1, 60), st.integers(1, 90), st.floats(-1, 1), st.floats(0, 2), st.integers(1, 40)
)
def test_all_pairs_are_found_each_once(seed, n, dim, threshold, decay, tile):
    left, right = drawn(seed, n, dim, decay=decay), drawn(seed + 1, n // 2 + 1, dim, decay=decay)
    right[: len(right) // 2] = left[: len(right) // 2]
    basis = fit_basis(left)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_PER_CHUNK", tile)
        patch.setattr(module, "COLUMNS_PER_TILE", tile + 1)
        patch.setattr(module, "PAIRS_AT_ONCE", 7)
        assert_same(sought(left, None, threshold, basis), brute(left, None, threshold))
        assert_same(sought(left, right, threshold, basis), brute(left, right, threshold))


@settings(max_examples=30)
@given(st.integers(0, 999), st.sampled_from([(8,), (8, 16, 32, 48, 64, 96), (16, 96), (48, 64), (96,), (200,)]))
def test_every_way_to_look_finds_the_same(seed, widths):
    vectors, basis = drawn(seed, 50, 200), fit_basis(drawn(seed, 50, 200))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "cheapest_widths", lambda *given: widths)
        assert_same(sought(vectors, None, 0.3, basis), brute(vectors, None, 0.3))


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(2, 120), st.sampled_from([0.0, 0.6, 0.8, 0.999]))
def test_a_pair_at_the_threshold_is_left_out_and_one_a_bit_above_is_found(seed, dim, near):
    """The threshold is the similarity of a pair, as stored: of many pairs around it those above it are found."""
    rng = np.random.default_rng(seed)
    one = unit_length(rng.normal(size=(1, dim)))
    across = rng.normal(size=(40, dim))
    across = unit_length(across - (across @ one.T) * one)
    others = unit_length(near * one + np.sqrt(1 - near**2) * across)  # all about at the same cosine to `one`
    basis = fit_basis(np.vstack([one, others]))
    stored = cosines(project(one, basis), project(others, basis), np.zeros(40, np.int64), np.arange(40))
    at = float(np.sort(stored)[20])
    found = sought(one, others, at, basis)
    assert sorted(j for _, j in found) == np.flatnonzero(stored > np.float32(at)).tolist()


def test_a_similarity_has_the_same_bits_in_any_block_and_order():
    vectors, basis = drawn(5, 300, 130), fit_basis(drawn(5, 300, 130))
    whole = sought(vectors, None, 0.2, basis)
    assert len(whole) > 100
    first, second = np.arange(0, 300, 2), np.arange(299, 0, -2)
    halves = sought(vectors[first], vectors[second], 0.2, basis)
    met = {tuple(sorted((int(first[i]), int(second[j])))): value for (i, j), value in halves.items()}
    assert met and all(whole[pair] == value for pair, value in met.items())


def test_copies_have_a_similarity_of_exactly_1_and_zeros_none():
    rng = np.random.default_rng(0)
    vectors = unit_length(np.repeat(rng.normal(size=(50, 77)), 2, axis=0) * rng.lognormal(size=(100, 1)))
    vectors[10:12] = 0
    found = sought(vectors, None, 0.99999, fit_basis(vectors))
    assert set(found) == {(i, i + 1) for i in range(0, 100, 2) if i != 10} and set(found.values()) == {1.0}
    assert not any({10, 11} & set(pair) for pair in sought(vectors, None, -1.0, fit_basis(vectors)))


def test_few_coordinates_are_looked_at_where_they_suffice_and_all_where_they_do_not():
    rng = np.random.default_rng(0)
    steep = unit_length(rng.normal(size=(400, 256)) * np.arange(1, 257) ** -1.0)
    level = unit_length(rng.normal(size=(400, 256)))
    projected = project(steep, fit_basis(steep))
    assert cheapest_widths(projected, projected, 0.9)[0] <= 32
    whole = project(level, fit_basis(rng.normal(size=(4000, 256))))
    assert cheapest_widths(whole, whole, 0.1) == (256,)


def test_no_matrix_of_all_products_is_held():
    vectors = drawn(0, 6000, 64, decay=1.0)
    projected = project(vectors, fit_basis(vectors))
    tracemalloc.start()
    n_found = sum(len(found.rows) for found in pairs_above(projected, None, 0.9))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_found and peak < 6000 * 6000  # a byte a product; a matrix of float32 would take four
    assert not list(pairs_above(project(vectors[:0], projected.basis), projected, 0.9))
