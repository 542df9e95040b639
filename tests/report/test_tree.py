"""The rows of clusters as a tree."""

import pandas as pd
import pytest

from equipoise.report.items import Item
from equipoise.report.tree import MOST_ABOVE, cluster_tree
from equipoise.schemas import Col

COLUMNS = [
    Col.selection, Col.cluster_id, Col.parent_id, Col.rank, Col.n_children, Col.n_pool, Col.n_curated,
]  # fmt: skip
TOP = [("even", 7, None, 1, None, 90, 5), ("near", 7, None, 1, None, 90, 1), ("even", 3, None, 2, None, 10, 5)]
LOW = [("even", 30, 3, 1, 1, 10, 5), ("even", 70, 7, 1, 4, 50, 2), ("near", 70, 7, 1, 4, 50, 1)]
LOW += [("even", 71, 7, 2, 4, 20, 2)]


def frame(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture
def tree():
    examples = {id: {"closest": [Item(id), Item(id + 100)], "random": []} for id in (30, 70, 71)}
    totals = {"pool": 100, "even": 10, "near": 1}
    return cluster_tree({2: frame(TOP), 1: frame(LOW)}, examples, totals=totals, selections=["even", "near"])


def test_children_stand_below_their_parents_by_rank(tree):
    assert [(top.cluster_id, [child.cluster_id for child in top.children]) for top in tree] == [
        (7, [70, 71]),
        (3, [30]),
    ]
    assert [(top.n_children, top.n_left_out) for top in tree] == [(4, 2), (1, 0)]
    assert tree[0].children[0].n_children == 0


def test_ratios_compare_the_shares(tree):
    assert (tree[0].share_pool, tree[0].n_curated, tree[1].n_curated) == (
        0.9,
        {"even": 5, "near": 1},
        {"even": 5, "near": 0},
    )
    assert tree[0].ratios == pytest.approx({"even": 0.5 / 0.9, "near": 1 / 0.9})
    assert tree[1].ratios == pytest.approx({"even": 0.5 / 0.1, "near": 0})


def test_a_cluster_above_shows_the_first_example_of_each_below(tree):
    assert [item.item_id for item in tree[0].examples["closest"]] == [70, 71]
    assert [item.item_id for item in tree[0].children[0].examples["closest"]] == [70, 170]


def test_one_level_and_three():
    rows = frame([("even", id, 1, id, 40, 5, 1) for id in range(40)])
    examples = {id: {"closest": [Item(id)]} for id in range(40)}
    totals = {"pool": 200, "even": 40}
    flat = cluster_tree({1: rows}, examples, totals=totals, selections=["even"])
    assert [one.cluster_id for one in flat] == list(range(40))
    middle = frame([("even", 1, 9, 1, 1, 200, 40)])
    top = frame([("even", 9, None, 1, None, 200, 40)])
    deep = cluster_tree({1: rows, 2: middle, 3: top}, examples, totals=totals, selections=["even"])
    assert len(deep[0].children[0].children) == 40
    assert len(deep[0].examples["closest"]) == len(deep[0].children[0].examples["closest"]) == MOST_ABOVE
