"""YAML and overrides -> a validated configuration, and what every mistake in it is answered."""

from pathlib import Path

import pytest
import yaml

from equipoise.config import identity
from equipoise.encoders import encoder_id
from equipoise.errors import ConfigError
from equipoise.stages.cluster.section import DriverLimit, Resampling
from equipoise.stages.configuration import graph_of, load_config
from equipoise.stages.running import planned

SHIPPED = sorted((Path(__file__).parents[1] / "conf").glob("*.yaml"))
PLAIN = {
    "workspace": "w",
    "source": {"kind": "images", "path": "data/digits"},
    "embed": {"encoder": "pixels", "size": 8},
    "cluster": {"levels": [{"k": 30}, {"k": 5, "resampling": {"rounds": 3, "points": "half"}}]},
    "select": [{"name": "balanced", "target": 10}],
}


def written(folder: Path, **sections) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, **sections}))
    return path


def refusal(folder: Path, *overrides: str, **sections) -> str:
    path = written(folder, **sections)
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    message = str(caught.value)
    assert message.startswith(f"config {path}") or message.startswith("override")
    assert "\n" not in message
    return message


def misfit(folder: Path, *overrides: str, **sections) -> str:
    """What is said of sections that are each right and do not fit together: before any work, by the graph."""
    config = load_config(written(folder, **sections), overrides)
    with pytest.raises(ConfigError) as caught:
        graph_of(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is read


def test_defaults_fill_what_the_file_leaves_out(tmp_path):
    config = load_config(written(tmp_path))
    assert (config.name, config.seed, config.spark) == ("small", 0, {})
    cluster = config.cluster
    assert (cluster.metric, cluster.seeding, cluster.iterations, cluster.tolerance) == (
        "euclidean",
        "kmeans++",
        50,
        1e-4,
    )
    assert (cluster.checkpoint_every, cluster.partitions, cluster.driver_limit) == (
        5,
        None,
        DriverLimit(bytes=1e9, flops=1e13),
    )
    assert [level.resampling for level in cluster.levels] == [None, Resampling(rounds=3, points="half")]
    (selection,) = config.select
    assert (selection.method, selection.within, selection.max_copies) == ("hierarchical", "random", 1)
    assert config.embed.options == {"size": 8}


def test_a_name_in_the_file_is_kept(tmp_path):
    assert load_config(written(tmp_path, name="autumn")).name == "autumn"


@pytest.mark.parametrize(
    "override, read",
    [
        ("seed=7", lambda config: config.seed == 7),
        ("name=other", lambda config: config.name == "other"),
        ("cluster.levels.1.k=4", lambda config: [level.k for level in config.cluster.levels] == [30, 4]),
        ("cluster.levels.1.resampling.points=2", lambda config: config.cluster.levels[1].resampling.points == 2),
        ("cluster.levels.1.resampling=null", lambda config: config.cluster.levels[1].resampling is None),
        ("cluster.levels=[{k: 9}]", lambda config: [level.k for level in config.cluster.levels] == [9]),
        (
            "select.0.where=level <> 1 or n_items >= 3",
            lambda config: config.select[0].where == "level <> 1 or n_items >= 3",
        ),
        ("source.path=s3://bucket/a=b", lambda config: config.source.path == "s3://bucket/a=b"),
        ("embed.mode=L", lambda config: config.embed.options == {"size": 8, "mode": "L"}),
        ("cluster.driver_limit.bytes=1.0e+6", lambda config: config.cluster.driver_limit == DriverLimit(bytes=1e6)),
    ],
)
def test_an_override_replaces_one_value(tmp_path, override, read):
    plain = load_config(written(tmp_path))
    assert not read(plain)
    assert read(load_config(written(tmp_path), [override]))


def test_the_last_of_two_overrides_counts(tmp_path):
    assert load_config(written(tmp_path), ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize("override", ["spark.spark.master=local[1]", "spark[spark.master]=local[1]"])
def test_the_dotted_keys_of_spark_are_written_plainly_or_in_brackets(tmp_path, override):
    given = {"spark.master": "local[2]", "spark.ui.enabled": False, "spark.sql.shuffle.partitions": 3}
    config = load_config(written(tmp_path, spark=given), [override, "spark.spark.driver.memory=2g"])
    assert config.spark == {
        "spark.master": "local[1]",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "3",
        "spark.driver.memory": "2g",
    }


@pytest.mark.parametrize(
    "source, name",
    [
        ({"kind": "images", "path": "data/digits"}, "digits"),
        ({"kind": "images", "path": "data/digits/", "name": "mine"}, "mine"),
        ({"kind": "images", "path": "s3://bucket/web pages/2024/"}, "2024"),
        ({"kind": "embeddings", "path": "/data/clip features.npy"}, "clip_features"),
        ({"kind": "table", "path": "main.web.pages", "content": "html"}, "main_web_pages"),
        ({"kind": "images", "path": "crawl/v1.2"}, "v1_2"),
        ({"kind": "texts", "path": "docs/all.jsonl.gz"}, "all"),
    ],
)
def test_a_source_is_named_after_the_end_of_its_path(tmp_path, source, name):
    config = load_config(written(tmp_path, source=source, embed=None))
    assert config.source.own_name == name


def test_a_configuration_cannot_be_changed(tmp_path):
    with pytest.raises(ValueError, match="frozen"):
        load_config(written(tmp_path)).seed = 1


# What is refused


@pytest.mark.parametrize(
    "override, said",
    [
        # a key that is not there, at every depth: its name, and the nearest
        ("sed=1", "unknown key 'sed'; did you mean 'seed'?"),
        ("cluster.level=[]", "cluster: unknown key 'level'; did you mean 'levels'?"),
        ("cluster.levels.0.K=3", "cluster.levels.0: unknown key 'K'; did you mean 'k'?"),
        ("cluster.levels.1.resampling.round=3", "unknown key 'round'; did you mean 'rounds'?"),
        ("source.pth=x", "unknown key 'pth'; did you mean 'path'?"),
        ("select.0.targett=3", "select.0: unknown key 'targett'; did you mean 'target'?"),
        ("zzz=1", "unknown key 'zzz'; known: name, workspace, seed"),
        # a wrong type or value: key, value and what it must be
        ("seed=many", "seed: must be a valid integer"),
        ("seed=many", "(got 'many')"),
        ("seed.deeper=3", "seed: must be a valid integer"),
        ("cluster.levels.0.k=0", "cluster.levels.0.k: must be greater than 0 (got 0)"),
        ("cluster.levels.0.k=2.5", "cluster.levels.0.k: must be a valid integer"),
        ("cluster.levels=[]", "cluster.levels: "),
        ("cluster.metric=manhattan", "cluster.metric: must be 'euclidean' or 'cosine' (got 'manhattan')"),
        ("cluster.tolerance=-1", "cluster.tolerance: must be greater than or equal to 0 (got -1)"),
        ("cluster.levels.1.resampling.points=third", "cluster.levels.1.resampling.points"),
        ("cluster.levels.1.resampling.rounds=0", "cluster.levels.1.resampling.rounds"),
        ("cluster.driver_limit.flops=-1", "cluster.driver_limit.flops"),
        ("select.0.within=middle", "select.0.within: must be 'random', 'closest' or 'farthest'"),
        ("select.0.max_copies=0", "select.0.max_copies"),
        ("select.0.name=a b", "select.0.name"),
        ("source.kind=video", "source: unknown kind 'video'; known: images, texts, table, embeddings"),
        ("source.kind=imges", "source: unknown kind 'imges'; did you mean 'images'?"),
        ("source.inline=perhaps", "source.inline: must be a valid boolean"),
        ("report=true", "report: must be a section of keys and values, {} where there are none to give (got True)"),
        ("cluster.levels.1.resampling.points=hlf", "points: must be 'half' or a valid integer"),
        ("workspace=null", "workspace: must be a valid string"),
        ("embed.encoder=null", "embed.encoder: must be a valid string"),
        ("embed.batch_size=0", "embed.batch_size: must be greater than 0"),
        ("cluster=3", "cluster: "),
        # values that do not go together
        ("cluster.levels.1.k=30", "cluster: level 2 has k = 30, not below the 30 of level 1"),
        ("cluster.levels.1.k=31", "so k must fall"),
        ("cluster.levels.1.splits=5", "splits: 5 takes no resampling"),
        ("cluster.levels.0.splits=7", "cluster.levels.0: k: 30 is no multiple of splits: 7"),
        ("select.0.per_cluster=2", "selection 'balanced' has both target and per_cluster: keep one"),
        ("select.0.target=null", "selection 'balanced' needs one of target and per_cluster"),
    ],
)
def test_a_wrong_value_is_refused_by_name(tmp_path, override, said):
    assert said in refusal(tmp_path, override)


@pytest.mark.parametrize(
    "sections, said",
    [
        (
            {"source": {"kind": "embeddings", "path": "v.npy", "label": "c"}, "embed": None},
            "source: label: 'c' does not go with v.npy, which has no columns: drop it",
        ),
        (
            {"source": {"kind": "embeddings", "path": "t", "ids": "i.txt"}, "embed": None},
            "source: ids: 'i.txt' does not go with t, which is a table: name its column, id",
        ),
        ({"source": {"kind": "table", "path": "t"}}, "contents (content) or of their places (uri)"),
        ({"source": {"path": "t"}}, "source: needs a kind, one of: images, texts, table, embeddings"),
        ({"select": {"name": "a"}}, "select: must be a list"),
    ],
)
def test_sections_that_do_not_fit_are_refused(tmp_path, sections, said):
    assert said in refusal(tmp_path, **sections)


@pytest.mark.parametrize(
    "sections, said",
    [
        ({"cluster": None}, "select needs centroids, which no section of config 'small' makes: add 'cluster'"),
        (
            {"select": [{"name": "a", "target": 1}, {"name": "a", "per_cluster": 1}]},
            "select has 2 entries named 'a'; names must differ",
        ),
        ({"source": {"kind": "embeddings", "path": "v.npy"}}, "drop the section embed"),
        ({"source": {"kind": "texts", "path": "t"}}, "embed.encoder: 'pixels' reads images, the source holds texts"),
        (
            {"embed": None},
            "cluster needs embeddings, which no section of config 'small' makes: add 'embed'",
        ),
        ({"source": None}, "embed has nothing to embed: add the section 'source'"),
        ({"source": None, "embed": None}, "cluster needs embeddings"),
        ({"embed": {"encoder": "pixel"}}, "encoder 'pixel' is unknown; did you mean 'pixels'?"),
        ({"select": [{"name": "b", "targets": [5, 5]}]}, "2 entries named 'b-5'"),
        (
            {"select": [], "evaluate": {}},
            "evaluate needs curated, which no section of config 'small' makes: add 'select'",
        ),
    ],
)
def test_sections_that_miss_each_other_are_refused(tmp_path, sections, said):
    assert said in misfit(tmp_path, **sections)


def test_several_mistakes_are_told_at_once(tmp_path):
    message = refusal(tmp_path, "seed=many", "cluster.levels.0.k=0")
    assert "seed: " in message and "cluster.levels.0.k: " in message


def test_a_mistake_in_an_entry_is_told_once(tmp_path):
    message = refusal(tmp_path, "cluster.levels=[{k: 0}]")
    assert message.endswith("small.yaml: cluster.levels.0.k: must be greater than 0 (got 0)")


def test_a_key_with_nothing_behind_it_is_refused_but_null_is_no_section(tmp_path):
    path = written(tmp_path, evaluate=None)
    assert load_config(path).evaluate is None
    path.write_text(path.read_text().replace("evaluate: null", "evaluate:"))
    with pytest.raises(ConfigError, match="nothing stands after 'evaluate'"):
        load_config(path)


def test_a_file_without_a_source_is_refused(tmp_path):
    path = written(tmp_path)
    path.write_text("workspace: w\n")
    with pytest.raises(ConfigError, match="has no section 'source', so no stage: add it"):
        planned(load_config(path))


@pytest.mark.parametrize(
    "override, said",
    [
        ("seed", "override 'seed' is not of the form dotted.key=value"),
        ("evaluate=", "override 'evaluate=' has no value: null drops a section, {} has its defaults"),
        ("cluster.levels.9.k=3", "cannot be read"),
        ("cluster.levels.first.k=3", "cannot be read"),
        ("seed=[1", "cannot be read"),
        ("seed=${nowhere}", "nowhere"),
    ],
)
def test_an_override_that_cannot_be_applied_is_refused(tmp_path, override, said):
    assert said in refusal(tmp_path, override)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config .*none.yaml does not exist; the examples are in conf/"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "just words", "a: 1\na: 2\n", "\tkey: 1", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"config {path}") and "\n" not in str(caught.value)


# What is shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_configurations_are_valid(path):
    config = load_config(path)
    assert config.cluster and config.select and graph_of(config).order
    if config.embed:
        assert encoder_id(config.embed.encoder, config.embed.options)


@pytest.mark.parametrize("name", ["demo", "docstrings"])
def test_the_demos_end_with_a_report(name):
    (path,) = [path for path in SHIPPED if path.stem == name]
    assert load_config(path).report is not None


# Evaluation and comparison


def test_targets_are_as_many_selections(tmp_path):
    curve = [{"name": "b", "targets": [5, 20], "within": "closest"}, {"name": "c", "target": 7}]
    selections = load_config(written(tmp_path, select=curve)).select
    assert [(s.name, s.target, s.within) for s in selections] == [
        ("b-5", 5, "closest"),
        ("b-20", 20, "closest"),
        ("c", 7, "random"),
    ]
    plain = [{"name": "b-5", "target": 5, "within": "closest"}]
    (written_out,) = load_config(written(tmp_path, select=plain)).select
    assert written_out.model_dump() == selections[0].model_dump()  # so that either finds the other's run done


def test_an_empty_section_evaluates_with_defaults(tmp_path):
    section = load_config(written(tmp_path, evaluate={})).evaluate
    assert (section.top, section.groups, section.random, section.labelled) == (50, (), True, None)


@pytest.mark.parametrize(
    "sections, words",
    [
        ({"select": [{"name": "b", "targets": []}]}, ["select.0.targets"]),
        ({"select": [{"name": "b", "targets": [5], "target": 5}]}, ["has both target and targets: keep one"]),
        ({"select": [{"name": "pool", "target": 5}]}, ["the whole pool", "another name"]),
        ({"evaluate": {"groop": ["region"]}}, ["unknown key 'groop'", "groups"]),
        ({"evaluate": {"groups": ["class"]}}, ["'class'", "drop it"]),
        ({"evaluate": {"top": 0}}, ["evaluate.top", "0"]),
        ({"evaluate": {"labelled": {"path": "v.npy"}}}, ["no labels", "labels: FILE"]),
        ({"compare": {}}, ["compare.target"]),
        ({"compare": {"target": 5, "variants": [{"name": "random"}]}}, ["'random'", "always there"]),
        ({"compare": {"target": 5, "variants": [{"name": "a"}, {"name": "a"}]}}, ["2 entries named 'a'"]),
        ({"compare": {"target": 5, "variants": [{"name": "a", "select": {"target": 2}}]}}, ["select.target"]),
    ],
)
def test_mistakes_in_what_is_judged_are_answered(tmp_path, sections, words):
    message = refusal(tmp_path, **sections)
    assert all(word in message for word in words), message


# Several sources and encoders


SEVERAL = {
    "source": None,
    "embed": None,
    "sources": {
        "web": {"kind": "images", "path": "w"},
        "news": {"kind": "images", "path": "n"},
        "notes": {"kind": "texts", "path": "t"},
    },
    "pool": ["web", "news"],
    "encoders": {"dino": {"encoder": "pixels", "size": 8}, "sscd": {"encoder": "pixels", "size": 4}},
}
LEVELS = [{"k": 30}, {"k": 5}]


def nodes(folder: Path, **sections) -> dict[str, tuple[str, ...]]:
    """Names of the nodes, and what each stands on."""
    graph = graph_of(load_config(written(folder, **sections)))
    return {node.name: graph.parents(node.name) for node in graph.order}


def test_the_short_form_has_plain_names(tmp_path):
    assert nodes(tmp_path) == {
        "ingest": (),
        "embed": ("ingest",),
        "cluster": ("embed",),
        "select:balanced": ("cluster",),
    }


def test_nodes_are_named_by_encoder_and_source_and_only_the_pool_is_clustered(tmp_path):
    found = nodes(tmp_path, **SEVERAL, cluster={"levels": LEVELS, "encoder": "dino"})
    assert {name for name in found if name.startswith("ingest")} == {"ingest:web", "ingest:news", "ingest:notes"}
    # an encoder of images leaves texts alone
    assert {name for name in found if name.startswith("embed")} == {
        "embed:dino/web", "embed:dino/news", "embed:sscd/web", "embed:sscd/news",
    }  # fmt: skip
    assert found["embed:dino/web"] == ("ingest:web",)
    assert set(found["cluster"]) == {"embed:dino/web", "embed:dino/news"}


@pytest.mark.parametrize(
    "sections, names",
    [
        ({"encoders": {}, "embed": {"encoder": "pixels"}}, {"embed:web", "embed:news"}),
        (
            {"sources": {}, "pool": None, "source": {"kind": "images", "path": "w"}},
            {"embed:dino", "embed:sscd"},
        ),
    ],
)
def test_the_short_form_of_one_goes_with_several_of_the_other(tmp_path, sections, names):
    encoder = None if "embed" in sections else "sscd"
    found = nodes(tmp_path, **{**SEVERAL, **sections}, cluster={"levels": LEVELS, "encoder": encoder})
    assert {name for name in found if name.startswith("embed")} == names


def test_another_source_or_encoder_changes_no_fingerprint_of_what_does_not_use_it(tmp_path):
    def prints(**sections):
        graph = graph_of(load_config(written(tmp_path, **{**SEVERAL, **sections})))
        found: dict[str, str] = {}
        for node in graph.order:
            found[node.name] = node.fingerprint([found[name] for name in graph.parents(node.name)], {})
        return found

    clustered = {"cluster": {"levels": LEVELS, "encoder": "dino"}}
    before = prints(**clustered)
    more = {**SEVERAL["sources"], "seeds": {"kind": "images", "path": "s"}}
    encoders = {**SEVERAL["encoders"], "third": {"encoder": "pixels", "size": 2}}
    after = prints(**clustered, sources=more, encoders=encoders)
    assert {"ingest:seeds", "embed:third/web"} <= after.keys()
    assert {name: after[name] for name in before} == before


def test_the_pool_is_all_sources_by_default(tmp_path):
    images = {name: SEVERAL["sources"][name] for name in ("web", "news")}
    found = nodes(tmp_path, source=None, sources=images)
    assert set(found["cluster"]) == {"embed:web", "embed:news"}


def test_given_vectors_of_one_model_go_together(tmp_path):
    given = {name: {"kind": "embeddings", "path": f"{name}.npy", "encoder": "clip"} for name in ("web", "news")}
    found = nodes(tmp_path, source=None, embed=None, sources=given)
    assert set(found["cluster"]) == {"ingest:web", "ingest:news"}
    mixed = {**given, "more": {"kind": "images", "path": "m"}}
    found = nodes(tmp_path, source=None, embed=None, sources=mixed, encoders={"clip": {"encoder": "pixels"}})
    assert set(found["cluster"]) == {"ingest:web", "ingest:news", "embed:clip/more"}


@pytest.mark.parametrize(
    "sections, said",
    [
        ({"source": {"kind": "images", "path": "x"}}, "source is the short form of sources"),
        ({"embed": {"encoder": "pixels"}}, "embed is the short form of encoders"),
        ({"pool": ["wbe"]}, "pool: there is no source 'wbe'; did you mean 'web'?"),
        ({"pool": []}, "pool: "),
        ({"sources": {"a b": {"kind": "images", "path": "x"}}}, "sources.a b"),
        ({"sources": {"web": {"kind": "images", "path": "x", "name": "other"}}}, "sources.web.name: 'other' and 'web'"),
        ({"sources": {"web": {"kind": "imges", "path": "x"}}}, "sources.web: unknown kind 'imges'"),
        ({"sources": {"web": {"kind": "images", "pth": "x"}}}, "sources.web: unknown key 'pth'; did you mean 'path'?"),
        ({"encoders": {"dino": {"encoder": "pixels", "batch_size": 0}}}, "encoders.dino.batch_size"),
    ],
)
def test_mistakes_in_names_are_refused(tmp_path, sections, said):
    assert said in refusal(tmp_path, **{**SEVERAL, **sections})


@pytest.mark.parametrize(
    "sections, said",
    [
        ({}, "cluster.encoder is needed, since several encoders make vectors: dino, sscd; name one"),
        ({"cluster": {"levels": LEVELS, "encoder": "dno"}}, "cluster.encoder: 'dno' makes no vectors of 'web', 'news'"),
        ({"cluster": {"levels": LEVELS, "encoder": "dno"}}, "did you mean 'dino'?"),
        ({"pool": ["notes"]}, "cluster.encoder: no encoder makes vectors of all of 'notes'"),
        (
            {
                "encoders": {},
                "pool": None,
                "sources": {name: {"kind": "embeddings", "path": f"{name}.npy"} for name in ("web", "news")},
            },
            "where they bring vectors that one model made, say so by the key encoder of each source",
        ),
    ],
)
def test_names_that_miss_each_other_are_refused(tmp_path, sections, said):
    assert said in misfit(tmp_path, **{**SEVERAL, **sections})


def test_keys_that_say_how_and_defaults_are_no_part_of_what_is_made(tmp_path):
    plain = load_config(written(tmp_path))
    same = load_config(
        written(tmp_path), ["cluster.checkpoint_every=9", "cluster.iterations=50", "cluster.driver_limit.flops=1.0e+13"]
    )
    assert (
        identity(plain.cluster)
        == identity(same.cluster)
        == {"levels": [{"k": 30}, {"k": 5, "resampling": {"rounds": 3}}]}
    )
