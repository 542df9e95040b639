"""What hangs together and what a threshold removes: by hand, and against networkx."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.errors import ConfigError
from equipoise.kernels.components import (
    components,
    merge_similarities,
    threshold_for,
    threshold_removing,
)

EDGES = st.lists(st.tuples(st.integers(-6, 12), st.integers(-6, 12), st.sampled_from([0.6, 0.7, 0.8, 0.9, 1.0])))


def arrays(edges: list) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    src, dst, similarity = zip(*edges, strict=True) if edges else ((), (), ())
    return np.array(src, np.int64), np.array(dst, np.int64), np.array(similarity, np.float32)


def by_networkx(pairs) -> dict[int, int]:
    graph = networkx.Graph(list(pairs))
    return {item: min(group) for group in networkx.connected_components(graph) for item in group}


def test_components_are_named_by_their_lowest_item():
    items, lowest = components(np.array([7, 5, -3, 9]), np.array([5, 2**62, 9, -3]))
    assert items.tolist() == [-3, 5, 7, 9, 2**62] and lowest.tolist() == [-3, 5, 5, -3, 5]
    assert [part.shape for part in components(np.empty(0, np.int64), np.empty(0, np.int64))] == [(0,), (0,)]


@given(EDGES)
def test_components_are_those_of_networkx(edges):
    src, dst, _ = arrays(edges)
    items, lowest = components(src, dst)
    assert dict(zip(items.tolist(), lowest.tolist(), strict=True)) == by_networkx((a, b) for a, b, _ in edges)


def test_a_long_chain_in_any_order_is_one_component():
    order = np.random.default_rng(0).permutation(100_000)
    items, lowest = components(order[:-1], order[1:])
    assert len(items) == 100_000 and not lowest.any()


def removed_above(merges, threshold) -> int:
    """One item goes for each merge above it."""
    return int((merges > np.float32(threshold)).sum())


def test_merges_of_a_square_with_a_diagonal():
    src, dst, similarity = arrays([(1, 2, 0.9), (2, 3, 0.8), (3, 4, 0.7), (4, 1, 0.75), (1, 3, 0.85), (9, 9, 1.0)])
    merges = merge_similarities(src, dst, similarity)
    np.testing.assert_array_equal(merges, np.array([0.9, 0.85, 0.75], np.float32))
    assert [removed_above(merges, threshold) for threshold in (0.9, 0.84, 0.75, 0.7, 0.95)] == [0, 2, 2, 3, 0]


@settings(max_examples=200)
@given(EDGES)
def test_a_threshold_removes_all_but_one_item_of_each_component_above_it(edges):
    thresholds = [0.5, 0.6, 0.65, 0.8, 0.9, 1.0]
    merges = merge_similarities(*arrays(edges))
    assert (np.diff(merges) <= 0).all()
    for threshold in thresholds:
        removed = removed_above(merges, threshold)
        lowest = by_networkx((a, b) for a, b, similarity in edges if np.float32(similarity) > np.float32(threshold))
        assert removed == len(lowest) - len(set(lowest.values()))


@settings(max_examples=200)
@given(EDGES, st.integers(0, 12))
def test_no_threshold_removes_more_nearly_as_many(edges, n):
    merges = merge_similarities(*arrays(edges))
    merges = merges[merges > np.float32(0.5)]
    threshold = threshold_removing(n, merges, lowest=0.5)
    assert 0.5 <= threshold <= 1
    possible = np.array([removed_above(merges, value) for value in (0.5, *merges, 1.0)])
    assert abs(removed_above(merges, threshold) - n) == np.abs(possible - n).min()


def test_a_threshold_is_interpolated_from_the_shares_that_others_remove():
    thresholds, shares = [0.6, 0.9, 0.8, 0.7], [0.5, 0.1, 0.3, 0.3]
    assert threshold_for(0.2, thresholds, shares) == pytest.approx(0.85)
    assert threshold_for(0.3, thresholds, shares) == pytest.approx(0.8)  # of those that remove the same, the highest
    assert threshold_for(0.4, thresholds, shares) == pytest.approx(0.65)
    assert threshold_for(0.1, thresholds, shares) == pytest.approx(0.9)


@pytest.mark.parametrize("share, way", [(0.6, "down"), (0.05, "up")])
def test_a_share_that_no_threshold_removes_is_refused(share, way):
    with pytest.raises(ConfigError) as raised:
        threshold_for(share, [0.6, 0.9], [0.5, 0.1])
    assert str(raised.value) == (
        f"no threshold from 0.6 to 0.9 removes {share:.1%} of the items: these remove 50.0% to 10.0%: "
        f"change target_keep, or try thresholds further {way}"
    )
