"""The report of real runs, through the command line: of images, and of texts that try to run scripts."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from pyspark.sql import functions as F

from browser import Visit, started
from equipoise import schemas
from equipoise.cli import main
from equipoise.report import formats
from equipoise.schemas import FAILURES, METRICS
from equipoise.studies.report.failures import MOST_FAILURES
from equipoise.studies.report.metrics import MOST_METRICS
from equipoise.studies.report.tree import MOST_CHILDREN, MOST_LOWEST, MOST_TOP, children_a_parent
from equipoise.tables import Workspace
from equipoise.tables.folder import beside
from report.fakes import ATTACK
from report.runs import LONG, write_run

SECTIONS = 8
NOTHING = {"name": "nothing", "target": 5, "where": "n_items < 0"}


def write_images(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for label, bright, n in (("many", 0, 40), ("few", 90, 12), ("odd", 160, 4)):
        (folder / label).mkdir(parents=True)
        for number in range(n):
            pixels = (bright + rng.integers(0, 90, (4, 4))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
    (folder / "odd/broken.png").write_bytes(b"no image")
    shutil.copy(folder / "many/0.png", folder / "many/0-copy.png")


@pytest.fixture(scope="module")
def config(spark, tmp_path_factory) -> str:
    """The config of a finished run ``r`` over images."""
    folder = tmp_path_factory.mktemp("report")
    write_images(folder / "in")
    sections = {
        "workspace": str(folder / "workspace"),
        "source": {"kind": "images", "path": str(folder / "in"), "label": "parent_folder"},
        "embed": {"encoder": "pixels", "size": 2, "mode": "L"},
        "deduplicate": {"threshold": 1.0, "stored_above": 0.99},  # equal files alone are copies
        "cluster": {"iterations": 5, "levels": [{"k": 12}, {"k": 4, "resampling": {"rounds": 2, "points": 2}}]},
        "select": [
            {"name": "balanced", "target": 20},
            {"name": "closest", "per_cluster": 1, "within": "closest"},
            NOTHING,
        ],
        "report": {"out": str(folder / "reports")},
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(sections))
    assert main(["curate", "--config", str(path), "--run-id", "r"]) == 0
    return str(path)


@pytest.fixture(scope="module")
def images(config) -> Path:
    """The report that ``curate`` ended with."""
    return Path(config).parent / "reports/r.html"


@pytest.fixture(scope="module")
def texts(spark, tmp_path_factory) -> Path:
    """The report of a run over texts that hold a script."""
    folder = tmp_path_factory.mktemp("texts")
    content = F.concat(F.lit(f"{ATTACK} text "), F.col("id").cast("string")).cast("binary")
    run_id = write_run(spark, str(folder / "workspace"), n_items=300, ks=[30, 6], content=content)
    assert main(["report", "--workspace", str(folder / "workspace"), "--run-id", run_id, "--out", str(folder)]) == 0
    return folder / f"{run_id}.html"


def plain(path: Path) -> str:
    html = path.read_text(encoding="utf-8")
    body = re.sub(r"<(style|script|svg)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_report_of_images_has_the_numbers_of_the_run(images):
    text = plain(images)
    assert "58 items were read; the selection balanced keeps 20." in text
    assert "Over 3 classes, normalised entropy goes from " in text
    assert "Shown are 4 of 4 clusters of level 2, 12 of 12 clusters of level 1." in text
    assert re.search(r"ingest 58 57 1 ", text)
    assert re.search(r"select:balanced cluster 56 20 0 36 not selected", text)
    assert "many 40 " in text and "unreadable image 1 " in text
    assert "2 rounds of resampling" in text
    assert "closest 1 a cluster, hierarchical sharing, closest inside clusters 12 12" in text
    html = images.read_text()
    assert html.count("data:image/webp;base64,") == len(set(re.findall(r"data:image/webp;base64,[^)]+", html))) > 20


def test_a_selection_of_nothing_is_shown_with_no_items(images):
    assert "nothing 5 items, hierarchical sharing, random inside clusters, where n_items &lt; 0 0 0" in plain(images)
    assert re.search(r"balanced</th>.*closest</th>.*nothing</th>", images.read_text())
    assert not re.search(r"\b0 at random", plain(images))


def test_the_pictures_of_a_selection_lie_beside_the_tables(config):
    pictures = Path(config).parent / "workspace/pictures"
    assert sorted(one.name for one in pictures.iterdir()) == [
        f"r-{name}.png" for name in ("balanced", "closest", "nothing")
    ]
    with Image.open(pictures / "r-balanced.png") as picture:
        assert picture.format == "PNG" and picture.width > 900


def test_the_tree_adds_up_to_the_pool_and_to_the_selection(images):
    html = images.read_text()
    top = re.findall(r'\n<details class="cluster" data-size="(\d+)"', html)
    assert sum(map(int, top)) == 2 * 56  # every item below a cluster of level 2 and of level 1
    kept = [int(n) for n in re.findall(r">(\d+) kept <small>", html)]
    assert sum(kept) == 2 * 20


def test_texts_are_shown_as_they_are(texts):
    html = texts.read_text()
    assert html.count("<script") == 1
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt; text ") > 30
    text = plain(texts)
    assert "Over 20 classes" in text and "30 at random" in text and "file:/gone.txt" in text
    assert "level 1 gini 0.500 0.500" in text
    assert LONG[:150] in html and LONG[:200] not in html  # of labels and uris


def test_curate_ends_with_the_path_of_the_report_the_same_for_the_same_run(config, images, tmp_path, capsys):
    assert main(["curate", "--config", config, "--run-id", "r", f"report.out=file://{tmp_path}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path / 'r.html'}"
    assert (tmp_path / "r.html").read_text() == images.read_text()


def test_a_scheme_that_nothing_answers_to_is_named(config, capsys):
    assert main(["report", "--config", config, "--run-id", "r", "--out", "nowhere://bucket/reports"]) == 2
    error = capsys.readouterr().err
    assert "'nowhere://bucket/reports' cannot be written (No FileSystem for scheme" in error
    assert "name another with --out" in error and error.count("\n") == 1


def test_files_go_to_any_file_system_of_spark(spark, tmp_path):
    mount = "fs.viewfs.mounttable.test.link./mounted"  # a file system of another scheme that needs no network
    spark.sparkContext._jsc.hadoopConfiguration().set(mount, tmp_path.as_uri())
    folder = beside(Workspace(spark, "viewfs://test/mounted/workspace/"), "reports")
    for content in (b"one", b"two" * 10**6):
        assert folder.write("r.html", content) == "viewfs://test/mounted/workspace/reports/r.html"
        assert (tmp_path / "workspace/reports/r.html").read_bytes() == content
    assert not list(tmp_path.rglob("*unfinished"))
    assert beside(Workspace(spark, "spark_catalog.default"), "reports").place == str(Path("reports").resolve())
    assert beside(Workspace(spark, "warehouse/demo"), "reports").place == "warehouse/demo/reports"


@pytest.fixture(scope="module")
def compared(spark, texts) -> Path:
    """The report of a comparison that has 1,000 classes and some failures in the workspace of ``texts``."""
    workspace, picture = Workspace(spark, str(texts.parent / "workspace")), texts.parent / "a b.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    classes = [
        ("compared", "compare", name, measure, f"class={number:03d} {LONG}", value)
        for number in range(1000)
        for name, size in (("pool", 1000 - number), ("ours", 10))
        for measure, value in (("n_clusters", 5.0), ("mean_cluster_size", size / 5))
    ]
    whole = [
        ("compared", "compare", name, "gini", group, 0.25)
        for name in ("pool", "ours")
        for group in ("class", "level_1")
    ]
    workspace.append(schemas.Slice(METRICS), spark.createDataFrame([*classes, *whole], METRICS.schema))
    shown = (str(picture), "/gone.png", None)
    failures = [
        ("compared", model, "landmarks", rank, f"q{rank}", "p", "c", 0.25, 0.75, *shown)
        for model in "abcdefg"
        for rank in range(1, 21)
    ]
    workspace.append(schemas.Slice(FAILURES), spark.createDataFrame(failures, FAILURES.schema))
    out = ["--out", str(texts.parent), "--run-id", "compared"]
    assert main(["report", "--workspace", str(texts.parent / "workspace"), *out]) == 0
    return texts.parent / "compared.html"


def test_a_comparison_has_a_report_of_its_metrics(compared):
    text = plain(compared)
    assert "Methods were compared here" in text and "This run has no clusters of its own." in text
    assert f"The first {MOST_METRICS} of 2,002 measures" in text
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td>([^<]*)</td>(.*?)</tr>', compared.read_text())
    assert [row[:2] for row in rows[:2]] == [("class", "gini"), ("level 1", "gini")]
    assert rows[2][0].startswith("class=000 long") and len(rows[2][0]) < 200
    assert len(rows) == MOST_METRICS and not [row for row in rows if formats.MISSING in row[2]]


def test_classes_of_a_labelled_set_are_drawn_by_size(compared):
    assert "Each of 1,000 classes that evaluate.labelled gave to clusters" in plain(compared)
    assert "gini 0.250 0 is balanced" in plain(compared)
    assert compared.read_text().count('aria-label="Clusters of a class against the size of the class"') == 1


def test_the_worst_retrievals_of_every_model_stand_side_by_side(compared):
    html, text = compared.read_text(), plain(compared)
    assert html.count('<div class="group failure">') == MOST_FAILURES
    assert [f"landmarks, {model} " in text for model in "abcdefg"] == [True] * 7
    assert "1. query /gone.png predicted, 0.250 item c correct, 0.750" in text
    assert html.count("data:image/webp;base64,") == 1 and html.count("/a b.png") >= MOST_FAILURES


def test_a_report_is_made_of_a_run_that_is_not_finished(config, tmp_path, capsys):
    command = ["--config", config, "--run-id", "begun"]
    assert main(["ingest", *command, "--quiet"]) == 0
    assert main(["report", *command, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == f"report: {tmp_path / 'begun.html'}"
    text = plain(tmp_path / "begun.html")
    assert "This run has made no selection yet." in text and "the stage cluster has not finished" in text


@pytest.mark.slow
def test_a_run_without_selections_shows_its_clusters(config, tmp_path):
    overrides = ["select=[]", f"report.out={tmp_path}"]
    assert main(["curate", "--config", config, *overrides, "--run-id", "unselected", "--quiet"]) == 0
    text = plain(tmp_path / "unselected.html")
    assert (
        "No selections" in text and "Shown are 4 of 4 clusters" in text and "By level 1 measure pool n items 56" in text
    )


def test_copies_are_shown_with_what_stays_and_the_pairs_below_the_threshold(images):
    text = plain(images)
    assert "deduplicate:groups deduplicate:pairs 57 56 0 1 copies" in text
    assert "1 of 57 items does not go on. 2 items lie in 1 group of duplicates." in text
    assert "Equal files or contents 1 " in text and re.search(
        r"Inside the pool [1-9]\d* 0.99 1 all pairs were compared", text
    )
    assert re.search(r"No pair lies above the threshold. Just below: not [01]\.\d{4}", text)
    assert "kept, of 2 1 Metrics" in text
    assert images.read_text().count('aria-label="Histogram of similarities: Inside the pool"') == 1


def test_a_run_that_is_not_there_is_named_with_those_that_are(config, capsys):
    assert main(["report", "--config", config, "--run-id", "q"]) == 2
    error = capsys.readouterr().err
    assert "has no run 'q'; the newest are " in error and "'r'" in error and error.count("\n") == 1


def test_a_workspace_that_holds_nothing_stays_empty(tmp_path, capsys, spark):
    assert main(["report", "--workspace", str(tmp_path / "none"), "--run-id", "q"]) == 2
    assert "holds no runs" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_overrides_need_a_config(capsys):
    assert main(["report", "--workspace", "w", "seed=1", "--run-id", "q"]) == 2
    assert "'seed=1' overrides a setting of a config" in capsys.readouterr().err


def test_a_curation_whose_report_fails_says_that_the_report_alone_failed(config, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    command = ["curate", "--config", config, f"report.out={tmp_path / 'file'}", "--run-id", "r", "--quiet"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert "run r is finished, but not its report; again: equipoise report --config " in error
    assert "cannot be written" in error and "--out" in error


def test_the_clusters_on_the_page_are_bounded():
    for levels in (2, 3, 4, 6):
        shown = MOST_TOP
        for below in range(levels - 1, 0, -1):
            n = children_a_parent(shown, levels_below=below)
            assert 2 <= n <= MOST_CHILDREN
            shown *= n
        assert shown <= max(MOST_LOWEST, MOST_TOP * 2 ** (levels - 1))


@pytest.fixture(scope="module")
def browser():
    with started() as browser:
        yield browser


@pytest.mark.parametrize("pool", ["images", "texts"])
def test_in_a_browser_clusters_open_and_nothing_leaves_or_runs(browser, request, pool):
    visit = Visit(browser, request.getfixturevalue(pool), width=375)
    assert visit.page.locator("section[id] > h2").count() == SECTIONS
    cluster = visit.page.locator("#tree > details").first
    cluster.locator(":scope > summary").click()
    child = cluster.locator("details").first
    child.locator(":scope > summary").click()
    assert child.locator(".kind li").first.is_visible()
    assert visit.is_clean, visit.complaints
    assert visit.overflow() <= 0
