"""The stage embed: what is done is not done again, what cannot be done is named."""

from dataclasses import replace

import pytest

from equipoise.errors import ConfigError, InputError
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from equipoise.stages import embed as stage
from equipoise.stages.embed import embed, encoder_id_of
from equipoise.stages.ingest import ingest
from stages.fakes import Lab, png, write_images

PIXELS = {"encoder": "pixels", "size": 2, "mode": "L", "batch_size": 2, "items_per_commit": 3}


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def ingested(lab, *names, embed=PIXELS, run_id="r"):
    write_images(lab.folder / "in", *names)
    run = lab.run(run_id, source={"kind": "images", "path": str(lab.folder / "in")}, embed=embed)
    ingest(run)
    return replace(run, versions={table.name: run.workspace.version(table) for table in (POOL, EMBEDDINGS)})


def vectors(run):
    return {
        (row[Col.encoder_id], row[Col.item_id]): row[Col.embedding] for row in run.workspace.read(EMBEDDINGS).collect()
    }


def test_all_that_can_be_read_is_embedded_in_chunks(spark, tmp_path):
    lab = Lab(spark, tmp_path, on_delta=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png(size=(64, 64))[:-40])
    run = ingested(lab, *(f"{number}.png" for number in range(7)))
    account = embed(run)
    assert (account.n_in, account.n_out, account.n_rejected, dict(account.drops)) == (8, 7, 1, {})
    assert len(vectors(run)) == 7 and {len(vector) for vector in vectors(run).values()} == {4}
    (reject,) = run.workspace.read(REJECTS).collect()
    assert (reject[Col.stage], reject[Col.reason]) == ("embed", "unreadable_image")
    assert reject[Col.uri].endswith("cut.png")
    assert run.progress.counts[0] == ("embed", 0, 8) and run.progress.counts[-1] == ("embed", 8, 8)
    assert len(run.progress.counts) > 2


def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(lab, spark, tmp_path, monkeypatch):
    names = [f"{number}.png" for number in range(9)]
    run = ingested(lab, *names)
    write, written = stage._write, []

    def killed(*arguments):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(write(*arguments))

    monkeypatch.setattr(stage, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        embed(run)
    before = vectors(run)
    assert 0 < len(before) < 9
    monkeypatch.setattr(stage, "_write", write)
    account = embed(run)
    assert (account.n_in, account.n_out, account.n_rejected, dict(account.drops)) == (9, 9, 0, {})
    assert before.items() <= vectors(run).items()

    unbroken = ingested(Lab(spark, tmp_path / "other"), *names)
    embed(unbroken)
    assert sorted(vectors(unbroken).values()) == sorted(vectors(run).values())


def test_only_new_items_are_embedded_and_every_encoder_has_its_own(lab, tmp_path):
    first = ingested(lab, "a.png", "b.png")
    embed(first)
    second = ingested(lab, "a.png", "b.png", "c.png", run_id="s")
    account = embed(second)
    assert (account.n_in, account.n_out, dict(account.drops)) == (3, 1, {"already_embedded": 2})
    third = ingested(lab, "a.png", run_id="t", embed={**PIXELS, "size": 3})
    assert embed(third).n_out == 3
    assert {name for name, _ in vectors(third)} == {encoder_id_of(first.config), encoder_id_of(third.config)}


def test_no_item_that_can_be_embedded_is_an_error_with_an_example(lab, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png(size=(64, 64))[:-40])
    with pytest.raises(InputError, match="no item could be embedded, of 1 in the pool; for example: unreadable_image"):
        embed(ingested(lab))


def test_an_encoder_of_another_kind_is_refused(lab, tmp_path):
    sections = {"source": {"kind": "texts", "path": str(tmp_path)}, "embed": PIXELS}
    with pytest.raises(ConfigError, match="'pixels' reads images, the source holds texts"):
        embed(lab.run(**sections))


def test_what_the_workers_find_wrong_with_the_encoder_is_said_in_one_line(lab):
    with pytest.raises(ConfigError, match=r"^encoder pixels: size is 0; it must be an integer of at least 1$"):
        embed(ingested(lab, "a.png", embed={**PIXELS, "size": 0}))


def test_the_encoder_id_follows_the_config(lab, tmp_path):
    given = lab.run(source={"kind": "embeddings", "path": "x/clip.npy"})
    assert encoder_id_of(given.config) == "given-clip"
    with pytest.raises(ConfigError, match="add the section embed"):
        encoder_id_of(lab.run(source={"kind": "images", "path": "x"}).config)
