"""The stage ingest: the pool, the rejects, and what is new the second time."""

import gzip
import json

import numpy as np
import pytest

from equipoise.encoders import given_encoder_id
from equipoise.errors import InputError
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from stages.fakes import Lab, png, write_images


def images(folder, **values):
    return {"kind": "images", "path": str(folder), "label": "parent_folder", **values}


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def pool(run):
    return {row[Col.uri].rpartition("/")[2]: row for row in run.workspace.read(POOL).collect()}


def reasons(run):
    return sorted(row[Col.reason] for row in run.workspace.read(REJECTS).collect())


def test_images_become_items_and_a_second_run_adds_only_the_new(spark, tmp_path):
    lab = Lab(spark, tmp_path, on_delta=True)
    write_images(tmp_path / "in", "cat/a b.png", "dog/ü.png")
    (tmp_path / "in/dog/corrupt.png").write_bytes(b"no image")
    (tmp_path / "in/dog/cut.png").write_bytes(png(size=(64, 64))[:-40])
    run = lab.run(source=images(tmp_path / "in"))
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected, dict(account.drops)) == (4, 3, 1, {})
    first = pool(run)
    # Only the header is read here: the file that was cut off falls out when it is embedded.
    assert first.keys() == {"a b.png", "ü.png", "cut.png"}
    assert (first["ü.png"][Col.label], first["ü.png"][Col.source], first["ü.png"][Col.width]) == (
        "dog",
        "in",
        4,
    )
    assert first["ü.png"][Col.content] is None and len(first["ü.png"][Col.content_hash]) == 64
    assert reasons(run) == ["unreadable_image"]

    write_images(tmp_path / "in", "cat/new.png")
    again = lab.run("s", source=images(tmp_path / "in")).bring("ingest")["ingest"]
    assert (again.n_in, again.n_out, again.n_rejected) == (5, 1, 1)
    assert dict(again.drops) == {"already_in_pool": 3}
    second = pool(run)
    assert second.keys() == {*first, "new.png"}
    assert all(second[name] == first[name] for name in first)


def test_inline_images_carry_their_bytes(lab, tmp_path):
    write_images(tmp_path / "in", "a.png")
    run = lab.run(source=images(tmp_path / "in", inline=True))
    run.bring("ingest")
    assert pool(run)["a.png"][Col.content] == png(0)
    assert not [text for text in run.progress.messages if "not looked at" in text]


def test_every_file_is_taken_rejected_or_told_as_not_looked_at(lab, tmp_path):
    write_images(tmp_path / "in", "_MG_0001.JPG", "up/B.PNG")
    (tmp_path / "in/empty.png").touch()
    for name in ("a.jsonl.zst", "b.zst", "up/.DS_Store"):
        (tmp_path / "in" / name).write_bytes(b"x")
    (tmp_path / "in/up/back").symlink_to(tmp_path / "in")
    run = lab.run(source=images(tmp_path / "in"))
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (3, 2, 1)
    assert pool(run).keys() == {"_MG_0001.JPG", "B.PNG"} and reasons(run) == ["empty_file"]
    told = f"ingest: not looked at below {tmp_path}/in: .zst (2), dot files (1), links to folders that are listed"
    assert [text for text in run.progress.messages if text.startswith(told)]


