"""Quotas of one parent, against an allocator that hands out one item at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.quotas import cut_of, grouped_quotas, quotas

SIZES = st.lists(st.integers(0, 12), max_size=12)


def one_by_one(sizes: list[int], budget: int, order: np.ndarray) -> list[int]:
    """Hand out items in rounds: one to each child that has some left, in the order of the draws."""
    given_out = [0] * len(sizes)
    while budget > 0 and any(size > share for size, share in zip(sizes, given_out, strict=True)):
        for child in np.argsort(order, kind="stable"):
            if budget > 0 and given_out[child] < sizes[child]:
                given_out[child] += 1
                budget -= 1
    return given_out


def shares_of(sizes: list[int], budget: int, seed: int = 0) -> np.ndarray:
    return quotas(np.array(sizes, dtype=np.int64), budget, draws=draws(seed, Purpose.REMAINDER, np.arange(len(sizes))))


@pytest.mark.parametrize(
    ("sizes", "budget", "cut"),
    [
        ([10, 10, 10], 30, 10), ([10, 10, 10], 31, 10), ([10, 10, 10], 29, 9), ([1, 5, 100], 20, 14),
        ([1, 5, 100], 7, 3), ([3], 2, 2), ([0, 0], 5, 0), ([], 5, 0), ([4, 4], 0, 0), ([2, 4, 8], 1, 0),
    ],
)  # fmt: skip
def test_cut(sizes: list[int], budget: int, cut: int) -> None:
    assert cut_of(np.array(sizes, dtype=np.int64), budget) == cut


@given(SIZES, st.integers(0, 150), st.integers(0, 5))
def test_equals_handing_out_one_by_one(sizes: list[int], budget: int, seed: int) -> None:
    order = draws(seed, Purpose.REMAINDER, np.arange(len(sizes)))
    assert shares_of(sizes, budget, seed).tolist() == one_by_one(sizes, budget, order)


@given(SIZES, st.integers(0, 150))
def test_adds_up_within_sizes_and_even_above_the_cut(sizes: list[int], budget: int) -> None:
    shares = shares_of(sizes, budget)
    assert shares.sum() == min(budget, sum(sizes))
    assert (shares <= np.array(sizes, dtype=np.int64)).all()
    above = shares[np.array(sizes, dtype=np.int64) > cut_of(np.array(sizes, dtype=np.int64), budget)]
    assert above.size == 0 or above.max() - above.min() <= 1


@given(SIZES, st.integers(0, 150), st.integers(0, 20))
def test_a_smaller_budget_is_nested(sizes: list[int], budget: int, more: int) -> None:
    assert (shares_of(sizes, budget) <= shares_of(sizes, budget + more)).all()


def test_equal_draws_go_to_the_lower_index() -> None:
    assert quotas(np.array([5, 5, 5]), 7, draws=np.zeros(3, dtype=np.int64)).tolist() == [3, 2, 2]


def test_billions() -> None:
    shares = shares_of([2**40, 2**41, 3], 2**40)
    assert shares.sum() == 2**40


def test_bad_input() -> None:
    with pytest.raises(ConfigError, match="budget is -1"):
        shares_of([1], -1)
    with pytest.raises(ConfigError, match="one draw for each size"):
        quotas(np.array([1, 2]), 1, draws=np.zeros(1, dtype=np.int64))


@given(st.lists(st.tuples(SIZES, st.integers(0, 150)), max_size=6), st.randoms())
def test_many_groups_at_once_equal_each_by_itself(groups: list[tuple[list[int], int]], random) -> None:
    rows = [(size, group) for group, (sizes, _) in enumerate(groups) for size in sizes]
    random.shuffle(rows)
    sizes, owners = (np.array([row[place] for row in rows], dtype=np.int64) for place in (0, 1))
    order = draws(7, Purpose.REMAINDER, np.arange(len(rows)) // 2)  # some are equal
    shares = grouped_quotas(sizes, owners, np.array([budget for _, budget in groups], dtype=np.int64), draws=order)
    for group, (_, budget) in enumerate(groups):
        mine = owners == group
        assert shares[mine].tolist() == quotas(sizes[mine], budget, draws=order[mine]).tolist()
