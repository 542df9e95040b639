"""What every mistake in a configuration is answered: by name, with the value, the limit and the way out."""

import pytest

from configs import misfit, refusal, written
from equipoise.errors import ConfigError
from equipoise.stages.configuration import load_config
from equipoise.stages.running import planned


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
        ("seed=many", "must be a valid integer (got 'many')"),
        (
            "deduplicate={keep: best}",
            "'longest_text' or 'closest_to_mean' or a section of keys and values, {} where",
        ),
        ("deduplicate={keep: {attribute: 3}}", "; deduplicate.keep.attribute: must be a valid string (got 3)"),
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
        ("source.path=.", "source.name: is needed, for the last part of the path, '', is none of 1 to 160 bytes"),
        ("source.path=/", "source.name: is needed"),
        ("source.path=" + "x" * 161, "source.name: is needed"),
        ("source.path=''", "source.path: must not be empty"),
        ("source.name=' '", "source.name: must not be empty"),
        (
            "source.kind=video",
            "source: unknown kind 'video'; known: images, webdataset, arrays, texts, table, embeddings",
        ),
        ("source.kind=imges", "source: unknown kind 'imges'; did you mean 'images'?"),
        ("source.inline=perhaps", "source.inline: must be a valid boolean"),
        ("report=true", "report: must be a section of keys and values, {} where there are none to give (got True)"),
        ("cluster.levels.1.resampling.points=hlf", "points: must be 'half' or a valid integer"),
        ("workspace=null", "workspace: is needed and not there"),
        ("embed.encoder=null", "embed.encoder: must be a valid string"),
        ("embed.batch_size=0", "embed.batch_size: must be greater than 0"),
        ("cluster=3", "cluster: "),
        ("embed.sise=8", "embed: encoder 'pixels' has no option 'sise'; did you mean 'size'?"),
        ("embed.batch_sise=8", "did you mean 'batch_size'?"),
        ("embed.size=0", "embed.size: must be greater than 0 (got 0)"),
        ("embed.size=100000", "embed.size: must be less than or equal to 512 (got 100000)"),
        ("embed.mode=CMYK", "embed.mode: must be 'L' or 'RGB' (got 'CMYK')"),
        ("workspace=a:b", "workspace: reads as a place of another file system: write ./a:b for"),
        ("workspace=/", "workspace: is the root, and tables need a folder"),
        ("workspace=http://x/y", "workspace: cannot be written to: http:// is for reading"),
        ("workspace=s3://", "workspace: names no bucket or container: write s3://NAME/folder (got 's3://')"),
        ("workspace=gs:///runs", "workspace: names no bucket or container: write gs://NAME/folder"),
        ("workspace=hdfs://", "workspace: is the root, and tables need a folder"),
        ("workspace=dbfs:/", "workspace: is the root, and tables need a folder"),
        ("workspace=a.b.c.d", "write ./a.b.c.d for a folder of that name (got 'a.b.c.d')"),
        ("workspace=a..b", "workspace: is neither catalog.schema, two names of letters, digits and '_', nor surely"),
        ("workspace=spark_catalog.x-y", "write ./spark_catalog.x-y for a folder of that name"),
        ("workspace='~/runs'", "workspace: is not in your home for Spark"),
        ("cluster.partitions=99999999999", "cluster.partitions: must be less than or equal to 1000000"),
        ("cluster.split_bytes=.inf", "cluster.split_bytes: must be a finite number"),
        ("spark.spark.sql.shuffle.partitions=many", "spark.spark.sql.shuffle.partitions: must be a whole number"),
        ("spark.spark.driver.memory=lots", "spark.spark.driver.memory: must be a size, such as 512m or 64g"),
        ("spark.spark.executor.cores=0", "spark.spark.executor.cores: must be a whole number above 0 (got '0')"),
        ("spark.spark.master=''", "spark.spark.master: must be a master that Spark knows, such as local[4], yarn, "),
        ("spark.spark.master=nonsense", "or k8s://HOST: write one, or drop it (got 'nonsense')"),
        ("spark.spark.master=local[0]", "spark.spark.master: must be a master that Spark knows"),
        ("spark.spark.sql.ansi.enabled=maybe", "spark.spark.sql.ansi.enabled: must be true or false (got 'maybe')"),
        (
            "report.out='~/x'",
            "report.out: is not in your home for Spark, which does not know ~: write the folder in full",
        ),
        ("report.out='a:b'", "report.out: reads as a place of another file system: write ./a:b for a folder"),
        ("report.out=s3://", "report.out: names no bucket or container: write s3://NAME/folder"),
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
            "source: ids: 'i.txt' does not go with t, which is read as Delta or Parquet: name its column of ids, id",
        ),
        ({"source": {"kind": "table", "path": "t"}}, "contents (content) or of their places (uri)"),
        (
            {"source": {"path": "t"}},
            "source: needs a kind, one of: images, webdataset, arrays, texts, table, embeddings",
        ),
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
            {"source": {"kind": "texts", "path": "t"}, "embed": {"encoder": "torchscript:m.pt"}},
            "embed.encoder: 'torchscript:m.pt' reads images, the source holds texts",
        ),
        (
            {"embed": None},
            "cluster needs embeddings, which no section of config 'small' makes: add 'embed'",
        ),
        ({"source": None}, "config 'small' has no section 'source', which embed needs: add it"),
        ({"source": None, "embed": None}, "config 'small' has no section 'source', which cluster needs: add it"),
        ({"embed": {"encoder": "pixel"}}, "encoder 'pixel' is unknown; did you mean 'pixels'?"),
        ({"select": [{"name": "b", "targets": [5, 5]}]}, "2 entries named 'b-5'"),
        (
            {"select": [], "evaluate": {}},
            "evaluate needs curated, which no section of config 'small' makes: add 'select'",
        ),
        (
            {"evaluate": {"labelled": {"path": "t", "level": 9}}},
            "evaluate.labelled.level: 9, and the clustering has 2: lower it, or drop it for the top",
        ),
        (
            {"evaluate": {"groups": ["nope"]}},
            "no source keeps the attribute 'nope'; known: source, label; a source keeps",
        ),
        (
            {
                "source": {"kind": "texts", "path": "t", "attributes": ["region"]},
                "embed": {"encoder": "sentence-transformers:m"},
                "evaluate": {"groups": ["source", "region", "regoin"]},
            },
            "no source keeps the attribute 'regoin'; did you mean 'region'?",
        ),
        ({"evaluate": {"groups": ["label"]}}, "evaluate.groups: no source gives items a label: drop 'label', or"),
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
    with pytest.raises(ConfigError, match="has no section 'source', which every stage but benchmark needs: add it"):
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
        ("=3", "override '=3' is not of the form dotted.key=value"),
        ("seed=" + "[" * 2000 + "]" * 2000, "is nested too deeply"),
        (".".join(["seed"] * 2000) + "=1", "has more than 20 parts"),
    ],
)
def test_an_override_that_cannot_be_applied_is_refused(tmp_path, override, said):
    assert said in refusal(tmp_path, override)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"config .*none.yaml does not exist; the examples are in conf/"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is a folder: name a file in it"):
        load_config(tmp_path)


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "just words", "a: 1\na: 2\n", "\tkey: 1", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"config {path}") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sections, words",
    [
        ({"select": [{"name": "b", "targets": []}]}, ["select.0.targets"]),
        ({"select": [{"name": "b", "targets": [5], "target": 5}]}, ["has both target and targets: keep one"]),
        ({"select": [{"name": "b", "target": 5, "level": 1}]}, ["level: 1", "hierarchical", "write method: flat"]),
        (
            {"cluster": {"tree": "top_down", "levels": [{"k": 30}, {"k": 7}]}},
            ["k of level 1", "multiple of that of level 2: 30 is none of 7; take 28"],
        ),
        (
            {"cluster": {"tree": "top_down", "levels": [{"k": 30, "splits": 5}, {"k": 5}]}},
            ["tree: top_down splits every level anyway: drop splits of level 1"],
        ),
        (
            {"cluster": {"tree": "top_down", "levels": [{"k": 30}, {"k": 5, "resampling": {"rounds": 2}}]}},
            ["drop resampling of level 2"],
        ),
        ({"select": [{"name": "pool", "target": 5}]}, ["the whole pool", "another name"]),
        ({"evaluate": {"groop": ["region"]}}, ["unknown key 'groop'", "groups"]),
        ({"evaluate": {"groups": ["class"]}}, ["'class'", "drop it"]),
        ({"evaluate": {"top": 0}}, ["evaluate.top", "0"]),
        ({"evaluate": {"labelled": {"path": "v.npy"}}}, ["no labels", "labels: FILE"]),
        ({"compare": {}}, ["compare.target"]),
        (
            {"compare": {"target": 5, "variants": []}},
            ["compare.variants: must not be empty: name one, or drop the key"],
        ),
        ({"compare": {"target": 5, "variants": [{"name": "random"}]}}, ["'random'", "always there"]),
        ({"compare": {"target": 5, "variants": [{"name": "a"}, {"name": "a"}]}}, ["2 entries named 'a'"]),
        ({"compare": {"target": 5, "variants": [{"name": "a", "select": {"target": 2}}]}}, ["select.target"]),
    ],
)
def test_mistakes_in_what_is_judged_are_answered(tmp_path, sections, words):
    message = refusal(tmp_path, **sections)
    assert all(word in message for word in words), message
