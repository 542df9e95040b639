"""Balanced sampling: literal cases, and trees drawn at random against a plain Python oracle."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from equipoise.errors import ConfigError
from equipoise.kernels.draws import Purpose, draws
from equipoise.kernels.quotas import quotas as array_quotas
from equipoise.pipeline.quotas import draw_of, quotas
from equipoise.pipeline.rules import Rule, check_where
from equipoise.pipeline.samples import sample
from equipoise.pipeline.sampling import available, count_levels, random_items, select

CLUSTERS = "level int, cluster_id long, parent_id long, n_children long, n_items long, mean_distance_sq double"
ASSIGNMENTS = "item_id long, cluster_id long, distance_sq float"
Node = tuple[int, int]  # level, cluster_id
Chosen = dict[int, tuple[int, int]]  # item_id: copies, cluster_id


def keep(rows: DataFrame) -> DataFrame:
    return rows.localCheckpoint()


def by_sql(clusters: DataFrame, assignments: DataFrame, *, seed: int, levels: int = 3, **options) -> DataFrame:
    return select(clusters, assignments, levels=levels, seed=seed, checkpoint=keep, **options)


def on_driver(clusters: DataFrame, assignments: DataFrame, *, seed: int, levels: int = 3, **options) -> DataFrame:
    return sample(clusters, assignments, Rule(**options), seed=seed).rows


Draw = Callable[..., DataFrame]
BOTH = pytest.mark.parametrize("draw", [by_sql, on_driver])


def chosen(selected: DataFrame) -> Chosen:
    rows = selected.collect()
    assert len({row.item_id for row in rows}) == len(rows)
    return {row.item_id: (row.copies, row.cluster_id) for row in rows}


def copies_of(selection: Chosen) -> Counter[int]:
    return Counter({item_id: copies for item_id, (copies, _) in selection.items()})


@dataclass(frozen=True)
class Tree:
    """A cluster tree in Python, with the selection written down as the definition says it."""

    parents: list[np.ndarray]  # (k,) cluster_id one level up, for each level but the top
    labels: np.ndarray  # (n,) level-1 cluster of every item
    item_ids: np.ndarray
    distances: np.ndarray

    @property
    def levels(self) -> int:
        return len(self.parents)

    def children(self, node: Node) -> list[Node]:
        level, cluster = node
        return [(level - 1, int(i)) for i in np.flatnonzero(self.parents[level - 2] == cluster)] if level > 1 else []

    def items(self, node: Node, excluded: Callable[[Node], bool]) -> np.ndarray:
        """Indices of the items below ``node`` that no exclusion reaches."""
        if excluded(node):
            return np.empty(0, dtype=int)
        if node[0] == 1:
            return np.flatnonzero(self.labels == node[1])
        return np.concatenate([np.empty(0, dtype=int), *(self.items(c, excluded) for c in self.children(node))])

    def top(self) -> list[Node]:
        return [(self.levels, int(i)) for i in range(len(self.parents[-1]))]

    def reached(self, level: int, excluded: Callable[[Node], bool]) -> list[Node]:
        """The nodes of a level that nothing above excludes."""
        nodes = self.top()
        for _ in range(level, self.levels):
            nodes = [child for node in nodes if not excluded(node) for child in self.children(node)]
        return nodes

    def take(self, node: Node, quota: int, within: str, seed: int, excluded: Callable[[Node], bool]) -> Counter[int]:
        members = self.items(node, excluded)
        ids = self.item_ids[members]
        key = {
            "random": draws(seed, Purpose.WITHIN, ids),
            "closest": self.distances[members],
            "farthest": -self.distances[members],
        }[within]
        ordered = ids[np.lexsort((ids, key))]
        return Counter({int(i): quota // len(ids) + (r < quota % len(ids)) for r, i in enumerate(ordered)})

    def share(self, nodes: list[Node], budget: int, seed: int, copies: int, excluded: Callable[[Node], bool]) -> list:
        sizes = np.array([len(self.items(node, excluded)) * copies for node in nodes], dtype=np.int64)
        order = np.array([int(draws(seed, Purpose.REMAINDER, *node)) for node in nodes], dtype=np.int64)
        return array_quotas(sizes, budget, draws=order).tolist()

    def select(
        self, *, seed: int, method: str = "hierarchical", within: str = "random", target: int | None = None,
        per_cluster: int | None = None, max_copies: int = 1, level: int | None = None,
        excluded: Callable[[Node], bool] = lambda node: False,
    ) -> Counter[int]:  # fmt: skip
        lowest = (level or self.levels) if method == "flat" else 1
        taken: Counter[int] = Counter()
        nodes, budgets = [self.reached(level or self.levels, excluded)], [target or 0]
        while nodes:
            siblings, budget = nodes.pop(), budgets.pop()
            shares = self.share(siblings, budget, seed, max_copies, excluded)
            for node, share in zip(siblings, shares, strict=True):
                size = len(self.items(node, excluded))
                if size and node[0] == lowest:
                    quota = share if per_cluster is None else min(size * max_copies, per_cluster)
                    taken += self.take(node, quota, within, seed, excluded)
                elif size:
                    nodes.append(self.children(node))
                    budgets.append(share)
        return +taken


def random_tree(seed: int, n: int = 400, ks: tuple[int, ...] = (30, 8, 3)) -> Tree:
    """A tree with long-tailed sizes, empty clusters, clusters without children, and equal distances."""
    rng = np.random.default_rng(seed)
    labels = np.minimum(rng.geometric(0.12, n) - 1, ks[0] - 1)
    parents = [rng.integers(0, above, k) for k, above in zip(ks, [*ks[1:], 1], strict=True)]
    item_ids = rng.permutation(10 * n)[:n].astype(np.int64) - 5 * n
    return Tree(parents, labels, item_ids, rng.integers(0, 9, n) / 8)


def frames(spark: SparkSession, tree: Tree) -> tuple[DataFrame, DataFrame]:
    """The tree's frames; sizes above level 1 are wrong on purpose, as only level 1 is to be believed."""
    rows = []
    for level, parents in enumerate(tree.parents, 1):
        for cluster, parent in enumerate(parents.tolist()):
            size = int((tree.labels == cluster).sum()) if level == 1 else 1000 + cluster
            rows.append((level, cluster, parent if level < tree.levels else None, 0, size, cluster / 10))
    items = zip(tree.item_ids.tolist(), tree.labels.tolist(), tree.distances.tolist(), strict=True)
    return spark.createDataFrame(rows, CLUSTERS), spark.createDataFrame(list(items), ASSIGNMENTS)


