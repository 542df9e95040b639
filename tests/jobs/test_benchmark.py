"""The job ``benchmark`` end to end: tiny tables of two models, through the command line."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pyspark.sql import functions as F
from sklearn.neighbors import KNeighborsClassifier

import equipoise
from equipoise.cli import INTERRUPTED, main
from equipoise.schemas import METRICS, Col, Slice
from equipoise.stages.benchmark import features as features_module
from equipoise.tables import Workspace

pytestmark = pytest.mark.slow

NOISE = {"raw": 2.5, "curated": 0.8}


def features(noise: float, seed: int) -> pd.DataFrame:
    """Train and test items of three classes, from two regions; one item is in neither split."""
    rng = np.random.default_rng(seed)
    codes = np.tile([0, 1, 2], 50)
    vectors = np.eye(3)[codes] @ np.random.default_rng(0).normal(size=(3, 6)) + noise * rng.normal(size=(150, 6))
    return pd.DataFrame(
        {
            "split": ["train"] * 90 + ["test"] * 59 + ["val"],
            "label": np.array(["ant", "bee", "cat"])[codes],
            "embedding": list(vectors.astype(np.float32)),
            "region": ["north"] * 120 + ["south"] * 29 + [None],
            "item": range(150),
        }
    )


def write_features(folder: Path) -> dict[str, dict[str, str]]:
    """Two benchmarks of two models, each in an order of its own."""
    paths: dict[str, dict[str, str]] = {"insects": {}, "pets": {}}
    for number, benchmark in enumerate(paths):
        for model, noise in NOISE.items():
            rows = features(noise, seed=10 * number + len(model))
            path = folder / f"{benchmark}-{model}.parquet"
            rows.sample(frac=1, random_state=len(model)).to_parquet(path)
            paths[benchmark][model] = str(path)
    return paths


def write_streets(folder: Path) -> dict[str, str]:
    """Streets and archive images by angle: every one has its pair at its angle, but ``s2`` is nearer to another's."""
    street, archive = [0, 30, 60, 90], [2, 31, 95, 88, 200]
    names = {"queries": ([f"s{n}" for n in range(4)], street, ["p", "q", "r", "s"])}
    names["gallery"] = ([f"a{n}" for n in range(5)], archive, ["p", "q", "r", "s", None])
    paths = {}
    for side, (ids, degrees, pairs) in names.items():
        angles = np.deg2rad(degrees)
        vectors = list(np.stack([np.cos(angles), np.sin(angles)], axis=1))
        rows = pd.DataFrame({"id": ids, "embedding": vectors, "place": pairs, "file": [f"{name}.png" for name in ids]})
        if side == "queries":
            rows["time"] = ["day", "day", "night", None]
            rows["easy"] = [["a0"], ["a1"], [], ["a3"]]
            rows["hard"] = [["a1"], [], ["a2"], None]
            rows["junk"] = [[], ["a0"], ["a1"], ["a2"]]
        paths[side] = str(folder / f"{side}.parquet")
        rows.sample(frac=1, random_state=0).to_parquet(paths[side])
    return paths


def write_config(folder: Path, workspace: Path, **section) -> str:
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump({"workspace": str(workspace), "benchmark": section}, sort_keys=False))
    return str(path)


