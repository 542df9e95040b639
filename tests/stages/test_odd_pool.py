"""A pool as crawls bring it, from files to vectors: every good picture has its vector, every bad one its reason."""

from collections import Counter

import numpy as np
import pytest

from equipoise.encoders import load_encoder
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from odd_pictures import ENDINGS, WAYS, pictures, saved
from sources.shards import tarred
from stages.fakes import Lab

N, N_ODD, SHARDS = 2000, 300, 4
EMBED = {"encoder": "pixels", "size": 6}


@pytest.fixture(scope="module")
def files():
    return {odd.name: odd for odd in pictures(N, N_ODD)}


@pytest.fixture(scope="module")
def verdicts_of_folder(spark, tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("folder")
    (folder / "in").mkdir()
    for name, odd in files.items():
        (folder / "in" / name).write_bytes(odd.content)
    (folder / "in" / "loop").symlink_to(folder / "in", target_is_directory=True)
    (folder / "in" / "to itself.png").symlink_to(folder / "in" / "to itself.png")
    source = {"kind": "images", "path": str(folder / "in"), "extensions": ENDINGS}
    run, verdicts = judged(spark, folder, source)
    (told,) = (text for text in run.progress.messages if "not looked at" in text)
    assert "dangling links (1)" in told and "links to folders that are listed without them (1)" in told
    return verdicts


def judged(spark, folder, source):
    """The run, and of every file its reason, or its vector."""
    run = Lab(spark, folder, on_delta=True).run(source=source, embed=EMBED)
    accounts = {**run.bring("ingest"), **run.bring("embed")}
    refused = {name_of(row[Col.uri]): row[Col.reason] for row in run.workspace.read(REJECTS).collect()}
    uris = {row[Col.item_id]: row[Col.uri] for row in run.workspace.read(POOL).collect()}
    rows = run.workspace.read(EMBEDDINGS).collect()
    assert accounts["embed"].n_out == len(rows) and sum(one.n_rejected for one in accounts.values()) == len(refused)
    return run, {**refused, **{name_of(uris[row[Col.item_id]]): row[Col.embedding] for row in rows}}


def name_of(uri):
    return uri.rpartition("/")[2]


def check(verdicts, files):
    assert verdicts.keys() == files.keys(), "nothing is lost, nothing comes twice"
    bad = {name: verdict for name, verdict in verdicts.items() if isinstance(verdict, str)}
    assert bad == {name: odd.reason for name, odd in files.items() if odd.reason}
    good = [name for name, odd in files.items() if not odd.reason]
    pixels = load_encoder(EMBED["encoder"], size=EMBED["size"])
    expected = pixels.encode([pixels.decode(saved(files[name].looks)) for name in good])
    cosines = (np.array([verdicts[name] for name in good]) * expected).sum(axis=1)
    assert {name: cosine for name, cosine in zip(good, cosines, strict=True) if cosine < 0.999} == {}


@pytest.mark.slow
def test_every_good_picture_of_a_dirty_folder_has_its_vector_and_every_bad_one_its_reason(verdicts_of_folder, files):
    assert len(WAYS) == 15 and N_ODD % len(WAYS) == 0
    check(verdicts_of_folder, files)
    assert Counter(odd.reason for odd in files.values()) == {
        None: N - 120, "unreadable_image": 100, "empty_file": 20,
    }  # fmt: skip


@pytest.mark.slow
def test_the_same_files_in_tar_shards_have_the_same_verdicts(spark, tmp_path, verdicts_of_folder, files):
    names = list(files)
    for shard in range(SHARDS):
        contents = {f"in/{name}": files[name].content for name in names[shard::SHARDS]}
        tarred(tmp_path / "tars" / f"{shard:05d}.tar", contents)
    source = {"kind": "webdataset", "path": str(tmp_path / "tars"), "extensions": ENDINGS}
    _, verdicts = judged(spark, tmp_path, source)
    check(verdicts, files)
    of_folder = {name: verdict for name, verdict in verdicts_of_folder.items() if isinstance(verdict, str)}
    assert of_folder == {name: verdict for name, verdict in verdicts.items() if isinstance(verdict, str)}
