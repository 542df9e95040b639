"""Suggested levels: the paper's for its pools, and sound ones for all."""

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from equipoise.errors import ConfigError
from equipoise.planning.suggestions import ITEMS_PER_CLUSTER, splits_for, suggest_levels


def shape(n_items, target):
    return [
        (level.k, level.splits, level.rounds) for level in (found.level for found in suggest_levels(n_items, target))
    ]


def test_the_levels_of_the_paper_come_out_for_its_images():
    assert shape(743_000_000, 100_000_000) == [(10_000_000, 100, 0), (500_000, 1, 10), (50_000, 1, 10), (10_000, 1, 10)]


@pytest.mark.parametrize(("n_items", "first"), [(641_000_000, 10_000_000), (18_000_000, 500_000)])
def test_the_first_levels_of_its_texts_and_tiles_come_out_too(n_items, first):
    assert shape(n_items, n_items // 2)[0][0] == first


def test_upper_levels_of_many_millions_are_split_and_not_resampled():
    ks = shape(17_000_000_000, 1_690_000_000)
    assert ks == [(500_000_000, 5000, 0), (25_000_000, 500, 0), (2_500_000, 50, 0), (500_000, 1, 10)]


def test_a_small_target_gets_more_levels_until_the_top_has_no_more_clusters():
    assert [k for k, _, _ in shape(743_000_000, 1000)] == [10_000_000, 500_000, 50_000, 10_000, 2000, 400]
    assert "since the target of 1,000 is below the 2,000 of level 5" in suggest_levels(743_000_000, 1000)[-1].reason


def test_a_small_pool_gets_clusters_of_few_items():
    assert [k for k, _, _ in shape(510, 170)] == [200, 10]


def test_every_level_says_why():
    first, second, *_ = suggest_levels(743_000_000, 100_000_000)
    assert "74.3 items a cluster" in first.reason and "100,000 coarse clusters of 100 each" in first.reason
    assert "20 times fewer than level 1" in second.reason


@given(st.integers(2, 10**11), st.data())
@example(2, None)
def test_levels_fall_and_have_items_enough(n_items, data):
    target = data.draw(st.integers(1, n_items - 1)) if data else 1
    levels = [found.level for found in suggest_levels(n_items, target)]
    assert 1 <= n_items / levels[0].k <= ITEMS_PER_CLUSTER
    assert all(above.k * 5 <= below.k for below, above in itertools.pairwise(levels))
    assert all(level.k % level.splits == 0 and not (level.splits > 1 and level.rounds) for level in levels)
    assert all(level.k0 <= 100_000 for level in levels if level.splits > 1)


@pytest.mark.parametrize(
    ("n_items", "target", "said"),
    [
        (1, 1, "--items 1: there is nothing to cluster"),
        (100, 100, "--target 100 must be from 1 to 99"),
        (100, 0, "--target 0 must be"),
    ],
)
def test_what_cannot_be_selected_is_refused(n_items, target, said):
    with pytest.raises(ConfigError, match=said):
        suggest_levels(n_items, target)


def test_splits_are_round_divide_k_and_fit():
    assert splits_for(10_000_000, lambda splits: True) == 100
    assert splits_for(10_000_000, lambda splits: splits > 100) == 200
    assert splits_for(300_007, lambda splits: True) is None
    assert splits_for(10_000_000, lambda splits: splits < 20) == 2  # none leaves few: the fewest that fit