def metrics(spark, workspace: Path, run_id: str) -> dict[tuple[str, str, str], float]:
    rows = equipoise.read_table(spark, str(workspace), "metrics").filter(F.col(Col.run_id) == run_id).collect()
    found = {(row["selection"], row["name"], row["group"]): row["value"] for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("benchmark")


@pytest.fixture(scope="module")
def section(folder) -> dict:
    tables = write_streets(folder)
    graded = {"easy": "easy", "hard": "hard", "junk": "junk"}
    return {
        "features": [
            {"name": name, "models": models, "id": "item", "groups": ["region"]}
            for name, models in write_features(folder).items()
        ],
        "retrieval": [
            {
                "name": "streets",
                "models": {"raw": tables},
                "pair": "place",
                "both_directions": True,
                "groups": ["time"],
                "shows": "file",
            },
            {"name": "oxford", "models": {"raw": tables}, "groups": ["time"], **graded},
        ],
    }


@pytest.fixture(scope="module")
def run(spark, folder, section) -> Path:
    """The workspace of a run ``r`` that is done, its answer in ``printed.txt`` beside."""
    config = write_config(folder, folder / "workspace", **section)
    assert main(["benchmark", "--config", config, "--run-id", "r", "--quiet"]) == 0
    return folder / "workspace"


@pytest.fixture(scope="module")
def found(spark, run) -> dict[tuple[str, str, str], float]:
    return metrics(spark, run, "r")


def split(path: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    rows = pd.read_parquet(path)
    return rows[rows.split == "train"], rows[rows.split == "test"]


def test_accuracies_are_scikit_learns(found, section):
    for benchmark in section["features"]:
        for model, path in benchmark["models"].items():
            train, test = split(path)
            oracle = KNeighborsClassifier(1, metric="cosine").fit(np.stack(train.embedding), train.label)
            correct = oracle.predict(np.stack(test.embedding)) == test.label
            place = benchmark["name"]
            assert found[model, "knn_1_accuracy", place] == pytest.approx(correct.mean())
            assert found[model, "n_test", place] == 59
            for region in ("north", "south"):
                share = correct[test.region == region].mean()
                assert found[model, "knn_1_accuracy", f"{place}/region={region}"] == pytest.approx(share)


def test_curated_features_win_on_average_and_by_group(found):
    for score in ("knn_1_accuracy", "knn_20_accuracy", "probe_accuracy"):
        values = [found["curated", score, place] for place in ("insects", "pets")]
        assert found["curated", score, "average"] == pytest.approx(np.mean(values))
        assert found["curated", score, "average"] > found["raw", score, "average"] + 0.1
        deviation = found["curated", f"{score}_std", "average"]
        stds = [found["curated", f"{score}_std", place] for place in ("insects", "pets")]
        assert deviation == pytest.approx(np.hypot(*stds) / 2)
        north, south = (found["raw", score, f"pets/region={region}"] for region in ("north", "south"))
        gap = (max(north, south) - min(north, south)) / max(north, south)
        assert found["raw", f"{score}_gap", "pets/region"] == pytest.approx(gap)


def test_retrieval_in_both_directions_by_hand(found):
    # s2 at 60 degrees: a3 (88), a1 (31), a2 (95): its own is third. Back, a2 at 95 finds s3 (90) before s2 (60).
    for place in ("streets", "streets:back"):
        assert found["raw", "n_test", place] == 4
        assert found["raw", "recall_1", place] == 0.75
        assert found["raw", "recall_5", place] == 1
    assert found["raw", "mean_average_precision", "streets"] == pytest.approx((3 + 1 / 3) / 4)
    assert found["raw", "mean_average_precision", "streets:back"] == pytest.approx((3 + 1 / 2) / 4)
    assert found["raw", "mean_average_precision", "average"] == found["raw", "mean_average_precision", "streets"]


def test_setups_of_revisited_oxford_by_hand(found):
    # Rankings: s0: a0 a1 a3 a2 a4; s1: a1 a0 a3 a2 a4; s2: a3 a1 a2 a0 a4; s3: a3 a2 a1 a0 a4.
    # Easy: s0 finds a0 (a1 is junk), s1 finds a1, s3 finds a3: all first.
    assert found["raw", "mean_average_precision_easy", "oxford"] == 1
    # Hard: s0 without a0: a1 first, 1. s2 without a1: a3, a2: (0 + 1 / 2) / 2.
    assert found["raw", "mean_average_precision_hard", "oxford"] == pytest.approx((1 + 0.25) / 2)
    # Medium: s0, s1, s3 have all first; s2 as before.
    assert found["raw", "mean_average_precision_medium", "oxford"] == pytest.approx(3.25 / 4)
    assert found["raw", "n_test", "oxford"] == 4


def test_queries_by_group(found):
    # Day: s0, s1; night: s2; s3 is in neither. Nothing is told by group of the gallery's side.
    assert {found["raw", score, "streets/time=day"] for score in ("recall_1", "mean_average_precision")} == {1}
    assert found["raw", "recall_1", "streets/time=night"] == 0
    assert found["raw", "recall_1_gap", "streets/time"] == 1
    assert found["raw", "mean_average_precision_gap", "streets/time"] == pytest.approx(2 / 3)
    assert {group for _, _, group in found if group.startswith("streets:back")} == {"streets:back"}
    setups = {"easy": {"day": 1}, "medium": {"day": 1, "night": 0.25}, "hard": {"day": 1, "night": 0.25}}
    for setup, values in setups.items():
        name = f"mean_average_precision_{setup}"
        told = {key[2].partition("=")[2]: value for key, value in found.items() if key[1] == name and "=" in key[2]}
        assert told == pytest.approx(values)


def test_failures_stand_side_by_side(spark, run):
    rows = equipoise.read_table(spark, str(run), "failures").orderBy("group").collect()
    told = {(row["group"], row["rank"], row["query_id"], row["predicted_id"], row["correct_id"]) for row in rows}
    assert told == {
        ("oxford", 1, "s2", "a3", "a2"),
        ("streets", 1, "s2", "a3", "a2"),
        ("streets:back", 1, "a2", "s3", "s2"),
    }
    shown = {row["group"]: (row["query_shown"], row["predicted_shown"], row["correct_shown"]) for row in rows}
    assert shown == {
        "oxford": (None, None, None),
        "streets": ("s2.png", "a3.png", "a2.png"),
        "streets:back": ("a2.png", "s3.png", "s2.png"),
    }
    for row in rows:
        assert row["selection"] == "raw"
        assert row["correct_distance"] == pytest.approx(1 - np.cos(np.deg2rad(35)), abs=1e-6)
        predicted = 5 if row["group"] == "streets:back" else 28
        assert row["predicted_distance"] == pytest.approx(1 - np.cos(np.deg2rad(predicted)), abs=1e-6)


def test_the_job_prints_one_table_and_the_failures(run, folder, capsys):
    assert main(["benchmark", "--config", str(folder / "bench.yaml"), "--run-id", "r"]) == 0
    printed = capsys.readouterr()
    assert "already done" in printed.err
    for text in (
        "insects",
        "average",
        "knn_20_accuracy",
        "curated",
        "±",
        "worst",
        "s2: s2.png",
        "a3: a3.png",
        "select * from failures",
    ):
        assert text in printed.out
    assert "pets/region: % by group" in printed.out
    assert printed.out.count("Traceback") == 0


def test_delta_and_arrays_give_the_metrics_of_parquet_in_any_order(spark, found, section, tmp_path):
    path = section["features"][1]["models"]["raw"]
    rows = pd.read_parquet(path)
    space = tmp_path / "workspace"
    spark.createDataFrame(rows.sample(frac=1, random_state=1)).repartition(3).write.format("delta").save(
        str(tmp_path / "delta")
    )
    kept = rows[rows.region.notna()]
    arrays = {name: kept[name].to_numpy(dtype=str) for name in ("split", "label", "region", "item")}
    np.savez(tmp_path / "arrays.npz", embedding=np.stack(kept.embedding), **arrays)
    models = {"raw": str(tmp_path / "delta"), "arrays": str(tmp_path / "arrays.npz")}
    entry = {"name": "pets", "models": models, "id": "item", "groups": ["region"]}
    config = write_config(tmp_path, space, features=[entry], probe=True)
    assert main(["benchmark", "--config", config, "--run-id", "r", "--quiet"]) == 0
    now = metrics(spark, space, "r")
    mine = {key: value for key, value in found.items() if key[0] == "raw" and key[2].startswith("pets")}
    assert {key: value for key, value in now.items() if key[0] == "raw" and key[2] != "average"} == mine
    assert {key[1:]: value for key, value in now.items() if key[0] == "arrays" and key[2] != "average"} == {
        key[1:]: value for key, value in mine.items()
    }


def test_a_changed_section_is_done_again_and_leaves_other_metrics_alone(spark, run, section, tmp_path):
    workspace = Workspace(spark, str(run))
    other = [("r", "evaluate", "balanced", "gini", "level_1", 0.5)]
    workspace.append(Slice(METRICS), spark.createDataFrame(other, METRICS.schema))
    less = {"features": section["features"][:1], "probe": False}
    config = write_config(tmp_path, run, **less)
    assert main(["benchmark", "--config", config, "--run-id", "r", "--quiet"]) == 0
    now = metrics(spark, run, "r")
    assert {group.partition("/")[0] for _, _, group in now} == {"insects", "average", "level_1"}
    assert not any("probe" in name for _, name, _ in now)
    assert equipoise.read_table(spark, str(run), "failures").count() == 0


def test_a_killed_benchmark_goes_on_and_changed_vectors_are_scored_again(spark, found, section, tmp_path, monkeypatch):
    """One kill between two models, one after all of them; then other vectors; then vectors that are gone."""
    scored = []
    score = features_module.feature_scores

    def counted(*args, **keys):
        if len(scored) == n_until_killed:
            raise KeyboardInterrupt
        scored.append(1)
        return score(*args, **keys)

    monkeypatch.setattr(features_module, "feature_scores", counted)
    models = {model: str(tmp_path / f"{model}.parquet") for model in NOISE}
    for model, path in section["features"][0]["models"].items():
        shutil.copy(path, models[model])
    entry = {**section["features"][0], "models": models}
    command = ["benchmark", "--config", write_config(tmp_path, tmp_path / "w", features=[entry]), "--run-id", "r"]

    n_until_killed = 1
    assert main([*command, "--quiet"]) == INTERRUPTED
    assert {key[0] for key in metrics(spark, tmp_path / "w", "r")} == {"raw"}
    n_until_killed = 99
    with monkeypatch.context() as patched:
        patched.setattr("equipoise.stages.benchmark.work.average_metrics", interrupted)
        assert main([*command, "--quiet"]) == INTERRUPTED
    assert len(scored) == 2
    assert main([*command, "--quiet"]) == 0
    assert len(scored) == 2  # the averages were missing, no more
    mine = {key: value for key, value in found.items() if key[2].startswith("insects")}
    now = metrics(spark, tmp_path / "w", "r")
    assert {key: value for key, value in now.items() if key[2] != "average"} == mine
    assert now["raw", "probe_accuracy", "average"] == now["raw", "probe_accuracy", "insects"]

    shutil.copy(models["curated"], models["raw"])
    assert main([*command, "--quiet"]) == 0
    assert len(scored) == 4
    now = metrics(spark, tmp_path / "w", "r")
    assert now["raw", "knn_1_accuracy", "insects"] == now["curated", "knn_1_accuracy", "insects"]
    (tmp_path / "raw.parquet").unlink()
    assert main([*command, "--quiet"]) == 0
    assert metrics(spark, tmp_path / "w", "r") == now


def interrupted(*args, **keys):
    raise KeyboardInterrupt


def test_models_with_other_items_are_refused_by_name(spark, section, tmp_path, capsys):
    entry = {**section["features"][0], "models": dict(section["features"][0]["models"])}
    path = entry["models"]["curated"] = str(tmp_path / "curated.parquet")
    pd.read_parquet(section["features"][0]["models"]["curated"]).query("item != 140").to_parquet(path)
    config = write_config(tmp_path, tmp_path / "w", features=[entry], probe=False)
    assert main(["benchmark", "--config", config, "--run-id", "r", "--quiet"]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert (
        "benchmark insects, models.curated: it has 58 test items, model raw has 59; ids of one of them alone: 1, '140'"
        in told
    )
