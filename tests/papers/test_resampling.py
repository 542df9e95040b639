"""Power-law resampling: sizes by hand, properties for any labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from equipoise.errors import ConfigError, InputError
from equipoise.papers.resampling import power_law_copies, shared_by_weight

LABELS = np.repeat(["a", "b", "c"], [20, 30, 50])


def of_class(copies: np.ndarray, label: str) -> np.ndarray:
    return copies[np.char.equal(LABELS, label)]


def class_sizes(copies: np.ndarray, labels: np.ndarray = LABELS) -> list[int]:
    return sorted((int(copies[labels == label].sum()) for label in np.unique(labels)), reverse=True)


@pytest.mark.parametrize(
    ("alpha", "sizes"),
    # one each, and 60 by 1 : 1, 1 : 1/2 : 1/3 and 1 : 1/4 : 1/9
    [(0.0, [21, 21, 21]), (1.0, [34, 17, 12]), (2.0, [45, 12, 6])],
)
def test_class_sizes_follow_the_power_law(alpha: float, sizes: list[int]) -> None:
    assert class_sizes(power_law_copies(LABELS, 63, alpha=alpha, seed=0)) == sizes


def test_an_item_repeats_only_where_its_class_is_used_up() -> None:
    copies = power_law_copies(LABELS, 210, alpha=0.0, seed=3)
    for label, n_members in (("a", 20), ("b", 30), ("c", 50)):
        taken = of_class(copies, label)
        assert taken.sum() == 70
        assert set(taken) == {70 // n_members, 70 // n_members + 1}


def test_the_seed_alone_orders_classes_and_members() -> None:
    mild, steep = (power_law_copies(LABELS, 60, alpha=alpha, seed=5) for alpha in (0.5, 2.0))
    first = max(np.unique(LABELS), key=lambda label: of_class(mild, label).sum())
    assert of_class(steep, first).sum() == max(class_sizes(steep))
    assert (of_class(steep, first) >= of_class(mild, first)).all()


def test_the_seed_draws_which_class_is_the_largest() -> None:
    steep = [power_law_copies(LABELS, 60, alpha=2, seed=seed) for seed in range(9)]
    largest = {max("abc", key=lambda label, copies=copies: of_class(copies, label).sum()) for copies in steep}
    assert len(largest) > 1


@given(
    labels=st.lists(st.integers(0, 6), min_size=1, max_size=60),
    more=st.integers(0, 200),
    alpha=st.floats(0, 4),
    seed=st.integers(0, 9),
)
def test_the_total_is_held_and_no_class_is_lost(labels: list[int], more: int, alpha: float, seed: int) -> None:
    total = len(set(labels)) + more
    copies = power_law_copies(labels, total, alpha=alpha, seed=seed)
    assert copies.sum() == total and copies.min() >= 0
    assert min(class_sizes(copies, np.array(labels))) >= 1


@given(total=st.integers(0, 1000), weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=20))
def test_shares_add_up_and_lie_within_one_of_the_exact(total: int, weights: list[float]) -> None:
    counts = shared_by_weight(total, weights)
    assert counts.sum() == total
    assert (np.abs(counts - total * np.array(weights) / np.sum(weights)) < 1 + 1e-9).all()


def test_the_largest_remainders_are_rounded_up() -> None:
    assert shared_by_weight(10, [1, 1, 1]).tolist() == [4, 3, 3]
    assert shared_by_weight(7, [0.1, 0.6, 0.3]).tolist() == [1, 4, 2]


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="alpha is -1"):
        power_law_copies(LABELS, 60, alpha=-1, seed=0)
    with pytest.raises(InputError, match="total is 2, of 3 classes"):
        power_law_copies(LABELS, 2, alpha=1, seed=0)
    with pytest.raises(InputError, match="of 0 classes"):
        power_law_copies([], 2, alpha=1, seed=0)
