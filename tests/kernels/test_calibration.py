"""What a threshold would remove, told from sampled items: against all pairs, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.kernels.calibration import SMALL, KnownPairs, items_beyond, share_removed
from removals import n_removed

N_ITEMS = 12


@st.composite
def graphs(draw):
    """Pairs of up to twelve items, each once, with similarities that have a step in common."""
    ends = st.tuples(st.integers(0, N_ITEMS - 1), st.integers(0, N_ITEMS - 1)).filter(lambda pair: pair[0] < pair[1])
    pairs = draw(st.lists(ends, unique=True, max_size=20))
    steps = draw(st.lists(st.integers(5, 9), min_size=len(pairs), max_size=len(pairs)))
    src, dst = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return src, dst, np.array(steps, dtype=np.float32) / 10


def known_of(graph, sampled, searched):
    """What one knows of a graph who looked at the pairs of some items alone."""
    src, dst, similarity = graph
    looked_at, drawn = (np.array(sorted(some), dtype=np.int64) for some in (searched, sampled))
    seen = np.isin(src, looked_at) | np.isin(dst, looked_at)
    return KnownPairs(src[seen], dst[seen], similarity[seen], looked_at, drawn)


def removed_of(graph, threshold):
    return n_removed(*graph, threshold) / N_ITEMS


@given(graphs(), st.sampled_from([0.4, 0.55, 0.75, 0.9]))
def test_a_sample_of_all_items_tells_exactly_what_goes(graph, threshold):
    whole = share_removed(known_of(graph, range(N_ITEMS), range(N_ITEMS)), threshold, share=1.0)
    assert whole.low == whole.high == pytest.approx(removed_of(graph, threshold)) and whole.deviation == 0


@given(graphs(), st.sets(st.integers(0, N_ITEMS - 1)), st.sampled_from([0.4, 0.55, 0.75, 0.9]))
def test_where_groups_are_not_followed_what_goes_lies_between_the_bounds(graph, searched, threshold):
    some = share_removed(known_of(graph, range(N_ITEMS), searched | {0}), threshold, share=1.0)
    assert some.low <= removed_of(graph, threshold) + 1e-9
    unseen = N_ITEMS - len(searched | {0})  # of items that were never looked at nothing is known
    assert some.high + unseen / N_ITEMS >= removed_of(graph, threshold) - 1e-9


@given(graphs(), st.sampled_from([0.4, 0.75]))
def test_following_what_lies_beyond_closes_every_group(graph, threshold):
    sampled = searched = {0, 3}
    for _ in range(N_ITEMS):
        searched = searched | set(items_beyond(known_of(graph, sampled, searched), [threshold]).tolist())
    found = share_removed(known_of(graph, sampled, searched), threshold, share=1.0)
    assert found.low == found.high


def test_of_one_of_a_pair_and_one_of_three_two_thirds_and_a_half_go():
    # 1 - 2 above .8; 3 - 4 - 5 above .6; 9 is alone. Sampled: 1, 3 and 9; 1 - 1/2, 1 - 1/3 and 0 of them go.
    pairs = np.array([1, 3, 4]), np.array([2, 4, 5]), np.array([0.9, 0.7, 0.7], np.float32)
    known = KnownPairs(*pairs, searched=np.arange(1, 10), sampled=np.array([1, 3, 9]))
    found = share_removed(known, 0.6, share=0.5)
    assert found.low == found.high == pytest.approx((1 / 2 + 2 / 3) / 3)
    assert found.deviation == pytest.approx(np.std([1 / 2, 1 / 3, 1]) * np.sqrt(0.5 / 3))
    assert share_removed(known, 0.8, share=0.5).middle == pytest.approx(1 / 6)
    # Without 2, 4 and 5 the groups are open: of the pair nothing or half stays, of 3 and 4 the same.
    known = KnownPairs(*(column[:2] for column in pairs), searched=np.array([1, 3, 9]), sampled=np.array([1, 3, 9]))
    found = share_removed(known, 0.6, share=1.0)
    assert (found.low, found.high, found.margin) == pytest.approx((1 / 3, 2 / 3, 1 / 6))
    assert items_beyond(known, [0.6]).tolist() == [2, 4] and items_beyond(known, [0.8]).tolist() == [2]


def test_groups_that_are_large_anyway_are_not_followed():
    hub = np.zeros(SMALL, np.int64), np.arange(1, SMALL + 1), np.full(SMALL, 0.9, np.float32)
    known = KnownPairs(*hub, searched=np.array([0]), sampled=np.array([0]))
    assert not len(items_beyond(known, [0.5]))
    assert share_removed(known, 0.5, share=1.0).low == pytest.approx(1 - 1 / (SMALL + 1))