QUICK = {"spark.sql.codegen.wholeStage": "false", "spark.sql.adaptive.enabled": "false"}


@pytest.fixture(scope="module", autouse=True)
def quick(spark: SparkSession) -> Iterator[dict[str, str]]:
    """Hundreds of stages of a few rows spend their time compiling and replanning. Yields the defaults."""
    before = {key: str(spark.conf.get(key)) for key in QUICK}
    for key, value in QUICK.items():
        spark.conf.set(key, value)
    yield before
    for key, value in before.items():
        spark.conf.set(key, value)


@pytest.fixture
def as_users_have_it(spark: SparkSession, quick: dict[str, str]) -> Iterator[None]:
    for key in quick:
        spark.conf.set(key, "true")
    yield
    for key, value in QUICK.items():
        spark.conf.set(key, value)


@pytest.fixture(scope="module")
def tree() -> Tree:
    return random_tree(0)


@pytest.fixture(scope="module")
def tables(spark: SparkSession, tree: Tree) -> tuple[DataFrame, DataFrame]:
    clusters, assignments = frames(spark, tree)
    return clusters.localCheckpoint(), assignments.localCheckpoint()


def test_draws_are_sparks(spark: SparkSession) -> None:
    ids = np.concatenate([[0, 1, -1, 2**63 - 1, -(2**63)], np.random.default_rng(0).integers(-(2**62), 2**62, 500)])
    rows = spark.createDataFrame([(int(i),) for i in ids], "item_id long")
    for seed, purpose in ((0, Purpose.SEEDING), (-7, Purpose.SALT), (2**63 - 1, Purpose.PICTURE)):
        drawn = rows.select(
            draw_of(seed, purpose, F.col("item_id")).alias("one"),
            draw_of(seed, purpose, F.lit(3), F.col("item_id")).alias("two"),
        ).collect()
        assert [row.one for row in drawn] == draws(seed, purpose, ids).tolist()
        assert [row.two for row in drawn] == draws(seed, purpose, 3, ids).tolist()


