"""A comparison with a labelled set: the top level of every method's own tree gets classes."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from pyspark.sql import functions as F
from sklearn.neighbors import KNeighborsClassifier

import equipoise
from equipoise.cli import main
from equipoise.errors import RunError
from equipoise.schemas import Col
from equipoise.stages.configuration import load_config
from equipoise.studies.comparisons import refuse_by_spark
from equipoise.studies.variants import variant_runs

pytestmark = pytest.mark.slow

CLASSES = {"common": 150, "rare": 40, "seldom": 10}
CENTRES = {"common": [0, 0, 0], "rare": [9, 0, 0], "seldom": [0, 9, 3]}


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> str:
    """Two encoders' vectors, a tree of two levels, methods of all kinds, and one that does not fit the pool."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    labels = np.repeat(list(CLASSES), list(CLASSES.values()))
    vectors = np.stack([CENTRES[label] for label in labels]) + rng.normal(size=(200, 3))
    np.save(folder / "v.npy", vectors.astype(np.float32))
    known = np.concatenate([np.flatnonzero(labels == label)[:9] for label in CLASSES])
    np.save(folder / "known.npy", vectors[known].astype(np.float32))
    (folder / "known.txt").write_text("\n".join(labels[known]))
    path = folder / "config.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "workspace": str(folder / "workspace"),
                "source": {"kind": "embeddings", "path": str(folder / "v.npy")},
                "cluster": {"iterations": 5, "levels": [{"k": 120}, {"k": 24}, {"k": 6}]},
                "evaluate": {
                    "labelled": {"path": str(folder / "known.npy"), "labels": str(folder / "known.txt"), "k": 3}
                },
                "compare": {
                    "target": 40,
                    "variants": [
                        {"name": "own"},
                        {"name": "farthest", "select": {"within": "farthest"}},
                        {"name": "flat-1", "select": {"method": "flat", "level": 1}},
                        {"name": "1r", "cluster": {"levels": [{"k": 6}]}},
                        {"name": "vocabulary-tree", "cluster": {"tree": "top_down"}},
                    ],
                },
            }
        )
    )
    assert main(["compare", "--config", str(path), "--run-id", "c"]) == 0
    return str(path)


def own_rows(spark, config: str):
    rows = equipoise.read_table(spark, load_config(config).workspace, "metrics").where("run_id = 'c'")
    return rows.where(F.col(Col.group).startswith("own_class")).toPandas()


def test_the_top_level_of_each_method_has_classes(spark, config):
    rows = own_rows(spark, config)
    workspace, folder = load_config(config).workspace, load_config(config).workspace.removesuffix("workspace")
    voters = KNeighborsClassifier(3).fit(
        np.load(f"{folder}known.npy"), np.array(Path(f"{folder}known.txt").read_text().split())
    )
    for run in variant_runs(load_config(config)):
        tree = equipoise.read_table(spark, workspace, "centroids").where(F.col(Col.run_id) == run.run_id).toPandas()
        top = tree[tree["level"] == tree["level"].max()]
        assert top["n_items"].sum() == 200
        top = top.assign(label=voters.predict(np.stack(top["centroid"])))
        classes = top.groupby("label").agg(n_clusters=("label", "size"), n_items=("n_items", "sum"))
        slope, intercept = np.polyfit(classes["n_items"], classes["n_clusters"], 1)
        for method in run.methods:
            mine = rows[rows["selection"] == method].set_index(["group", "name"])["value"]
            assert mine["own_class", "clusters_slope"] == pytest.approx(slope)
            assert mine["own_class", "clusters_intercept"] == pytest.approx(intercept)
            for label, row in classes.iterrows():
                assert mine[f"own_class={label}", "n_clusters"] == row["n_clusters"]
                assert mine[f"own_class={label}", "mean_cluster_size"] == row["n_items"] / row["n_clusters"]
    assert set(rows["selection"]) == {"own", "farthest", "flat-1", "1r", "vocabulary-tree"}


def test_the_fits_of_all_methods_are_printed(config, capsys):
    assert main(["compare", "--config", config, "--run-id", "c"]) == 0
    said = capsys.readouterr().out
    own = said.split("methods: clusters of a class against its size, each method's own top level")[1]
    names = [line.split()[1] for line in own.splitlines() if line.startswith("│")]
    assert names == ["own", "farthest", "flat-1", "1r", "vocabulary-tree"]
    assert "clusters slope" in own and said.count("methods: clusters of a class against its size") == 2


def test_the_tree_from_the_top_is_one_in_the_tables(spark, config):
    run = next(run for run in variant_runs(load_config(config)) if "vocabulary-tree" in run.methods)
    workspace = load_config(config).workspace
    tree = equipoise.read_table(spark, workspace, "centroids").where(F.col(Col.run_id) == run.run_id).toPandas()
    assert tree["level"].value_counts().sort_index().to_list()[1:] == [24, 6]
    for level, branches in ((1, 5), (2, 4)):
        here = tree[tree["level"] == level]
        assert (here["parent_id"] == here["cluster_id"] // branches).all() and here["n_items"].sum() == 200
    curated = equipoise.read_table(spark, workspace, "curated").where(F.col(Col.run_id) == run.run_id)
    assert curated.agg(F.sum(Col.copies)).first()[0] == 40


def test_a_method_that_nobody_asked_for_is_left_out_where_the_pool_is_too_small(config, capsys):
    # 200 items: twice 120 clusters do not fit, unless they are asked for
    assert main(["compare", "--config", config, "--run-id", "d", "compare.variants=null", "compare.target=30"]) == 0
    said = capsys.readouterr()
    assert "3r-k12: left out, k = 240 is above the 200 items" in said.err
    assert "vocabulary-tree" in said.out and "3r-k12" not in said.out
    twice = "[{name: twice, cluster: {levels: [{k: 240}]}}]"
    assert main(["compare", "--config", config, f"compare.variants={twice}", "--quiet"]) == 2
    assert "above the number of usable embeddings, 200" in capsys.readouterr().err


def test_stages_do_not_work_in_a_comparison_or_in_its_runs(spark, config, capsys):
    runs = variant_runs(load_config(config))
    for run_id in ("c", *(run.run_id for run in runs)):
        with pytest.raises(RunError, match=f"--run-id '{run_id}' is a"):
            refuse_by_spark(load_config(config, ["compare=null"]), run_id, spark)
        assert main(["evaluate", "--config", config, "--run-id", run_id, "compare=null", "--quiet"]) == 2
        assert f"--run-id '{run_id}' is a" in capsys.readouterr().err
    assert main(["curate", "--config", config, "--run-id", "mine", "compare=null", "evaluate=null", "--quiet"]) == 0
    assert main(["curate", "--config", config, "--run-id", "mine", "evaluate=null", "--quiet"]) == 0
