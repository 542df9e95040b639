"""The jobs end to end, through the command line, on a pool of a few dozen images."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.cli import main
from equipoise.pipeline.sampling import select
from equipoise.schemas import CHECKPOINTS, DUPLICATE_EDGES, DUPLICATES, FAILURES, METRICS, TABLES, Col
from equipoise.stages.configuration import load_config
from equipoise.tables import Workspace, register_views

CLASSES = {"common": 40, "rare": 14, "seldom": 5}
UNUSED = {table.name for table in (METRICS, FAILURES, CHECKPOINTS, DUPLICATE_EDGES, DUPLICATES)}
EMBED = {"encoder": "pixels", "size": 2, "mode": "L"}
CLUSTER = {
    "iterations": 5,
    "levels": [{"k": 12}, {"k": 4, "resampling": {"rounds": 1, "points": 2}}],
}
BALANCED = {"name": "balanced", "target": 20}
CLOSEST = {"name": "closest", "per_cluster": 1, "within": "closest", "method": "flat"}


def scans(seed: int = 0) -> dict[str, np.ndarray]:
    """Images (4, 4) by file name: every class has a brightness gradient of its own, and noise."""
    rng = np.random.default_rng(seed)
    ramps = {"common": np.eye(4), "rare": np.eye(4)[::-1], "seldom": np.tri(4)}
    return {
        f"{label}/{number:02d}.png": (150 * ramps[label] + rng.integers(0, 100, (4, 4))).astype(np.uint8)
        for label, size in CLASSES.items()
        for number in range(size)
    }


def write_pool(folder: Path) -> Path:
    for name, pixels in scans().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    (folder / "rare/broken.png").write_bytes(b"no image")
    return folder


def write_config(folder: Path, **sections) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    plain = {"workspace": str(folder / "workspace"), "cluster": CLUSTER, "select": [BALANCED], **sections}
    path.write_text(yaml.safe_dump(plain))
    return str(path)


def curated(spark, config: str, run_id: str) -> list[tuple]:
    rows = equipoise.read_table(spark, load_config(config).workspace, "curated").filter(F.col(Col.run_id) == run_id)
    return sorted(tuple(row) for row in rows.drop(Col.run_id).collect())


def versions(spark, config: str) -> dict[str, int]:
    workspace = Workspace(spark, load_config(config).workspace)
    return {table.name: workspace.version(table) for table in TABLES.values() if workspace.exists(table)}


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> Path:
    return write_pool(tmp_path_factory.mktemp("pool"))


@pytest.fixture(scope="module")
def images(pool) -> dict:
    return {"kind": "images", "path": str(pool), "label": "parent_folder"}


@pytest.fixture(scope="module")
def curate(spark, images, tmp_path_factory) -> str:
    """The config of a run ``r`` that is done."""
    config = write_config(tmp_path_factory.mktemp("curate"), source=images, embed=EMBED)
    assert main(["curate", "--config", config, "--run-id", "r", "--quiet"]) == 0
    return config


def test_every_table_is_filled(spark, curate):
    workspace = load_config(curate).workspace
    counts = {name: equipoise.read_table(spark, workspace, name).count() for name in TABLES.keys() - UNUSED}
    iterations = counts.pop("iterations")
    assert counts == {
        "pool": 59,
        "rejects": 1,
        "embeddings": 59,
        "centroids": 12 + 4,
        "assignments": 59,
        "curated": 20,
        "runs": 2 * 4,
    }
    space = Workspace(spark, workspace)
    assert not any(space.exists(TABLES[name]) for name in UNUSED)  # a table is made by its first rows
    steps = equipoise.read_table(spark, workspace, "iterations").groupBy(Col.level, Col.resampling).count().collect()
    assert {tuple(row)[:2] for row in steps} == {(1, 0), (2, 0), (2, 1)}
    assert iterations == sum(row["count"] for row in steps) <= 3 * 5


def test_the_tree_adds_up(spark, curate):
    workspace = load_config(curate).workspace
    centroids = equipoise.read_table(spark, workspace, "centroids").toPandas()
    sizes = centroids.groupby("level")[["n_items", "n_children"]].sum()
    assert sizes.values.tolist() == [[59, 59], [59, 12]]
    upper = centroids[centroids.level == 2].set_index("cluster_id")
    by_parent = centroids[centroids.level == 1].groupby("parent_id")["n_items"].agg(["sum", "count"])
    assert by_parent["sum"].to_dict() == upper["n_items"].to_dict()
    assert by_parent["count"].to_dict() == upper["n_children"].to_dict()


def accounts(spark, config: str, run_id: str) -> dict[str, tuple]:
    runs = equipoise.read_table(spark, load_config(config).workspace, "runs")
    done = runs.filter((F.col(Col.run_id) == run_id) & (F.col(Col.status) == "done")).collect()
    for row in done:
        assert row[Col.n_in] == row[Col.n_out] + row[Col.n_rejected] + row[Col.n_dropped]
        assert row[Col.n_dropped] == sum(row[Col.drops].values())
    return {row[Col.stage]: (row[Col.n_in], row[Col.n_out], row[Col.n_rejected], row[Col.drops]) for row in done}


def test_every_row_is_accounted_for(spark, curate):
    assert accounts(spark, curate, "r") == {
        "ingest": (60, 59, 1, {}),
        "embed": (59, 59, 0, {}),
        "cluster": (59, 59, 0, {}),
        "select:balanced": (59, 20, 0, {"not_selected": 39}),
    }


def test_the_history_of_every_table_shows_what_was_written(spark, curate):
    workspace = load_config(curate).workspace

    def history(table: str) -> list[tuple[str, int]]:
        rows = spark.sql(f"describe history delta.`{workspace}/{table}`").orderBy("version").collect()
        return [(row["operation"], int(row["operationMetrics"]["numOutputRows"])) for row in rows]

    born = "CREATE TABLE AS SELECT"
    for table, n_rows in {"pool": 59, "embeddings": 59, "rejects": 1, "assignments": 59, "curated": 20}.items():
        assert history(table)[:1] == [(born, n_rows)]
    assert history("centroids") == [(born, 16)]  # levels that take no time are one commit
    # that a step begins is written with the end of the one before
    assert history("runs")[:5] == [(born, 1), *[("WRITE", 2)] * 3, ("WRITE", 1)]


def test_sql_shows_the_tables_and_the_path_of_every_item(curate, capsys):
    query = "select level_2, count(*) as n, count(distinct level_1) as n_clusters from item_paths group by all"
    workspace = load_config(curate).workspace
    assert main(["sql", f"select sum(n) total, sum(n_clusters) clusters from ({query})", "--workspace", workspace]) == 0
    printed = capsys.readouterr().out
    assert [word for word in printed.split() if word.isalnum()] == ["total", "clusters", "59", "12"]
    code = main(["sql", "select selektion from curated", "--workspace", workspace])
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err.startswith("equipoise: query 'select selektion from curated' cannot be run: ")
    assert "item_paths" in printed.err and printed.err.count("\n") == 1


def test_the_queries_of_the_readme_run(spark, curate):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    queries = re.findall(r"^select .+$", readme.split("```sql")[1].split("```")[0], flags=re.MULTILINE)
    queries.append(re.findall(r'equipoise sql "(select label.+)" --', readme)[0])
    register_views(spark, load_config(curate).workspace)
    found = [spark.sql(query.replace("level_3", "level_2")).collect() for query in queries if "delta." not in query]
    assert len(found) == 7
    assert all(rows for rows in found)
    assert spark.sql("select run_id from latest_run").collect() == [("r",)]


def test_the_same_run_again_does_nothing(spark, curate, capsys):
    before = versions(spark, curate)
    assert main(["curate", "--config", curate, "--run-id", "r"]) == 0
    assert versions(spark, curate) == before
    assert capsys.readouterr().err.count("(already done)") == 4


@pytest.mark.parametrize("n_partitions", [1, 3, 8])
def test_the_selection_does_not_depend_on_the_partitions(spark, curate, n_partitions):
    workspace = load_config(curate).workspace
    clusters, assignments = (
        equipoise.read_table(spark, workspace, table).repartition(n_partitions)
        for table in ("centroids", "assignments")
    )
    before = spark.conf.get("spark.sql.shuffle.partitions")
    spark.conf.set("spark.sql.shuffle.partitions", n_partitions)
    try:
        rows = select(clusters, assignments, levels=2, seed=0, target=BALANCED["target"])
        again = sorted(("balanced", *row) for row in rows.collect())
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert again == [row for row in curated(spark, curate, "r") if row[0] == "balanced"]


def test_the_python_api_gives_what_the_job_gives(spark, curate):
    embeddings = equipoise.read_table(spark, load_config(curate).workspace, "embeddings")
    levels = [12, equipoise.Level(4, rounds=1, points=2)]
    hierarchy = equipoise.fit_hierarchy(embeddings.drop(Col.encoder_id), levels, iterations=5)
    rows = equipoise.select(hierarchy, target=BALANCED["target"]).collect()
    expected = [row for row in curated(spark, curate, "r") if row[0] == "balanced"]
    assert sorted(("balanced", *row) for row in rows) == expected


# From here on other runs write to the same workspace.


def test_a_selection_can_be_added(spark, curate, images):
    before, rows = versions(spark, curate), curated(spark, curate, "r")
    write_config(Path(curate).parent, source=images, embed=EMBED, select=[BALANCED, CLOSEST])
    assert main(["curate", "--config", curate, "--run-id", "r", "--quiet"]) == 0
    after = versions(spark, curate)
    changed = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert changed == {"curated": 1, "runs": 2}
    added = [row for row in curated(spark, curate, "r") if row not in rows]
    assert set(rows) < set(curated(spark, curate, "r"))
    assert [row[0] for row in added] == ["closest"] * 4  # one of each cluster of the upper level
    assert set(accounts(spark, curate, "r")) == {"ingest", "embed", "cluster", "select:balanced", "select:closest"}


def test_job_by_job_and_with_other_labels_the_selection_is_the_same(spark, curate):
    workspace = load_config(curate).workspace
    drawn = "element_at(array('common', 'rare', 'seldom'), cast(pmod(item_id, 3) + 1 as int))"
    spark.sql(f"update delta.`{workspace}/pool` set label = {drawn}")
    for job in ("ingest", "embed", "cluster", "select"):
        assert main([job, "--config", curate, "--run-id", "by-job", "--quiet"]) == 0
    moved = F.col(Col.label) != F.element_at(F.split(Col.uri, "/"), -2)
    assert equipoise.read_table(spark, workspace, "pool").filter(moved).count() > 20
    assert curated(spark, curate, "by-job") == curated(spark, curate, "r") != []
    found = accounts(spark, curate, "by-job")
    assert found["ingest"] == (60, 0, 1, {"already_in_pool": 59})
    assert found["embed"] == (59, 0, 0, {"already_embedded": 59})
    assert found["cluster"] == (59, 59, 0, {})


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parquet", "npy"])
def test_shuffling_the_labels_of_vectors_changes_no_selection(spark, tmp_path, kind):
    """Parquet with labels; Parquet with the same labels shuffled, or .npy, which has none."""
    vectors = np.stack([pixels.reshape(-1) for pixels in scans().values()]).astype(np.float32)
    labels = [name.partition("/")[0] for name in scans()]
    ids = np.arange(len(vectors)) * 1000 + 7

    def parquet(name: str, labels: list[str]) -> dict:
        rows = [(int(i), v.tolist(), label) for i, v, label in zip(ids, vectors, labels, strict=True)]
        spark.createDataFrame(rows, "id long, embedding array<float>, label string").write.parquet(str(tmp_path / name))
        return {"kind": "embeddings", "path": str(tmp_path / name), "id": "id", "label": "label"}

    def npy() -> dict:
        np.save(tmp_path / "v.npy", vectors)
        np.save(tmp_path / "ids.npy", ids)
        return {"kind": "embeddings", "path": str(tmp_path / "v.npy"), "ids": str(tmp_path / "ids.npy")}

    sources = [parquet("plain", labels), npy() if kind == "npy" else parquet("shuffled", labels[::-1])]
    found, labelled = [], []
    for number, source in enumerate(sources):
        config = write_config(tmp_path / f"run-{number}", source=source)
        assert main(["curate", "--config", config, "--run-id", "r", "--quiet"]) == 0
        found.append(curated(spark, config, "r"))
        pool = equipoise.read_table(spark, load_config(config).workspace, "pool").collect()
        labelled.append({row[Col.item_id]: row[Col.label] for row in pool})
    assert labelled[0] == dict(zip(ids.tolist(), labels, strict=True))
    assert labelled[0].keys() == labelled[1].keys() and labelled[0] != labelled[1]
    assert len(found[0]) == 20 and {row[1] for row in found[0]} < labelled[0].keys()
    assert found[0] == found[1]