def test_quotas_of_many_parents_equal_the_array_twin(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    parents, ids = rng.integers(0, 40, 3000), np.arange(3000)
    sizes, budgets = rng.geometric(0.05, 3000) - 1, rng.integers(0, 1500, 40)
    nodes = spark.createDataFrame(
        list(zip(ids.tolist(), parents.tolist(), sizes.tolist(), strict=True)),
        "cluster_id long, parent_id long, n_items long",
    )
    limits = spark.createDataFrame(list(enumerate(budgets.tolist())), "parent_id long, budget long")
    got = {row.cluster_id: row.quota for row in quotas(nodes, limits, level=2, seed=5, max_copies=2).collect()}
    order, expected = draws(5, Purpose.REMAINDER, 2, ids), {}
    for parent in range(40):
        mine = np.flatnonzero(parents == parent)
        shares = array_quotas(sizes[mine] * 2, int(budgets[parent]), draws=order[mine])
        expected |= {int(i): int(share) for i, share in zip(mine, shares, strict=True) if share}
    assert got == expected


def test_a_small_tree_by_hand(spark: SparkSession) -> None:
    clusters = spark.createDataFrame(
        [
            (1, 0, 0, 0, 4, 0.0), (1, 1, 0, 0, 1, 0.0), (1, 2, 1, 0, 2, 0.0),
            (2, 0, None, 2, 5, 0.0), (2, 1, None, 1, 2, 0.0),
        ],
        CLUSTERS,
    )  # fmt: skip
    assignments = spark.createDataFrame(
        [(10, 0, 0.1), (11, 0, 0.2), (12, 0, 0.2), (13, 0, 0.9), (20, 1, 0.5), (30, 2, 0.1), (31, 2, 0.3)],
        ASSIGNMENTS,
    )
    # 5 items: 3 and 2 at the top; cluster 0 of level 2 gives 2 to its large child and 1 to the small one.
    curated = "item_id long, copies int, cluster_id long, origin string"
    expected = spark.createDataFrame(
        [
            (10, 1, 0, "cluster"), (11, 1, 0, "cluster"), (20, 1, 1, "cluster"),
            (30, 1, 2, "cluster"), (31, 1, 2, "cluster"),
        ],
        curated,
    )  # fmt: skip
    selected = select(clusters, assignments, levels=2, seed=0, within="closest", target=5, checkpoint=keep)
    assert_df_equality(selected, expected, ignore_row_order=True, ignore_nullable=True)
    farthest = select(clusters, assignments, levels=2, seed=0, within="farthest", per_cluster=2, checkpoint=keep)
    assert set(chosen(farthest)) == {13, 11, 20, 30, 31}
    twice = select(clusters, assignments, levels=2, seed=0, within="closest", target=10, max_copies=2, checkpoint=keep)
    # 10 of at most 14: 4 for the smaller top cluster, 6 for the larger, of which 2 for the single item.
    assert copies_of(chosen(twice)) == {30: 2, 31: 2, 20: 2, 10: 1, 11: 1, 12: 1, 13: 1}


@pytest.mark.parametrize(
    "options",
    [
        {"target": 100}, {"target": 97, "within": "closest"},
        {"target": 650, "max_copies": 3, "within": "farthest"},
        {"target": 101, "method": "flat"}, {"target": 101, "method": "flat", "level": 2},
        {"target": 650, "method": "flat", "level": 1, "max_copies": 2},
        {"per_cluster": 7, "method": "flat", "level": 2},
        {"target": 500, "method": "flat", "max_copies": 2, "within": "closest"},
        {"per_cluster": 9, "max_copies": 2}, {"per_cluster": 20, "method": "flat"},
        {"target": 10**12}, {"target": 1},
    ],
)  # fmt: skip
@BOTH
def test_equals_the_oracle(tables: tuple[DataFrame, DataFrame], tree: Tree, options: dict, draw: Draw) -> None:
    selection = chosen(draw(*tables, seed=3, **options))
    assert copies_of(selection) == tree.select(seed=3, **options)
    labels = dict(zip(tree.item_ids.tolist(), tree.labels.tolist(), strict=True))
    assert all(labels[item_id] == cluster for item_id, (_, cluster) in selection.items())
    if "target" in options:
        most = 400 * options.get("max_copies", 1)
        assert copies_of(selection).total() == min(options["target"], most)


@pytest.mark.parametrize("ks", [(25,), (60, 20, 7, 2)])
@BOTH
def test_trees_of_other_heights_equal_the_oracle(spark: SparkSession, ks: tuple[int, ...], draw: Draw) -> None:
    tree = random_tree(len(ks), ks=ks)
    selected = draw(*frames(spark, tree), levels=len(ks), seed=1, target=150)
    assert copies_of(chosen(selected)) == tree.select(seed=1, target=150)


@pytest.mark.usefixtures("as_users_have_it")
def test_without_keep_it_is_lazy_and_the_same(tables: tuple[DataFrame, DataFrame], tree: Tree) -> None:
    lazy = select(*tables, levels=3, seed=3, target=100)
    assert copies_of(chosen(lazy)) == tree.select(seed=3, target=100)


def test_smaller_targets_are_nested(tables: tuple[DataFrame, DataFrame]) -> None:
    for options in ({"max_copies": 3}, {"method": "flat", "within": "farthest", "max_copies": 2}):
        smaller: Counter[int] = Counter()
        for target in (40, 41, 420, 700):
            larger = copies_of(chosen(select(*tables, levels=3, seed=0, target=target, checkpoint=keep, **options)))
            assert larger.total() == target
            assert smaller <= larger
            smaller = larger


@BOTH
def test_where_excludes_whole_subtrees(tables: tuple[DataFrame, DataFrame], tree: Tree, draw: Draw) -> None:
    sizes = np.bincount(tree.labels, minlength=30)

    def excluded(node: Node) -> bool:
        return node == (2, 1) or (node[0] == 1 and sizes[node[1]] < 6)

    where = "(level <> 2 or cluster_id <> 1) and (level > 1 or n_items >= 6)"
    for options in (
        {"target": 60}, {"target": 60, "method": "flat"}, {"per_cluster": 3},
        {"target": 60, "method": "flat", "level": 1},
    ):  # fmt: skip
        selection = chosen(draw(*tables, seed=0, where=where, **options))
        assert copies_of(selection) == tree.select(seed=0, excluded=excluded, **options)
    left = available(tables[0], levels=3, where=where, max_copies=2).first()
    n = sum(len(tree.items(node, excluded)) for node in tree.top())
    assert (left.n_items, left.copies) == (n, 2 * n)


@BOTH
def test_where_null_excludes_and_nothing_may_be_left(tables: tuple[DataFrame, DataFrame], draw: Draw) -> None:
    assert chosen(draw(*tables, seed=0, where="cast(null as boolean)", target=5)) == {}
    assert chosen(draw(*tables, seed=0, where="level > 1", per_cluster=5)) == {}
    nothing = available(tables[0], levels=3, where="parent_id >= 0").first()  # null at the top
    assert (nothing.n_items, nothing.copies) == (0, 0)


def test_salted_ranking_changes_nothing(tables: tuple[DataFrame, DataFrame], tree: Tree) -> None:
    for options in (
        {"target": 130}, {"target": 60, "method": "flat", "within": "closest"},
        {"target": 700, "method": "flat", "max_copies": 3}, {"target": 10**6, "within": "farthest"},
    ):  # fmt: skip
        salted = select(*tables, levels=3, seed=2, checkpoint=keep, ranked_at_once=7, **options)
        assert copies_of(chosen(salted)) == tree.select(seed=2, **options)


@pytest.mark.usefixtures("as_users_have_it")
def test_partitioning_changes_nothing(spark: SparkSession, tables: tuple[DataFrame, DataFrame]) -> None:
    clusters, assignments = tables
    before = spark.conf.get("spark.sql.shuffle.partitions")
    selections = []
    try:
        for n in (1, 3, 8):
            spark.conf.set("spark.sql.shuffle.partitions", n)
            moved = (clusters.repartition(n), assignments.repartition(n, "item_id"))
            selections.append(
                (
                    chosen(select(*moved, levels=3, seed=4, target=111, checkpoint=keep)),
                    {row.item_id for row in random_items(moved[1], 111, 4).collect()},
                )
            )
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert selections[0] == selections[1] == selections[2]


def test_seeds_differ(tables: tuple[DataFrame, DataFrame]) -> None:
    one, two = (set(chosen(select(*tables, levels=3, seed=seed, per_cluster=3, checkpoint=keep))) for seed in (0, 1))
    assert one != two


def test_random_items(tables: tuple[DataFrame, DataFrame], tree: Tree) -> None:
    ids = np.sort(tree.item_ids)
    first = ids[np.argsort(draws(0, Purpose.BASELINE, ids), kind="stable")]
    for n in (0, 1, 57, 400, 1000):
        rows = [row.item_id for row in random_items(tables[1], n, 0).collect()]
        assert sorted(rows) == sorted(first[:n].tolist())
    with pytest.raises(ConfigError, match="n is -1"):
        random_items(tables[1], -1, 0)


def test_count_levels(spark: SparkSession, tables: tuple[DataFrame, DataFrame]) -> None:
    assert count_levels(tables[0]) == 3
    assert count_levels(spark.createDataFrame([], CLUSTERS)) == 0


@pytest.mark.parametrize("method", ["flat", "hierarchical"])
def test_no_window_over_all_rows_in_one_partition(tables: tuple[DataFrame, DataFrame], method: str) -> None:
    """Every window is keyed, the items' windows by group and part, the nodes' by parent and bucket."""
    for rows in (select(*tables, levels=3, seed=0, target=10, method=method), random_items(tables[1], 10, 0)):
        plan = rows._jdf.queryExecution().executedPlan().toString()
        assert "SinglePartition" not in "".join(re.findall(r".*Window.*\n.*\n.*Exchange.*", plan))
        windows = re.findall(r"Window \[(.*)", plan)
        assert windows
        for window in windows:
            keys = re.search(r"\], \[([^\]]+)\](, \[|$)", window)
            assert keys, window
            if "row_number()" in window:
                assert re.search("bucket|group_id", keys[1]), window


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("n_itemz > 1", "n_itemz"), ("n_items >", "PARSE_SYNTAX_ERROR"), ("", "PARSE_EMPTY_STATEMENT"),
        ("n_items + 1", "not a boolean"), ("rand() > 0.5", "Non-deterministic"), ("sum(n_items) > 3", "sum"),
        ("label = 'cat'", "label"),
    ],
)  # fmt: skip
def test_where_that_is_none(spark: SparkSession, where: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_where(spark, where)
    message = str(raised.value)
    assert said in message
    assert repr(where) in message
    assert "level, cluster_id, parent_id, n_children, n_items, mean_distance_sq" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "tree", "target": 1}, "method is 'tree'"),
        ({"within": "near", "target": 1}, "within is 'near'"),
        ({}, "exactly one"), ({"target": 1, "per_cluster": 1}, "exactly one"), ({"target": 0}, "target is 0"),
        ({"per_cluster": -1}, "per_cluster is -1"), ({"target": 1, "max_copies": 0}, "max_copies is 0"),
        ({"target": 1, "where": "nonsense > 1"}, "nonsense"), ({"target": 1, "level": 2}, "only flat has one"),
        ({"target": 1, "method": "flat", "level": 4}, "level is 4 and the tree has 3"),
    ],
)  # fmt: skip
def test_bad_arguments(tables: tuple[DataFrame, DataFrame], options: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        select(*tables, levels=3, seed=0, **options)


@pytest.mark.parametrize("most", [41, 40])
def test_a_sample_says_what_it_could_take_and_a_tree_above_the_limit_is_shared_in_sql(
    tables: tuple[DataFrame, DataFrame], tree: Tree, most: int
) -> None:
    drawn = sample(*tables, Rule(target=1000, max_copies=2), seed=3, most=most)
    assert drawn.n_available == 800
    assert copies_of(chosen(drawn.rows)) == tree.select(seed=3, target=1000, max_copies=2)


def test_a_small_tree_takes_one_job_before_its_rows(spark: SparkSession, tables: tuple[DataFrame, DataFrame]) -> None:
    spark.sparkContext.setJobGroup("small tree", "small tree")
    try:
        sample(*tables, Rule(target=100), seed=3)
    finally:
        spark.sparkContext.setLocalProperty("spark.jobGroup.id", None)
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup("small tree")) <= 2
