"""The sets that a report compares and what it says of them, from the few rows that Spark counted."""

import pandas as pd
import pytest

from equipoise.report.content import Shrank
from equipoise.schemas import POOL_NAME, Col
from equipoise.studies.report.balance import compared_sets, largest_shares, level_balances
from equipoise.studies.report.tree import with_shrunk

SETS = compared_sets({"even": 10, "none": 0}, 100)


def test_a_random_set_has_at_most_the_items_of_the_pool_and_none_is_drawn_for_nothing():
    sets = compared_sets({"copied": 3000, "half": 500, "none": 0, "all": 1000}, 1000)
    assert [(one.name, one.kind, one.n) for one in sets] == [
        ("copied", "selection", 3000), ("1,000 at random", "random", 1000),
        ("half", "selection", 500), ("500 at random", "random", 500),
        ("none", "selection", 0), ("all", "selection", 1000),
    ]  # fmt: skip


@pytest.fixture
def histograms() -> pd.DataFrame:
    """100 items of a pool in 40 clusters: one of 61, the others of 1."""
    rows = [(POOL_NAME, 1, 61, 1), (POOL_NAME, 1, 1, 39), ("even", 1, 1, 10), ("even", 1, 0, 30), ("none", 1, 0, 40)]
    return pd.DataFrame(rows, columns=[Col.selection, Col.level, Col.n_items, Col.n_groups])


def test_an_empty_selection_has_groups_and_no_measures(histograms):
    (balance,) = level_balances(histograms, SETS)
    assert [(one.name, one.n_items) for one in balance.spreads] == [
        (POOL_NAME, 100), ("even", 10), ("10 at random", 0), ("none", 0),
    ]  # fmt: skip
    assert balance.spreads[0].measures["n_present"] == 40
    assert balance.spreads[-1].measures == {}


def test_the_largest_that_shrank_are_counted_with_what_they_held_and_hold(histograms):
    columns = [Col.selection, Col.level, Col.rank, Col.share_pool, Col.share_curated, Col.ratio]
    parts = {
        "even": [(0.1, 0.1639), (0.2, 20.0)],
        "10 at random": [(0.6, 0.98), (0.0, 0.0)],
        "none": [(None, None)] * 2,
    }
    rows = [
        (name, 1, place, pool, *part)
        for name, found in parts.items()
        for place, (pool, part) in enumerate(zip((0.61, 0.01), found, strict=True), 1)
    ]
    (largest,) = largest_shares(pd.DataFrame(rows, columns=columns), histograms, SETS)
    assert (largest.n, largest.shares) == (2, pytest.approx({POOL_NAME: 0.62, "even": 0.3, "10 at random": 0.6}))
    assert largest.shrank == {"even": Shrank(1, 0.61, 0.1)}


def test_clusters_that_shrank_stand_after_the_largest_each_once():
    columns = [Col.selection, Col.cluster_id, Col.n_pool]
    largest = pd.DataFrame([("a", 7, 90), ("b", 7, 90), ("a", 3, 50), ("b", 3, 50)], columns=columns)
    largest = largest.assign(**{Col.rank: [1, 1, 2, 2]})
    most = pd.DataFrame([(name, *row) for name in "ab" for row in ((5, 20), (3, 50), (4, 30))], columns=columns)
    both = with_shrunk(largest, most).sort_values([Col.selection, Col.rank])
    expected = [(7, 1), (3, 2), (4, 3), (5, 4)]
    assert list(both[[Col.selection, Col.cluster_id, Col.rank]].itertuples(index=False, name=None)) == [
        (name, *row) for name in "ab" for row in expected
    ]
