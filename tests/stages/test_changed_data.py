"""Data that changed under a known id, or is gone: counted and told, or taken anew, and vectors follow."""

import json
import os

import numpy as np
import pytest

from equipoise.schemas import EMBEDDINGS, POOL, Col
from stages.fakes import Lab, png, write_images

EMBED = {"encoder": "pixels", "size": 4, "mode": "L"}


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def told(run) -> list[str]:
    return [text for text in run.progress.messages if "changed since" in text or "no longer in the source" in text]


def by_name(run, table, column):
    """A column of a table by the name of the item's file."""
    names = {row[Col.item_id]: row[Col.uri].rpartition("/")[2] for row in run.workspace.read(POOL).collect()}
    return {names[row[Col.item_id]]: row[column] for row in run.workspace.read(table).collect()}


def test_a_replaced_and_a_deleted_picture_are_counted_and_told_and_vectors_stay(lab, tmp_path):
    write_images(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    sections = {"source": {"kind": "images", "path": str(tmp_path / "in")}, "embed": EMBED}
    first = lab.run("r", **sections)
    first.bring()
    hashes, vectors = by_name(first, POOL, Col.content_hash), by_name(first, EMBEDDINGS, Col.embedding)
    assert told(first) == []
    (tmp_path / "in/a.png").write_bytes(png(99))
    (tmp_path / "in/b.png").unlink()
    os.utime(tmp_path / "in/c.png", (5, 5))
    second = lab.run("s", **sections)
    account = second.bring()["ingest"]
    assert (account.n_in, account.n_out, account.goes_on) == (3, 0, 4)
    assert dict(account.drops) == {"already_in_pool": 1, "in_pool_but_changed_since": 2}
    assert told(second) == [
        "ingest: 2 items changed since the pool took them, and their old contents and vectors are used: "
        "source.changed: replace takes them anew",
        "ingest: 1 items of the pool are no longer in the source, or cannot be used by now, and stay in the pool: "
        "--force ingest in the run that took them leaves them out",
    ]
    assert by_name(second, POOL, Col.content_hash) == hashes
    assert by_name(second, EMBEDDINGS, Col.embedding) == vectors

    (tmp_path / "in/c.png").unlink()
    forced = lab.run("r", **sections)
    assert forced.bring(force=("ingest",))["ingest"].goes_on == 2
    assert by_name(forced, EMBEDDINGS, Col.embedding).keys() == {"a.png", "d.png"}
    assert by_name(forced, EMBEDDINGS, Col.embedding)["a.png"] != vectors["a.png"]


@pytest.mark.parametrize("on_delta", [False, True])
def test_a_replaced_picture_is_taken_anew_where_the_config_says_and_its_vector_with_it(spark, tmp_path, on_delta):
    lab = Lab(spark, tmp_path, on_delta=on_delta)
    write_images(tmp_path / "in", "a.png", "b.png")
    sections = {"source": {"kind": "images", "path": str(tmp_path / "in"), "changed": "replace"}, "embed": EMBED}
    first = lab.run("r", **sections)
    first.bring()
    before = by_name(first, EMBEDDINGS, Col.embedding)
    (tmp_path / "in/a.png").write_bytes(png(99, size=(8, 8)))
    second = lab.run("s", **sections)
    accounts = second.bring()
    assert (accounts["ingest"].n_out, dict(accounts["ingest"].drops)) == (1, {"already_in_pool": 1})
    assert accounts["ingest"].goes_on == 2 and accounts["embed"].n_out == 1
    assert told(second) == ["ingest: 1 items changed since the pool took them: they are taken anew"]
    after = by_name(second, EMBEDDINGS, Col.embedding)
    assert after["b.png"] == before["b.png"] and after["a.png"] != before["a.png"]
    assert by_name(second, POOL, Col.width) == {"a.png": 8, "b.png": 4}
    third = lab.run("t", **sections)
    assert dict(third.bring()["ingest"].drops) == {"already_in_pool": 2} and told(third) == []


def test_a_changed_picture_that_cannot_be_read_stays_as_it_was_where_others_are_taken_anew(lab, tmp_path):
    write_images(tmp_path / "in", "a.png", "b.png")
    sections = {"source": {"kind": "images", "path": str(tmp_path / "in"), "changed": "replace"}, "embed": EMBED}
    first = lab.run("r", **sections)
    first.bring()
    before = by_name(first, EMBEDDINGS, Col.embedding)
    (tmp_path / "in/a.png").write_bytes(png(99, size=(8, 8)))
    (tmp_path / "in/b.png").write_bytes(b"no picture at all")
    second = lab.run("s", **sections)
    assert second.bring()["ingest"].n_rejected == 1
    assert told(second)[0] == "ingest: 1 items changed since the pool took them: they are taken anew"
    after = by_name(second, EMBEDDINGS, Col.embedding)
    assert after["b.png"] == before["b.png"] and after["a.png"] != before["a.png"]


def test_vectors_written_anew_with_the_same_shape_are_noticed(lab, tmp_path):
    vectors = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.save(tmp_path / "v.npy", vectors)
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    lab.run("r", source=source).bring()
    vectors[[1, 3]] += 100
    np.save(tmp_path / "v.npy", vectors)
    kept = lab.run("s", source=source)
    assert dict(kept.bring()["ingest"].drops) == {"already_in_pool": 2, "in_pool_but_changed_since": 2}
    assert len(told(kept)) == 1 and max(row[Col.embedding][1] for row in lab.workspace.read(EMBEDDINGS).collect()) == 7

    taken = lab.run("t", source={**source, "changed": "replace"})
    account = taken.bring()["ingest"]
    assert (account.n_out, account.goes_on, dict(account.drops)) == (2, 4, {"already_in_pool": 2})
    found = {row[Col.item_id]: row[Col.embedding] for row in lab.workspace.read(EMBEDDINGS).collect()}
    assert found == {number: vector.tolist() for number, vector in enumerate(vectors)}
    assert told(taken) == ["ingest: 2 items changed since the pool took them: they are taken anew"]


def test_a_text_of_a_known_id_is_noticed_by_its_content(lab, tmp_path):
    def write(**texts):
        (tmp_path / "t.jsonl").write_text(
            "".join(json.dumps({"n": n, "text": text}) + "\n" for n, text in texts.items())
        )

    source = {"kind": "texts", "path": str(tmp_path / "t.jsonl"), "id": "n", "changed": "replace"}
    write(a="one", b="two")
    lab.run("r", source=source).bring()
    write(a="one", b="2wo")  # of the same length
    run = lab.run("s", source=source)
    account = run.bring()["ingest"]
    contents = {row[Col.key]: bytes(row[Col.content]) for row in run.workspace.read(POOL).collect()}
    assert contents == {"a": b"one", "b": b"2wo"} and account.n_out >= 1
