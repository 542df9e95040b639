"""Whatever is wrong with config or data: exit code 2 and one message, or a row in the rejects and exit code 0."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.cli import main
from equipoise.runs.run import read_record
from equipoise.schemas import Col
from equipoise.tables import Workspace

PIXELS = {"encoder": "pixels", "size": 2, "mode": "L"}


def write_vectors(folder: Path, name: str, vectors) -> dict:
    """The section ``source`` of vectors whose ids are of their own, so that all can share a workspace."""
    np.save(folder / f"{name}.npy", np.asarray(vectors, dtype=np.float32))
    (folder / f"{name}.txt").write_text("\n".join(f"{name}-{number}" for number in range(len(vectors))))
    return {"kind": "embeddings", "path": str(folder / f"{name}.npy"), "ids": str(folder / f"{name}.txt")}


def cluster(*ks: int, **options) -> dict:
    return {"levels": [{"k": k} for k in ks], **options}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("bad") / "workspace")


@pytest.fixture
def run(tmp_path, workspace, capsys):
    """Writes the config, runs a job quietly; returns its exit code, stdout and stderr."""

    def run(*arguments: str, job: str = "curate", **sections):
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump({"workspace": workspace, **sections}))
        code = main([job, "--config", str(path), "--run-id", tmp_path.name, "--quiet", *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def is_one_message(answer: tuple[int, str, str], *parts: str) -> None:
    """Exit code 2, and on stderr one line that says all ``parts``."""
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.startswith("equipoise: ") and err.count("\n") == 1 and err.endswith("\n")
    assert "Traceback" not in err and "Exception" not in err
    for part in parts:
        assert str(part) in err


# Found in the config alone: Spark is not even asked for


@pytest.fixture
def no_spark(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("Spark was started for a config that could have been refused before")

    monkeypatch.setattr("equipoise.session.get_session", refuse)


IMAGES = {"source": {"kind": "images", "path": "x"}, "embed": PIXELS, "cluster": cluster(9, 3)}


@pytest.mark.usefixtures("no_spark")
class TestConfig:
    def test_an_unknown_key(self, run):
        answer = run(**IMAGES, cluser={})
        is_one_message(answer, "unknown key 'cluser'", "did you mean 'cluster'?")

    def test_a_wrong_type(self, run):
        is_one_message(run("cluster.levels.0.k=many", **IMAGES), "cluster.levels.0.k", "integer", "'many'")

    def test_k_that_rises_from_one_level_to_the_next(self, run):
        is_one_message(run("cluster.levels.1.k=10", **IMAGES), "level 2 has k = 10", "the 9 of level 1", "must fall")

    def test_a_missing_config(self, tmp_path, capsys):
        code = main(["curate", "--config", str(tmp_path / "none.yaml")])
        printed = capsys.readouterr()
        is_one_message((code, *printed), tmp_path / "none.yaml", "does not exist", "conf/")

    def test_an_override_without_a_value(self, run):
        is_one_message(run("seed", **IMAGES), "override 'seed'", "dotted.key=value")

    def test_an_unknown_stage_to_force(self, run):
        is_one_message(run("--force", "clusters", **IMAGES), "--force clusters", "did you mean 'cluster'?")

    def test_a_stage_to_force_that_is_not_of_the_job(self, run):
        is_one_message(run("--force", "ingest", job="cluster", **IMAGES), "--force ingest", "known: cluster")

    def test_a_job_whose_section_is_missing(self, run):
        is_one_message(run(job="select", **IMAGES), "no section 'select'")

    def test_an_unknown_encoder(self, run):
        is_one_message(run("embed.encoder=pixel", **IMAGES), "encoder 'pixel' is unknown", "did you mean 'pixels'?")

    def test_an_unknown_option_of_an_encoder(self, run):
        is_one_message(run("embed.sizes=3", **IMAGES), "no option 'sizes'", "did you mean 'size'?")

    def test_an_encoder_of_another_kind_of_data(self, run):
        answer = run("source.kind=texts", **IMAGES)
        is_one_message(answer, "embed.encoder: 'pixels' reads images", "the source holds texts")

    def test_images_to_cluster_and_nothing_to_embed_them_with(self, run):
        sections = {key: value for key, value in IMAGES.items() if key != "embed"}
        is_one_message(run(**sections), "cluster needs embeddings", "add 'embed'")


# Found in the data: nothing has been computed


def test_a_missing_path(run, spark, tmp_path):
    source = {"kind": "images", "path": str(tmp_path / "nowhere")}
    is_one_message(run(job="ingest", source=source), tmp_path / "nowhere", "source.path")


def test_an_empty_folder(run, spark, tmp_path):
    (tmp_path / "in").mkdir()
    answer = run(job="ingest", source={"kind": "images", "path": str(tmp_path / "in")})
    is_one_message(answer, tmp_path / "in", "holds no file", "png")


def test_a_table_that_is_not_delta(run, spark, tmp_path):
    (tmp_path / "table").mkdir()
    (tmp_path / "table/part.csv").write_text("id,content\n1,x\n")
    answer = run(job="ingest", source={"kind": "table", "path": str(tmp_path / "table"), "content": "content"})
    is_one_message(answer, tmp_path / "table", "neither Delta nor Parquet")


def test_vectors_of_different_lengths(run, spark, tmp_path):
    rows = [(1, [1.0, 2.0]), (2, [1.0, 2.0, 3.0])]
    spark.createDataFrame(rows, "id long, embedding array<float>").write.parquet(str(tmp_path / "v"))
    answer = run(job="ingest", source={"kind": "embeddings", "path": str(tmp_path / "v"), "id": "id"})
    is_one_message(answer, "differ in length", "2 (1 rows)", "3 (1 rows)")


def test_too_few_points_and_points_that_are_all_equal(run, spark, tmp_path):
    """k is mended in between: the clustering is begun anew, the ingestion is not."""
    source = write_vectors(tmp_path, "equal", np.ones((6, 3)))
    is_one_message(run(source=source, cluster=cluster(7)), "cluster.levels.0.k = 7", "6", "lower it")
    is_one_message(run(source=source, cluster=cluster(2)), "all 6 vectors are equal", "k = 2")


@pytest.mark.parametrize(
    "where, part", [("n_items >>> ", "n_items >>> "), ("n_itemz > 3", "`n_itemz`"), ("drop table x", "drop table x")]
)
def test_a_where_that_spark_refuses(run, spark, tmp_path, workspace, where, part):
    source = write_vectors(tmp_path, "where", np.eye(5))
    selection = {"name": "s", "target": 3, "where": where}
    answer = run(source=source, cluster=cluster(2), select=[selection])
    is_one_message(answer, f"select:s: where is {where!r}", part, "n_items")
    assert not read_record(Workspace(spark, workspace), tmp_path.name).events  # nothing was begun, no clustering either


def test_a_workspace_that_cannot_be_written(run, spark, tmp_path):
    (tmp_path / "file").write_text("")
    source = write_vectors(tmp_path, "unwritten", np.eye(5))
    answer = run(job="ingest", source=source, workspace=str(tmp_path / "file/workspace"))
    is_one_message(answer, tmp_path / "file/workspace")


def test_a_query_that_spark_refuses_and_a_workspace_that_is_none(spark, tmp_path, capsys):
    code = main(["sql", "select 1", "--workspace", str(tmp_path / "nowhere")])
    is_one_message((code, *capsys.readouterr()), "nowhere", "no Equipoise table")


# Single items: into the rejects, the job goes on


@pytest.fixture(scope="module")
def odd_images(spark, tmp_path_factory):
    """Six good images, a black and a broken one, clustered by angle; more are asked for than there are."""
    folder = tmp_path_factory.mktemp("odd")
    (folder / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(1, 255, (4, 4), dtype=np.uint8)).save(folder / f"in/{number}.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "in/black.png")
    (folder / "in/broken.png").write_bytes(b"no image")
    config = {
        "workspace": str(folder / "workspace"),
        "source": {"kind": "images", "path": str(folder / "in")},
        "embed": PIXELS,
        "cluster": cluster(3, metric="cosine"),
        "select": [{"name": "all", "target": 100}],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr("equipoise.cli.progress.ConsoleProgress.message", lambda self, text: told.append(text))
        code = main(["curate", "--config", str(folder / "config.yaml"), "--run-id", "r", "--quiet"])
    tables = {
        name: equipoise.read_table(spark, config["workspace"], name)
        for name in ("rejects", "curated", "runs", "centroids")
    }
    return code, told, tables


def reject(tables, stage: str):
    (row,) = tables["rejects"].filter(F.col(Col.stage) == stage).collect()
    return row


def test_a_corrupt_image(odd_images):
    code, _, tables = odd_images
    row = reject(tables, "ingest")
    assert (code, row[Col.reason], row[Col.uri].rpartition("/")[2]) == (0, "unreadable_image", "broken.png")


def test_a_zero_vector_with_cosine(odd_images):
    code, _, tables = odd_images
    row = reject(tables, "cluster")
    assert (code, row[Col.reason], row[Col.uri].rpartition("/")[2]) == (0, "zero_vector", "black.png")
    done = tables["runs"].filter("stage = 'cluster' and status = 'done'")
    assert [tuple(row) for row in done.select(Col.n_in, Col.n_out, Col.n_rejected).collect()] == [(7, 6, 1)]
    lengths = [np.linalg.norm(row[0]) for row in tables["centroids"].select(Col.centroid).collect()]
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


def test_a_target_above_the_pool(odd_images):
    code, told, tables = odd_images
    assert code == 0
    assert tables["curated"].count() == 6
    (line,) = [line for line in told if "target" in line]
    assert line == "select:all: target 100 is above the 6 that the clusters hold: takes them all"


def test_vectors_that_are_not_finite_or_too_large(run, spark, tmp_path, workspace):
    vectors = np.eye(8)
    vectors[1, 2], vectors[3, 0], vectors[5, 5], vectors[7, 1] = np.nan, -np.inf, 1e25, 1e6
    source = write_vectors(tmp_path, "nan", vectors)
    code, _, err = run(source={**source, "encoder": "nan"}, cluster=cluster(2, half=True))
    assert (code, err) == (0, "")
    rejects = equipoise.read_table(spark, workspace, "rejects").filter(F.col(Col.run_id) == tmp_path.name)
    found = sorted((row[Col.stage], row[Col.key], row[Col.reason]) for row in rejects.collect())
    of_ingest = [("nan-1", "not_finite"), ("nan-3", "not_finite"), ("nan-5", "too_large")]
    assert found == [("cluster", "nan-7", "too_large"), *(("ingest", key, reason) for key, reason in of_ingest)]