def test_texts_of_both_forms_are_ingested_and_equal_texts_once(lab, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/one.txt").write_text("a document")
    (tmp_path / "in/two.txt.gz").write_bytes(gzip.compress(b"a packed one"))
    lines = [json.dumps({"text": text}) for text in ("x", "y", "x")] + ["{broken"]
    (tmp_path / "in/more.jsonl").write_text("\n".join(lines))
    run = lab.run(source={"kind": "texts", "path": str(tmp_path / "in")})
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (6, 4, 2)
    contents = {bytes(row[Col.content]) for row in run.workspace.read(POOL).collect()}
    assert contents == {b"a document", b"a packed one", b"x", b"y"}
    assert reasons(run) == ["duplicate_id", "malformed_json"]
    again = lab.run("s", source=run.sections["source"]).bring("ingest")["ingest"]
    assert dict(again.drops) == {"already_in_pool": 4}  # what is packed has no other size by being read


@pytest.fixture
def vectors(tmp_path):
    matrix = np.eye(4, 3, dtype=np.float32)
    np.save(tmp_path / "v.npy", matrix)
    return matrix


def test_ready_made_vectors_go_to_the_pool_and_the_embeddings(lab, tmp_path, vectors):
    vectors[2, 0] = np.nan
    np.save(tmp_path / "v.npy", vectors)
    run = lab.run(source={"kind": "embeddings", "path": str(tmp_path / "v.npy")})
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (4, 3, 1)
    found = {row[Col.item_id]: row for row in run.workspace.read(EMBEDDINGS).collect()}
    assert {item: row[Col.embedding] for item, row in found.items()} == {i: vectors[i].tolist() for i in (0, 1, 3)}
    assert {row[Col.encoder_id] for row in found.values()} == {given_encoder_id("v")}
    assert {row[Col.item_id] for row in run.workspace.read(POOL).collect()} == {0, 1, 3}
    assert reasons(run) == ["not_finite"]
    (account,) = lab.run("again", source=run.sections["source"]).bring("ingest").values()
    assert dict(account.drops) == {"already_in_pool": 3}
    assert run.workspace.read(EMBEDDINGS).count() == 3


def test_vectors_of_different_lengths_are_refused_before_anything_is_written(lab, tmp_path):
    rows = [(1, [1.0, 2.0]), (2, [1.0, 2.0]), (3, [1.0]), (4, [1.0])]
    lab.spark.createDataFrame(rows, "id long, embedding array<float>").write.parquet(f"{tmp_path}/p")
    run = lab.run(source={"kind": "embeddings", "path": f"{tmp_path}/p", "id": "id"})
    with pytest.raises(InputError, match=r"differ in length: 1 \(2 rows\), 2 \(2 rows\); no length is that of more"):
        run.bring("ingest")
    assert run.workspace.read(POOL).isEmpty() and run.workspace.read(REJECTS).isEmpty()


def test_vectors_of_another_length_than_before_are_refused(lab, tmp_path, vectors):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    lab.run(source=source).bring("ingest")
    np.save(tmp_path / "v.npy", np.ones((9, 5)))
    with pytest.raises(InputError, match=r"have length 5 \(9 rows\), those from before have 3"):
        lab.run("s", source=source).bring("ingest")


def test_whole_number_ids_that_are_another_sources_are_refused_with_the_way_out(lab, tmp_path, vectors):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    lab.run(source=source).bring("ingest")
    np.save(tmp_path / "v.npy", np.ones((5, 3)))
    run = lab.run("s", source={**source, "name": "other"})
    with pytest.raises(InputError, match=r"4 of its 5 ids are those of another source's .* source.id_space: own"):
        run.bring("ingest")
    assert len(run.workspace.read(POOL).collect()) == 4 and reasons(run) == []

    own = lab.run("t", source={**source, "name": "other", "id_space": "own"})
    assert own.bring("ingest")["ingest"].n_out == 5
    rows = own.workspace.read(POOL).where("source = 'other'").collect()
    assert {row[Col.key] for row in rows} == set("01234")  # yours leads back to your data
    assert len({row[Col.item_id] for row in rows} - set(range(5))) == 5


def test_a_run_that_was_killed_between_vectors_and_pool_adds_neither_twice(lab, tmp_path, vectors, monkeypatch):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    insert = lab.workspace.insert_new

    def killed(part, rows, *, since):
        if part.table is POOL:
            raise KeyboardInterrupt
        return insert(part, rows, since=since)

    for run_id in ("r", "s"):  # another run finds the same
        monkeypatch.setattr(lab.workspace, "insert_new", killed)
        with pytest.raises(KeyboardInterrupt):
            lab.run(run_id, source=source).bring("ingest")
        assert lab.workspace.read(EMBEDDINGS).count() == 4
    monkeypatch.setattr(lab.workspace, "insert_new", insert)
    account = lab.run("s", source=source).bring("ingest")["ingest"]
    assert (account.n_out, lab.workspace.read(EMBEDDINGS).count(), lab.workspace.read(POOL).count()) == (4, 4, 4)


def test_vectors_that_a_killed_run_left_are_those_of_the_file_as_it_is_now(lab, tmp_path, vectors, monkeypatch):
    """The pool never had their items, and nobody resumed that run."""
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    insert = lab.workspace.insert_new
    monkeypatch.setattr(
        lab.workspace,
        "insert_new",
        lambda part, rows, since: 1 / 0 if part.table is POOL else insert(part, rows, since=since),
    )
    with pytest.raises(ZeroDivisionError):
        lab.run("r", source=source).bring("ingest")
    monkeypatch.setattr(lab.workspace, "insert_new", insert)
    np.save(tmp_path / "v.npy", np.load(tmp_path / "v.npy") + 100)
    lab.run("s", source=source).bring("ingest")
    rows = lab.workspace.read(EMBEDDINGS).collect()
    assert len(rows) == 4 and all(min(row[Col.embedding]) > 50 for row in rows)


def test_a_run_that_was_killed_after_the_pool_had_its_items_accounts_for_them(lab, tmp_path, monkeypatch):
    write_images(tmp_path / "in", "a.png", "b.png")
    lab.run("r", source=images(tmp_path / "in")).bring("ingest")
    write_images(tmp_path / "in", "c.png")
    run, insert = lab.run("s", source=images(tmp_path / "in")), lab.workspace.insert_new

    def killed(part, rows, *, since):
        insert(part, rows, since=since)
        raise KeyboardInterrupt

    monkeypatch.setattr(lab.workspace, "insert_new", killed)
    with pytest.raises(KeyboardInterrupt):
        run.bring("ingest")
    monkeypatch.setattr(lab.workspace, "insert_new", insert)
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, dict(account.drops), account.goes_on) == (3, 1, {"already_in_pool": 2}, 3)


