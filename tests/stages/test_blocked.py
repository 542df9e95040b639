"""Lists of blocked domains and pages on their way through the stage ingest."""

import gzip
import json

import pytest

from equipoise.config import Place
from equipoise.errors import InputError, RunError
from equipoise.schemas import POOL, REJECTS, Col
from equipoise.sources.local import check_source
from sources.asked import source
from sources.shards import tarred
from stages.fakes import Lab, png

URLS = {
    "a": "https://cdn.BAD.example.org:443/x.jpg",
    "b": "http://fine.org/gone.png#top",
    "c": "http://fine.org/stays.png",
    "d": "http://notbad.example.org.fine.org/",
    "e": None,
}


@pytest.fixture
def shard(tmp_path):
    members = []
    for grey, (key, url) in enumerate(URLS.items()):
        # What is blocked is no picture: it is never looked at.
        members.append((f"{key}.png", b"not read" if key in "ab" else png(grey)))
        members.append((f"{key}.json", json.dumps({"url": url}).encode()))
    tarred(tmp_path / "in/a.tar", members)
    (tmp_path / "domains.gz").write_bytes(gzip.compress(b"# bad ones\n\nbad.example.org # why\r\n"))
    (tmp_path / "urls").write_text("https://fine.org/gone.png/\n")
    block = {"domains": str(tmp_path / "domains.gz"), "urls": str(tmp_path / "urls")}
    return {"kind": "webdataset", "path": str(tmp_path / "in"), "block": block}


def test_what_is_on_a_list_is_rejected_before_it_is_read_and_another_list_is_another_run(spark, tmp_path, shard):
    lab = Lab(spark, tmp_path)
    run = lab.run(source=shard)
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (5, 3, 2)
    found = {row[Col.key].rpartition("/")[2]: (row[Col.reason], row[Col.detail]) for row in run.rows(REJECTS)}
    assert found == {
        "a.png": ("blocked_domain", "bad.example.org is on the list"),
        "b.png": ("blocked_url", "fine.org/gone.png is on the list"),
    }
    assert {row[Col.key].rpartition("/")[2] for row in run.workspace.read(POOL).collect()} == {
        "c.png",
        "d.png",
        "e.png",
    }
    told = "ingest: by its lists, of 5 items: 1 blocked_domain, 1 blocked_url"
    assert told in run.progress.messages

    (tmp_path / "urls").write_text("https://fine.org/gone.png\n")  # the same page, but not the same file
    with pytest.raises(RunError, match=r"stage ingest of run 'r' is finished with other settings \(.*urls changed\)"):
        lab.run(source=shard).bring("ingest")


@pytest.mark.parametrize("key", ["domains", "urls"])
def test_a_list_that_is_missing_is_told_before_spark_starts(tmp_path, shard, key):
    shard["block"][key] = str(tmp_path / "gone.txt")
    with pytest.raises(InputError, match=rf"^sources\.web\.block\.{key} {tmp_path}/gone\.txt does not exist"):
        check_source(source(**shard), Place("sources.web"))
    shard["block"][key] = str(tmp_path)
    with pytest.raises(InputError, match=r"is a folder: name a file"):
        check_source(source(**{**shard, "path": "s3://elsewhere/x"}), Place("source"))
