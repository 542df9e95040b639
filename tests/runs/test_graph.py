"""A graph: edges by what is made, an order, and what is refused. No Spark."""

import pytest

from equipoise.config import Config
from equipoise.errors import ConfigError
from equipoise.runs.graph import Graph
from equipoise.runs.stage import Stage
from equipoise.schemas import CENTROIDS, CURATED, POOL, REJECTS, Col
from runs.toys import graph_of, node, part, pipeline, stages_of


def test_edges_follow_from_what_is_needed_and_made():
    graph = graph_of(*pipeline())
    assert [one.name for one in graph.order] == [
        "ingest", "cluster", "select:a", "select:b", "evaluate", "benchmark",
    ]  # fmt: skip
    assert graph.parents("ingest") == () and graph.parents("cluster") == ("ingest",)
    assert graph.parents("select:a") == graph.parents("select:b") == ("cluster",)
    assert graph.parents("evaluate") == ("select:a", "select:b")
    assert graph.parents("benchmark") == ()


def test_selections_do_not_stand_on_each_other_and_neither_do_judges():
    graph = graph_of(*pipeline())
    assert graph.descendants("select:a") == {"evaluate"}
    assert graph.descendants("evaluate") == graph.descendants("benchmark") == set()
    assert graph.descendants("ingest") == {"cluster", "select:a", "select:b", "evaluate"}


def test_ancestors_come_in_order():
    graph = graph_of(*pipeline())
    assert [one.name for one in graph.ancestors("evaluate")] == ["ingest", "cluster", "select:a", "select:b"]


def test_descendants_may_be_of_a_record_too():
    graph = graph_of(*pipeline())
    gone = {"select:gone": ["cluster"], "evaluate:gone": ["select:gone"]}
    assert graph.descendants("cluster", also=gone) >= {"select:gone", "evaluate:gone"}
    assert "select:gone" not in graph.descendants("select:a", also=gone)


def test_slices_of_other_values_make_no_edge():
    web, news = (node(f"ingest:{name}", makes=(part(POOL, source=name),)) for name in ("web", "news"))
    reader = node("cluster", needs=(part(POOL, source="web"),))
    assert graph_of(web, news, reader).parents("cluster") == ("ingest:web",)


def test_a_sieve_is_gone_behind_where_it_is_about_the_same_sources():
    rejects = part(REJECTS, stage="screen")
    sieve = node("screen", sources=("web",), makes=(rejects,), drops=rejects, is_sieve=True)
    seen = {}

    def asks(config, so_far):
        seen.update(web=so_far.sieves(["web", "x"]), news=so_far.sieves(["news"]))
        return [node("cluster", sources=("web",), after=so_far.sieves(["web"]))]

    graph = Graph(Config(name="t", workspace="w"), [*stages_of(sieve), Stage("cluster", "", asks)])
    assert seen == {"web": ("screen",), "news": ()}
    assert graph.parents("cluster") == ("screen",)


@pytest.mark.parametrize(
    "nodes, message",
    [
        ([node("a"), node("a")], "two steps named 'a'"),
        ([node("a", makes=(part(CENTROIDS),)), node("b", makes=(part(CENTROIDS),))], "b and a both make centroids"),
        (
            [node("a", makes=(part(CURATED, selection="x"),)), node("b", makes=(part(CURATED),))],
            "b and a both make curated",
        ),
        ([node("a", drops=part(REJECTS, stage="a"))], "which is none of what it makes"),
    ],
)
def test_what_cannot_be_is_refused(nodes, message):
    with pytest.raises(ConfigError, match=message):
        graph_of(*nodes)


def test_rows_that_nobody_makes_are_refused_with_the_section_that_would():
    def asks(config, so_far):
        return [node("select:x", needs=so_far.made(CENTROIDS))]

    cluster = Stage("cluster", "", lambda config, so_far: [], tables=(CENTROIDS,))
    given = Config(name="t", workspace="w", source={"kind": "texts", "path": "x"})
    with pytest.raises(
        ConfigError, match=r"select needs centroids, which no section of config 't' makes: add 'cluster'"
    ):
        Graph(given, [cluster, Stage("select", "", asks)])
    with pytest.raises(ConfigError, match=r"config 't' has no section 'source', which select needs: add it"):
        Graph(Config(name="t", workspace="w"), [cluster, Stage("select", "", asks)])


def test_the_pool_is_all_that_no_stage_refers_to():
    sources = {name: {"kind": "texts", "path": name} for name in ("web", "news", "seeds")}
    refers = Stage("retrieve", "", lambda config, so_far: [], refers_to=lambda config: ["seeds"])
    assert Graph(Config(name="t", workspace="w", sources=sources), [refers]).pool == ("web", "news")
    chosen = Config(name="t", workspace="w", sources=sources, pool=["news"])
    assert Graph(chosen, [refers]).pool == ("news",)


def test_slices_overlap_where_common_columns_agree():
    assert part(CURATED).overlaps(part(CURATED, selection="a"))
    assert not part(CURATED, selection="b").overlaps(part(CURATED, selection="a"))
    assert not part(CURATED).overlaps(part(CENTROIDS))
    assert part(CURATED, selection="a").of_run("r").where == {Col.selection: "a", Col.run_id: "r"}
    assert part(POOL, source="s").of_run("r").where == {Col.source: "s"}
