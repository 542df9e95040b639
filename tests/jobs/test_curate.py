"""The jobs end to end, through the command line, on a pool of a few dozen images."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

import equipoise
from equipoise.cli import main
from equipoise.config import load_config
from equipoise.pipeline.sampling import count_levels, select
from equipoise.schemas import ASSIGNMENTS, CENTROIDS, CHECKPOINTS, CURATED, METRICS, RUNS, TABLES, Col
from equipoise.tables import Workspace

CLASSES = {"common": 40, "rare": 14, "seldom": 5}
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


def test_first(spark, curate):
    ws = load_config(curate).workspace
    for t in ("pool", "rejects", "centroids", "assignments", "curated", "iterations", "runs"):
        equipoise.read_table(spark, ws, t).drop("centroid","config","input_versions").show(5, False)
    print(versions(spark, curate))
