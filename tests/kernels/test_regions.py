"""Blocks that are skipped hold no similar vectors; cells have every pair of blocks once and groups of even size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.kernels.cells import cells_of, grouped, groups_wanted, products_of
from equipoise.kernels.regions import (
    BlockPairs,
    Regions,
    centres_of_clusters,
    near_blocks,
    near_rows,
    neighbouring,
    parts_of,
    region_of,
    same_cluster,
)
from equipoise.kernels.vectors import unit_length


def blocks(seed: int, n_blocks: int, dim: int, spread: float) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n_blocks, 1, dim))
    return [unit_length(mean + spread * rng.normal(size=(rng.integers(1, 9), dim))) for mean in means]


def regions_of(some: list[np.ndarray]) -> Regions:
    found = [region_of(vectors) for vectors in some]
    centres, radii = np.stack([one.centre for one in found]), np.array([one.radius for one in found])
    return Regions(np.arange(len(some)), np.array([len(vectors) for vectors in some]), centres, radii)


def as_set(pairs: BlockPairs) -> set[tuple[int, int]]:
    found = list(zip(pairs.lefts.tolist(), pairs.rights.tolist(), strict=True))
    assert len(found) == len(set(found))
    return set(found)


@settings(max_examples=60)
@given(st.integers(0, 999), st.integers(2, 12), st.sampled_from([0.01, 0.1, 0.5, 2.0]), st.floats(-1, 1))
def test_what_is_skipped_holds_nothing_similar(seed, dim, spread, threshold):
    some, others = blocks(seed, 15, dim, spread), blocks(seed + 1, 9, dim, spread)
    others[0] = some[3]
    within = as_set(near_blocks(regions_of(some), None, threshold))
    between = as_set(near_blocks(regions_of(some), regions_of(others), threshold))
    for i, left in enumerate(some):
        for j, right in enumerate(some):
            assert i > j or (i, j) in within or (left @ right.T).max() <= threshold + 1e-6
        for j, right in enumerate(others):
            products = left @ right.T
            assert (i, j) in between or products.max() <= threshold + 1e-6
            rows = near_rows(left, region_of(right), threshold)
            if rows is not None:
                assert np.isin(np.flatnonzero((products > threshold + 1e-6).any(axis=1)), rows).all()


def test_blocks_far_apart_are_skipped_and_their_far_items_too():
    some = [unit_length(np.eye(4)[[axis]] + 0.01 * np.arange(12).reshape(3, 4)) for axis in range(3)]
    assert as_set(near_blocks(regions_of(some), None, 0.8)) == {(0, 0), (1, 1), (2, 2)}
    mixed = np.vstack([some[0], some[1]])
    np.testing.assert_array_equal(near_rows(mixed, region_of(some[1]), 0.8), [3, 4, 5])
    assert near_rows(mixed, region_of(mixed), 0.5) is None


def test_opposite_vectors_have_a_region():
    found = region_of(np.array([[1, 0], [-1, 0]], dtype=np.float32))
    assert found.radius == pytest.approx(np.pi) and np.linalg.norm(found.centre) == 1


def test_neighbouring_clusters_are_the_nearest_from_either_side():
    angles = np.array([0.0, 0.1, 0.3, 1.5])
    centres = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    near = neighbouring(centres, None, 1)  # of 0: 1; of 1: 0; of 2: 1; of 3: 2
    np.testing.assert_array_equal(
        near, np.eye(4, dtype=bool) | np.eye(4, k=1, dtype=bool) | np.eye(4, k=-1, dtype=bool)
    )
    near = neighbouring(centres[:3], centres[3:], 1)
    np.testing.assert_array_equal(near, [[True], [True], [True]])
    with_none = np.vstack([-centres[:1], np.zeros((1, 2), np.float32), centres[:1]])
    assert neighbouring(with_none, None, 1)[0].tolist() == [True, False, True]  # what is empty is no neighbour
    allowed = np.zeros((4, 4), dtype=bool)
    allowed[0, 2] = True
    every = Regions(np.arange(4), np.ones(4, np.int64), centres, np.full(4, 3.0))
    assert as_set(near_blocks(every, None, 0.8, allowed=allowed)) == {(0, 2)}


def test_blocks_of_the_same_cluster():
    assert as_set(same_cluster(np.array([0, 0, 0, 2, 5, 5]))) == {
        *((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2), (3, 3), (4, 4), (4, 5), (5, 5))
    }


def test_the_centre_of_a_cluster_is_the_mean_of_its_blocks():
    regions = Regions(np.array([0, 0, 2]), np.array([1, 3, 5]), np.eye(3, dtype=np.float32), np.zeros(3))
    np.testing.assert_allclose(centres_of_clusters(regions), unit_length(np.array([[1, 3, 0], [0, 0, 0], [0, 0, 1]])))


def test_large_clusters_are_split_such_that_no_part_is_too_large():
    sizes = np.array([0, 1, 100, 101, 100_000])
    parts = parts_of(sizes, 100)
    assert parts[:3].tolist() == [0, 1, 1] and parts[3] == 2
    spread = np.bincount(np.random.default_rng(0).integers(parts[4], size=100_000))
    assert spread.max() <= 100 and parts[4] < 2000
    assert parts_of(np.array([50]), 4).tolist() == [50]  # what is that small is not split evenly by chance


@settings(max_examples=40)
@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 7))
def test_cells_have_every_pair_once_and_blocks_go_where_they_are_needed(seed, n_blocks, n_groups):
    rng = np.random.default_rng(seed)
    i, j = np.nonzero(np.triu(rng.random((n_blocks, n_blocks)) < 0.4))
    pairs, sizes = BlockPairs(i.astype(np.int32), j.astype(np.int32)), rng.integers(1, 9, n_blocks)
    groups = grouped(sizes, rng.permutation(n_blocks), n_groups)
    cells = cells_of(pairs, sizes, groups)
    assert as_set(cells.pairs) == as_set(pairs)
    costs = []
    for cell in range(cells.count):
        held = slice(cells.starts[cell], cells.starts[cell + 1])
        own = BlockPairs(cells.pairs.lefts[held], cells.pairs.rights[held])
        costs.append(products_of(own, sizes).sum())
        needed = np.union1d(*own)
        sent = [b for b in range(n_blocks) if cell in cells.targets[cells.routes[b] : cells.routes[b + 1]]]
        assert needed.tolist() == sent
        assert len({tuple(sorted(pair)) for pair in zip(*(groups[side] for side in own), strict=True)}) == 1
    assert costs == sorted(costs, reverse=True)


def test_groups_are_even_and_as_many_as_memory_and_cores_want():
    sizes = np.full(100, 10)
    assert np.bincount(grouped(sizes, np.arange(100)[::-1], 4), weights=sizes).tolist() == [250] * 4
    assert groups_wanted(10**6, 1000, most_rows=1000, n_cores=64) == 1
    assert groups_wanted(10**6, 1000, most_rows=300, n_cores=2) == 4
    assert groups_wanted(10**10, 10**5, most_rows=10**6, n_cores=2) == 4  # 10 cells for 2 cores
