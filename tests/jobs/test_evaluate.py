"""The job evaluate, the curve over sizes and the comparison of methods, through the command line, on small vectors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.cli import main
from equipoise.evaluation.balance import measures
from equipoise.evaluation.fairness import gap
from equipoise.schemas import CURATED, METRICS, RUNS, Col, Slice
from equipoise.stages.configuration import load_config
from equipoise.studies.variants import comparison_id, variant_runs
from equipoise.tables import Workspace, register_views

pytestmark = pytest.mark.slow

CLASSES = {"common": 150, "rare": 40, "seldom": 10}
CLUSTER = {"iterations": 5, "levels": [{"k": 20}, {"k": 5}]}
CURVE = {"name": "balanced", "targets": [40, 90]}
ONE = [{"name": "s", "target": 40}]


@pytest.fixture(scope="module")
def source(spark, tmp_path_factory) -> dict:
    """Parquet: a blob of vectors for each class."""
    rng = np.random.default_rng(0)
    centres = {"common": [0, 0, 0], "rare": [6, 0, 0], "seldom": [0, 6, 3]}
    rows = [
        (1000 * place + number, (np.array(centres[label]) + rng.normal(size=3)).tolist(), label)
        for place, (label, size) in enumerate(CLASSES.items(), start=1)
        for number in range(size)
    ]
    path = str(tmp_path_factory.mktemp("vectors") / "labelled")
    spark.createDataFrame(rows, "id long, embedding array<float>, label string").write.parquet(path)
    return {"kind": "embeddings", "path": path, "id": "id", "label": "label"}


def write_config(folder: Path, source: dict, **sections) -> str:
    path = folder / "config.yaml"
    plain = {"workspace": str(folder / "workspace"), "source": source, "cluster": CLUSTER, "select": [CURVE]}
    path.write_text(yaml.safe_dump({**plain, **sections}))
    return str(path)


@pytest.fixture(scope="module")
def config(spark, source, tmp_path_factory) -> str:
    """The config of a run ``r`` that is done, metrics of somebody else among its own."""
    path = write_config(tmp_path_factory.mktemp("evaluate"), source, evaluate={"top": 3, "groups": ["label"]})
    foreign = spark.createDataFrame([("r", "own", "balanced-40", "recall_at_1", "queries", 0.5)], METRICS.schema)
    Workspace(spark, load_config(path).workspace).append(Slice(METRICS), foreign)
    assert main(["curate", "--config", path, "--run-id", "r", "--quiet"]) == 0
    return path


def table(spark, config: str, name: str, run_id: str = "r") -> pd.DataFrame:
    rows = equipoise.read_table(spark, load_config(config).workspace, name)
    return (rows.filter(F.col(Col.run_id) == run_id) if Col.run_id in rows.columns else rows).toPandas()


def metrics(spark, config: str, run_id: str = "r") -> dict[tuple[str, str, str], float]:
    rows = table(spark, config, "metrics", run_id)
    keys = list(zip(rows["selection"], rows["name"], rows["group"], strict=True))
    assert len(set(keys)) == len(keys)
    return dict(zip(keys, rows["value"], strict=True))


def measured(found: dict[tuple[str, str, str], float], selection: str, group: str) -> dict[str, float]:
    return {name: value for (one, name, of), value in found.items() if (one, of) == (selection, group)}


def test_targets_are_selections_that_lie_within_each_other(spark, config):
    items = table(spark, config, "curated").groupby("selection")["item_id"].agg(set)
    assert {name: len(ids) for name, ids in items.items()} == {"balanced-40": 40, "balanced-90": 90}
    assert items["balanced-40"] < items["balanced-90"]


def test_clusters_of_all_levels_are_measured_before_and_after(spark, config):
    found = metrics(spark, config)
    tree = table(spark, config, "centroids")
    assignments = table(spark, config, "assignments")
    curated = table(spark, config, "curated").query("selection == 'balanced-40'")
    parents = tree[tree["level"] == 1].set_index("cluster_id")["parent_id"]
    for level, of_item in ((1, lambda rows: rows["cluster_id"]), (2, lambda rows: rows["cluster_id"].map(parents))):
        ids = tree[tree["level"] == level]["cluster_id"]
        for selection, rows in (("pool", assignments), ("balanced-40", curated)):
            sizes = of_item(rows).value_counts().reindex(ids, fill_value=0).to_numpy()
            expected = {**measures(sizes), "n_items": len(rows)}
            mine = measured(found, selection, f"level_{level}")
            assert {name: mine[name] for name in expected} == pytest.approx(expected)
    largest = tree[tree["level"] == 1].sort_values(["n_items", "cluster_id"], ascending=[False, True]).head(3)
    share = curated["cluster_id"].isin(largest["cluster_id"]).mean()
    assert found["balanced-40", "largest_share", "level_1"] == pytest.approx(share)
    assert found["balanced-40", "largest_share_pool", "level_1"] == pytest.approx(largest["n_items"].sum() / 200)


def test_the_queries_of_the_readme_on_metrics_run(spark, config):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    queries = [line for line in readme.splitlines() if line.startswith("select ") and " from metrics " in line]
    register_views(spark, load_config(config).workspace)
    found = [
        spark.sql(query.replace("'balanced'", "'balanced-40'").replace("level_3", "level_2")).toPandas()
        for query in queries
    ]
    assert len(found) == 2 and all(len(rows) for rows in found)
    assert found[1]["value"].is_monotonic_increasing and found[1]["group"].str.match(r"level_2=\d+$").all()


def test_classes_are_measured_against_random_items_of_the_same_number(spark, config):
    found = metrics(spark, config)
    labels = table(spark, config, "pool").set_index("item_id")["label"]
    items = table(spark, config, "curated").query("selection == 'balanced-90'")["item_id"]
    counts = items.map(labels).value_counts().reindex(list(CLASSES), fill_value=0)
    for label, count in counts.items():
        assert found["balanced-90", "n_items", f"class={label}"] == count
        assert found["balanced-90", "selection_rate", f"class={label}"] == pytest.approx(count / CLASSES[label])
        assert found["pool", "n_items", f"class={label}"] == CLASSES[label]
    rates = counts / pd.Series(CLASSES)
    assert found["balanced-90", "selection_rate_gap", "class"] == pytest.approx(gap(rates))
    assert measured(found, "balanced-90", "class")["gini"] == pytest.approx(measures(counts)["gini"])
    assert found["balanced-90/random", "n_items", "class"] == 90
    evenness = [found[name, "normalised_entropy", "class"] for name in ("balanced-90", "balanced-90/random", "pool")]
    assert evenness[0] > evenness[1] and evenness[0] > evenness[2]


def test_the_same_run_again_does_nothing_and_shows_the_metrics(spark, config, capsys):
    workspace = Workspace(spark, load_config(config).workspace)
    before = workspace.version(METRICS), workspace.version(RUNS)
    assert main(["evaluate", "--config", config, "--run-id", "r"]) == 0
    assert (workspace.version(METRICS), workspace.version(RUNS)) == before
    said = capsys.readouterr()
    assert "evaluate: 200 in, 200 out (already done)" in said.err
    assert "balance: level_1 (20)" in said.out and "balance: class (3)" in said.out
    assert said.out.index("pool") < said.out.index("balanced-40/random")


def test_a_selection_that_is_added_is_measured_without_force_and_foreign_metrics_stay(spark, config, source):
    before = metrics(spark, config)
    more = [CURVE, {"name": "flat", "target": 30, "method": "flat"}]
    added = write_config(Path(config).parent, source, select=more, evaluate={"top": 3, "random": False})
    assert main(["curate", "--config", added, "--run-id", "r", "--quiet"]) == 0
    after = metrics(spark, config)
    assert measured(after, "flat", "level_1")["n_items"] == 30
    assert {key for key in before if not key[0].endswith("/random")} < set(after)
    assert not [key for key in after if key[0].endswith("/random")]
    assert after["balanced-40", "recall_at_1", "queries"] == 0.5
    assert main(["curate", "--config", added, "--run-id", "r", "--force", "select", "--quiet"]) == 0
    assert metrics(spark, config) == pytest.approx(after)


def test_regions_are_measured_where_items_have_them(spark, source, tmp_path, capsys):
    region = F.when(F.col("label") != "seldom", F.when(F.col("id") % 2 == 0, "asia").otherwise("europe"))
    rows = spark.read.parquet(source["path"]).select(
        "*", region.alias("region"), F.lit(None).cast("string").alias("place")
    )
    rows.write.parquet(str(tmp_path / "regions"))
    source = {**source, "path": str(tmp_path / "regions"), "attributes": ["region", "place"]}
    path = write_config(tmp_path, source, select=ONE, evaluate={"groups": ["place"]})
    assert main(["evaluate", "--config", path, "--run-id", "new", "--quiet"]) == 2
    assert "has not finished stage ingest" in capsys.readouterr().err
    assert main(["curate", "--config", path, "--run-id", "new", "--quiet"]) == 2
    assert "no item of the pool has the attribute 'place'; known: region" in capsys.readouterr().err
    write_config(tmp_path, source, select=ONE, evaluate={"groups": ["region"]})
    assert main(["evaluate", "--config", path, "--run-id", "new", "--quiet"]) == 0
    found = metrics(spark, path, "new")
    items = (
        table(spark, path, "curated", "new").merge(table(spark, path, "pool"), on="item_id").query("label != 'seldom'")
    )
    even = (items["item_id"] % 2 == 0).sum()
    assert found["s", "selection_rate", "region=asia"] == pytest.approx(even / 95)
    assert found["s", "selection_rate_gap", "region"] == pytest.approx(gap([even / 95, (len(items) - even) / 95]))


def test_a_labelled_set_gives_classes_to_a_pool_without_labels(spark, source, tmp_path, capsys):
    rows = spark.read.parquet(source["path"]).toPandas()
    np.save(tmp_path / "v.npy", np.stack(rows["embedding"]).astype(np.float32))
    known = rows.groupby("label").head(9)
    np.save(tmp_path / "known.npy", np.stack(known["embedding"]).astype(np.float32))
    (tmp_path / "known.txt").write_text("\n".join(known["label"]))
    labelled = {"path": str(tmp_path / "known.npy"), "labels": str(tmp_path / "known.txt"), "k": 3}
    unlabelled = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    path = write_config(tmp_path, unlabelled, select=ONE, evaluate={"labelled": labelled})
    assert main(["curate", "--config", path, "--run-id", "r", "--quiet"]) == 0
    found = metrics(spark, path)
    sizes = {label: found["pool", "n_items", f"class={label}"] for label in CLASSES}
    assert sizes == pytest.approx(CLASSES, abs=12)  # the blobs touch: a cluster at the border may go either way
    clusters = {label: found["pool", "n_clusters", f"class={label}"] for label in CLASSES}
    assert sum(clusters.values()) == 5  # of the top level, where none is named
    for label in CLASSES:
        assert found["pool", "mean_cluster_size", f"class={label}"] * clusters[label] == pytest.approx(sizes[label])
    slope, _ = np.polyfit(list(sizes.values()), list(clusters.values()), 1)
    assert found["pool", "clusters_slope", "class"] == pytest.approx(slope)
    assert main(["evaluate", "--config", path, "--run-id", "r", "evaluate.labelled.level=1"]) == 0
    assert "balance: clusters of a class against its size" in capsys.readouterr().out
    lowest = metrics(spark, path)
    assert sum(lowest["pool", "n_clusters", f"class={label}"] for label in CLASSES) == 20
    # plain k-means shares clusters by size, the top level more evenly
    assert lowest["pool", "clusters_exponent", "class"] > found["pool", "clusters_exponent", "class"]
    assert main(["evaluate", "--config", path, "--run-id", "r", "--quiet"]) == 0
    other = {"common": "rare", "rare": "common", "seldom": "seldom"}
    (tmp_path / "known.txt").write_text("\n".join(known["label"].map(other)))
    assert main(["evaluate", "--config", path, "--run-id", "r", "--quiet"]) == 0
    again = metrics(spark, path)  # what another set of labels says is asked without --force
    assert {label: again["pool", "n_items", f"class={other[label]}"] for label in CLASSES} == sizes
    wrong = {**labelled, "labels": str(tmp_path / "absent.txt")}
    write_config(tmp_path, unlabelled, select=ONE, evaluate={"labelled": wrong})
    assert main(["evaluate", "--config", path, "--run-id", "r", "--quiet"]) == 2
    assert "evaluate.labelled.labels" in capsys.readouterr().err


def test_methods_are_compared_in_one_table(spark, source, tmp_path, capsys):
    variants = [
        {"name": "own"},
        {"name": "farthest", "select": {"within": "farthest"}},
        {"name": "flat-kmeans", "cluster": {"levels": [{"k": 5}]}},
    ]
    path = write_config(tmp_path, source, select=[], compare={"target": 40, "variants": variants})
    assert main(["compare", "--config", path, "--run-id", "c"]) == 0
    said = capsys.readouterr().out
    lines = [line for line in said.split("methods: class")[1].splitlines() if line.startswith("│")]
    assert [line.split()[1] for line in lines] == ["pool", "random", "own", "farthest", "flat-kmeans"]
    found = metrics(spark, path, "c")
    for name in ("random", "own", "farthest", "flat-kmeans"):
        assert found[name, "n_items", "level_1"] == found[name, "n_items", "class"] == 40
    assert found["own", "normalised_entropy", "class"] > found["random", "normalised_entropy", "class"]
    runs = equipoise.read_table(spark, load_config(path).workspace, "runs")
    clusterings = runs.filter("stage = 'cluster' and status = 'done'").count()
    assert clusterings == 2  # the first two methods share one
    _, flat_kmeans = variant_runs(load_config(path))
    for refused, said in (("c", "is a comparison of this workspace"), (flat_kmeans.run_id, "equipoise compare makes")):
        capsys.readouterr()
        assert main(["curate", "--config", path, "--run-id", refused, "compare=null", "--quiet"]) == 2
        assert f"--run-id '{refused}'" in (error := capsys.readouterr().err) and said in error
    version = Workspace(spark, load_config(path).workspace).version(CURATED)
    assert main(["compare", "--config", path, "--run-id", "c", "--quiet"]) == 0
    assert Workspace(spark, load_config(path).workspace).version(CURATED) == version
    assert metrics(spark, path, "c") == found

    changed = [variants[0], {"name": "farthest", "select": {"within": "closest"}}, variants[2]]
    write_config(tmp_path, source, select=[], compare={"target": 60, "variants": changed})
    assert main(["compare", "--config", path, "--quiet"]) == 0
    assert runs.filter("stage = 'cluster' and status = 'done'").count() == clusterings
    at_60 = metrics(spark, path, comparison_id(load_config(path)))
    for name in ("random", "own", "farthest", "flat-kmeans"):
        assert at_60[name, "n_items", "level_1"] == 60
    assert metrics(spark, path, "c") == found
    own = variant_runs(load_config(path))[0].run_id
    items = table(spark, path, "curated", own).groupby("selection")["item_id"].agg(set)
    smaller, larger = sorted((ids for name, ids in items.items() if name.startswith("own-")), key=len)
    assert len(smaller) == 40 and smaller < larger  # the draws are the same, whatever the name of the selection


def test_a_comparison_does_not_replace_the_metrics_of_a_run(spark, config, capsys):
    before = metrics(spark, config)
    assert main(["compare", "--config", config, "--run-id", "r", "compare.target=40", "--quiet"]) == 2
    assert "--run-id 'r' is a run of this workspace" in capsys.readouterr().err
    assert metrics(spark, config) == before


def test_methods_are_not_compared_on_pools_of_different_sizes(spark, source, tmp_path, capsys):
    path = str(tmp_path / "growing")
    spark.read.parquet(source["path"]).limit(150).write.parquet(path)
    own, flat = {"name": "own"}, {"name": "flat", "cluster": {"levels": [{"k": 5}]}}
    growing = {**source, "path": path}
    file = write_config(tmp_path, growing, select=[], compare={"target": 40, "variants": [own]})
    assert main(["compare", "--config", file, "--quiet"]) == 0
    spark.read.parquet(source["path"]).write.mode("overwrite").parquet(path)
    write_config(tmp_path, growing, select=[], compare={"target": 40, "variants": [own, flat]})
    assert main(["compare", "--config", file, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "have 200 items and had 150" in said and "another name than 'config'" in said
    assert main(["compare", "--config", file, "name=grown", "--quiet"]) == 0


def test_another_encoder_and_other_ks_are_compared(spark, tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for number in range(30):
        Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8)).save(tmp_path / f"in/{number}.png")
    variants = [
        {"name": "own"},
        {"name": "sharper", "embed": {"size": 4}},
        {"name": "other-ks", "cluster": {"levels": [{"k": 8}, {"k": 3}]}},
    ]
    path = write_config(
        tmp_path,
        {"kind": "images", "path": str(tmp_path / "in")},
        embed={"encoder": "pixels", "size": 2, "mode": "L"},
        cluster={"levels": [{"k": 6}, {"k": 2}]},
        select=[],
        compare={"target": 12, "variants": variants},
        evaluate={"labelled": {"path": str(tmp_path / "v.npy"), "labels": str(tmp_path / "v.txt")}},
    )
    np.save(tmp_path / "v.npy", rng.normal(size=(10, 4)).astype(np.float32))
    (tmp_path / "v.txt").write_text("\n".join("ab" * 5))
    assert main(["compare", "--config", path, "--run-id", "c"]) == 0
    assert "sharper: no classes, the labelled set is of another encoder's vectors" in capsys.readouterr().err
    found = metrics(spark, path, "c")
    assert {key[0] for key in found if key[2].startswith("own_class=")} == {"own", "other-ks"}
    assert {found[variant["name"], "n_items", "level_1"] for variant in variants} == {12}
    assert {found[variant["name"], "n_groups", "level_1"] for variant in variants} == {6}  # the config's own clusters
    shapes = {}
    for run in variant_runs(load_config(path)):
        tree = table(spark, path, "centroids", run.run_id)
        shapes[run.methods[0]] = (*tree["level"].value_counts().sort_index(), len(tree["centroid"].iloc[0]))
    assert shapes == {"own": (6, 2, 4), "sharper": (6, 2, 16), "other-ks": (8, 3, 4)}


def test_without_variants_the_methods_of_the_paper_are_compared(spark, source, tmp_path):
    levels = [{"k": 20}, {"k": 12}, {"k": 5, "resampling": {"rounds": 2}}]
    path = write_config(
        tmp_path, source, select=[], cluster={"iterations": 5, "levels": levels}, compare={"target": 40}
    )
    assert main(["compare", "--config", path, "--run-id", "c", "--quiet"]) == 0
    names = {key[0] for key in metrics(spark, path, "c")}
    assert names == {
        "pool", "random", "1r", "2r", "3r", "4r", "half-k", "3r-k10", "vocabulary-tree", "3r-0", "3r-1", "3r-10",
        "3r-100", "3r-", "flat-1", "flat-2", "flat-3", "3c", "3f", "semdedup",
    }  # fmt: skip
