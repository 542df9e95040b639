"""The job ``benchmark`` end to end on what is no plain accuracy: test sets, images, measurements, answers, families."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.neighbors import KNeighborsClassifier

import equipoise
from equipoise.cli import main

pytestmark = pytest.mark.slow


def objects(noise: float) -> pd.DataFrame:
    """Three classes: 60 train items, 30 of validation with several right labels, 30 pixels of 3 images."""
    rng = np.random.default_rng(7)
    codes = np.tile([0, 1, 2], 40)
    vectors = np.eye(3)[codes] + noise * rng.normal(size=(120, 3))
    labels = np.array(["ant", "bee", "cat"])[codes]
    return pd.DataFrame(
        {
            "split": ["train"] * 60 + ["val"] * 30 + ["test"] * 30,
            "label": labels,
            "right": [[label, "bee"] for label in labels],
            "embedding": list(vectors),
            "image": np.repeat(range(12), 10),
            "item": range(120),
        }
    )


@pytest.fixture(scope="module")
def run(spark, tmp_path_factory) -> tuple[Path, dict[tuple[str, str, str], float]]:
    """The folder of a run that is done, and its metrics."""
    folder = tmp_path_factory.mktemp("kinds")
    tables = {}
    for model, noise in {"raw": 0.9, "curated": 0.2}.items():
        rows = objects(noise)
        heights = rows.assign(split=rows.split.replace("val", "other"), target=[vector[0] for vector in rows.embedding])
        answers = pd.DataFrame({"id": [1, 2], "answer": ["The ant", "a bee"], "correct": ["ant", "ant"]})
        for name, table in {"objects": rows, "heights": heights, "answers": answers}.items():
            tables[name, model] = str(folder / f"{name}-{model}.parquet")
            table.sample(frac=1, random_state=1).to_parquet(tables[name, model])

    def models(name: str) -> dict[str, str]:
        return {model: tables[name, model] for model in ("raw", "curated")}

    tests = {"val": {}, "real": {"split": "val", "labels": "right"}, "test": {"own_classes": True, "family": "far"}}
    section = {
        "features": [
            {"name": "objects", "models": models("objects"), "id": "item", "tests": tests, "family": "near"},
            {"name": "scenes", "models": models("objects"), "image": "image"},
        ],
        "regression": [{"name": "heights", "models": models("heights"), "block": "image", "id": "item"}],
        "answers": [{"name": "trivia", "models": models("answers"), "id": "id"}],
        "rounds": 50,
    }
    config = folder / "bench.yaml"
    config.write_text(yaml.safe_dump({"workspace": str(folder / "w"), "benchmark": section}, sort_keys=False))
    assert main(["benchmark", "--config", str(config), "--run-id", "r", "--quiet"]) == 0
    rows = equipoise.read_table(spark, str(folder / "w"), "metrics").collect()
    return folder, {(row["selection"], row["name"], row["group"]): row["value"] for row in rows}


def test_one_fit_is_asked_all_test_sets_as_scikit_learn_would(run):
    folder, found = run
    rows = pd.read_parquet(folder / "objects-raw.parquet")
    train, val = rows[rows.split == "train"], rows[rows.split == "val"]
    oracle = KNeighborsClassifier(1, metric="cosine").fit(np.stack(train.embedding), train.label)
    predicted = oracle.predict(np.stack(val.embedding))
    assert found["raw", "knn_1_accuracy", "objects:val"] == pytest.approx((predicted == val.label).mean())
    either = (predicted == val.label) | (predicted == "bee")
    assert found["raw", "knn_1_accuracy", "objects:real"] == pytest.approx(either.mean())
    assert {found["raw", "n_test", f"objects:{name}"] for name in ("val", "real", "test")} == {30}


def test_families_are_averaged_beside_all(run):
    _, found = run
    for score in ("knn_20_accuracy", "probe_accuracy_mean"):
        values = {name: found["curated", score, f"objects:{name}"] for name in ("val", "real", "test")}
        assert found["curated", score, "average"] == pytest.approx(np.mean(list(values.values())))
        assert found["curated", score, "average:near"] == pytest.approx((values["val"] + values["real"]) / 2)
        assert found["curated", score, "average:far"] == values["test"]


def test_images_measurements_and_answers_have_scores_and_deviations(run):
    _, found = run
    for model in ("raw", "curated"):
        assert found[model, "n_images", "scenes"] == 3
        for score, group in (("knn_20_mean_iou", "scenes"), ("r2", "heights"), ("block_r2", "heights")):
            assert found[model, score, group] == found[model, score, "average"] <= 1
            assert found[model, f"{score}_std", group] >= 0
        assert found[model, "exact_match", "trivia"] == 0.5
        assert (model, "mean_absolute_error", "heights") in found
        assert (model, "mean_absolute_error", "average") not in found
    assert found["curated", "knn_20_mean_iou", "scenes"] > found["raw", "knn_20_mean_iou", "scenes"]
    assert found["raw", "r2", "heights"] > 0.99  # the target is one of the numbers


def test_the_job_prints_all_kinds_and_does_nothing_again(run, capsys):
    folder, _ = run
    assert main(["benchmark", "--config", str(folder / "bench.yaml"), "--run-id", "r"]) == 0
    printed = capsys.readouterr()
    assert "already done" in printed.err
    for text in ("objects:real", "average:near", "dense features: %", "regression, in its units: mean", "exact_match"):
        assert text in printed.out