def test_vectors_of_some_items_alone_are_what_goes_on(lab, tmp_path, vectors):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy"), "encoder": "first"}
    lab.run("r", source=source).bring("ingest")
    np.save(tmp_path / "v.npy", np.load(tmp_path / "v.npy")[:3])
    accounts = lab.run("s", source={**source, "encoder": "second"}, cluster={"levels": [{"k": 2}]}).bring()
    assert accounts["ingest"].goes_on == 3
    assert (accounts["cluster"].n_in, accounts["cluster"].n_out) == (3, 3)


@pytest.mark.parametrize("before, after", [("shared", "own"), ("own", "shared")])
def test_items_that_would_come_again_by_their_other_id_are_refused(lab, tmp_path, vectors, before, after):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy"), "name": "s"}
    lab.run("r", source={**source, "id_space": before}).bring("ingest")
    said = rf"the pool has 4 of its items by the ids of source.id_space: {before}, and by {after} .* twice"
    with pytest.raises(InputError, match=said):
        lab.run("t", source={**source, "id_space": after}).bring("ingest")
    assert lab.workspace.read(POOL).count() == 4
    lab.run("r", source={**source, "id_space": after}).bring("ingest", force=("ingest",))
    assert lab.workspace.read(POOL).count() == 4


def test_vectors_that_another_model_made_of_known_items_are_added(lab, tmp_path, vectors):
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy"), "encoder": "first"}
    lab.run("r", source=source).bring("ingest")
    np.save(tmp_path / "v.npy", np.ones((5, 3)))
    for run_id in ("s", "t"):  # the second finds all of them
        account = lab.run(run_id, source={**source, "encoder": "second"}).bring("ingest")["ingest"]
        assert account.goes_on == 5
        rows = lab.workspace.read(EMBEDDINGS).groupBy(Col.encoder_id).count().collect()
        assert sorted(row["count"] for row in rows) == [4, 5]
    assert lab.workspace.read(POOL).count() == 5


def test_a_row_that_cannot_be_used_is_a_reject_of_every_run(lab, tmp_path):
    np.save(tmp_path / "v.npy", np.array([[1.0, 2], [3, np.nan]]))
    source = {"kind": "embeddings", "path": str(tmp_path / "v.npy")}
    for run_id, n_out in (("r", 1), ("s", 0)):
        account = lab.run(run_id, source=source).bring("ingest")["ingest"]
        assert (account.n_in, account.n_out, account.n_rejected, account.goes_on) == (2, n_out, 1, 1)


def test_a_folder_without_files_of_the_kind_is_refused(lab, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.txt").write_text("x")
    with pytest.raises(InputError, match=r"source.path .*in holds no file with one of the extensions png, jpg"):
        lab.run(source=images(tmp_path / "in")).bring("ingest")


def test_each_source_has_its_part_of_the_pool_and_its_account(lab, tmp_path):
    write_images(tmp_path / "a", "1.png", "2.png")
    write_images(tmp_path / "b", "1.png")
    run = lab.run(sources={"one": images(tmp_path / "a"), "two": images(tmp_path / "b")})
    accounts = run.bring()
    assert {name: account.n_out for name, account in accounts.items()} == {"ingest:one": 2, "ingest:two": 1}
    sources = sorted(row[Col.source] for row in run.workspace.read(POOL).collect())
    assert sources == ["one", "one", "two"]


def test_nothing_usable_is_refused_with_the_reasons_and_an_example(lab, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "in" / name).write_bytes(b"no image")
    run = lab.run(source=images(tmp_path / "in"))
    with pytest.raises(InputError, match=r"unreadable_image \(2\); for example: UnidentifiedImageError"):
        run.bring("ingest")
    assert reasons(run) == ["unreadable_image"] * 2
