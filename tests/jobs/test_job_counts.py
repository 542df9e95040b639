"""A Spark job is not free: every step of a small run is held to its number of them, report and summary too."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from equipoise.cli import main

MOST = {"ingest": 14, "embed": 11, "cluster": 11, "select:even": 9, "evaluate": 22, "summary": 20, "report": 32}
"""Those of Delta, which looks for the files of a query by a job, included."""
MOST_IN_ALL = 150
OF_VECTORS = {"ingest": 9, "cluster": 12, "select:even": 10}


def jobs_of(spark, run_id: str, name: str) -> int:
    return len(spark.sparkContext.statusTracker().getJobIdsForGroup(f"{run_id}/{name}"))


def curated(folder: Path, run_id: str, **sections) -> None:
    path = folder / "config.yaml"
    plain = {
        "workspace": str(folder / "workspace"),
        "cluster": {"iterations": 5, "levels": [{"k": 12}, {"k": 4, "resampling": {"rounds": 1}}]},
        "select": [{"name": "even", "target": 10}],
        "report": {},
    }
    path.write_text(yaml.safe_dump({**plain, **sections}))
    assert main(["curate", "--config", str(path), "--run-id", run_id]) == 0


@pytest.fixture(scope="module", autouse=True)
def as_users_have_it(spark):
    """The plans of a session that nobody has set up for tests."""
    before = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    yield
    spark.conf.set("spark.sql.adaptive.enabled", before)


@pytest.fixture(scope="module")
def of_images(spark, tmp_path_factory) -> dict[str, int]:
    """The jobs of a run over images, its summary and its report, by step."""
    folder = tmp_path_factory.mktemp("jobs")
    rng = np.random.default_rng(0)
    for number in range(40):
        path = folder / "in" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (4, 4), dtype=np.uint8)).save(path)
    source = {"kind": "images", "path": str(folder / "in"), "label": "parent_folder"}
    embed = {"encoder": "pixels", "size": 4, "mode": "L"}
    curated(folder, "counted-images", source=source, embed=embed, evaluate={})
    return {name: jobs_of(spark, "counted-images", name) for name in MOST}


@pytest.mark.parametrize("name", MOST)
def test_a_step_of_a_small_run_takes_few_jobs(of_images, name):
    assert 0 < of_images[name] <= MOST[name]


def test_a_small_run_with_its_report_takes_few_jobs(of_images):
    assert sum(of_images.values()) <= MOST_IN_ALL


def test_vectors_take_fewer(spark, tmp_path):
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(60, 8)))
    curated(tmp_path, "counted-vectors", source={"kind": "embeddings", "path": str(tmp_path / "v.npy")}, report=None)
    found = {name: jobs_of(spark, "counted-vectors", name) for name in OF_VECTORS}
    assert all(found[name] <= most for name, most in OF_VECTORS.items()), found
