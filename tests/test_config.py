"""YAML and overrides -> a validated configuration."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from configs import written
from equipoise.config import identity
from equipoise.encoders import encoder_id
from equipoise.stages.cluster.section import DriverLimit, Resampling
from equipoise.stages.configuration import graph_of, load_config

SHIPPED = sorted((Path(__file__).parents[1] / "conf").glob("*.yaml"))


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
        ("name='7'", lambda config: config.name == "7"),
        ("source.inline=yes", lambda config: config.source.inline is True),
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


@pytest.mark.parametrize(
    "override", ["spark.spark.master=local[1]", "spark[spark.master]=local[1]", "spark.master=local[1]"]
)
def test_the_dotted_keys_of_spark_are_written_plainly_in_brackets_or_without_the_section(tmp_path, override):
    given = {"spark.master": "local[2]", "spark.ui.enabled": False, "spark.sql.shuffle.partitions": 3}
    config = load_config(written(tmp_path, spark=given), [override, "spark.driver.memory=2g"])
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


# What is shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_configurations_are_valid(path, tmp_path, monkeypatch):
    config = load_config(path)
    if config.embed and config.embed.encoder.startswith("torchscript:"):  # the demo makes the file
        file = tmp_path / config.embed.encoder.partition(":")[2]
        file.parent.mkdir(parents=True)
        with ZipFile(file, "w") as archive:
            archive.writestr("model/constants.pkl", b"")
        monkeypatch.chdir(tmp_path)
    assert graph_of(config).order and (config.deduplicate or (config.cluster and config.select))
    if config.embed:
        assert encoder_id(config.embed.encoder, config.embed.options)


@pytest.mark.parametrize("name", ["demo", "demo_images", "docstrings"])
def test_the_demos_end_with_a_report(name):
    (path,) = [path for path in SHIPPED if path.stem == name]
    assert load_config(path).report is not None
