"""The stage embed: what is done is not done again, what cannot be done is named."""

import json

import pytest

from equipoise.encoders import encoder_id
from equipoise.errors import ConfigError, InputError, RunError
from equipoise.schemas import EMBEDDINGS, REJECTS, RUNS, Col
from equipoise.stages.embed import work as stage
from stages.fakes import Lab, png, write_images

PIXELS = {"encoder": "pixels", "size": 2, "mode": "L", "batch_size": 2, "items_per_commit": 3}


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def ingested(lab, *names, embed=PIXELS, run_id="r"):
    write_images(lab.folder / "in", *names)
    run = lab.run(run_id, source={"kind": "images", "path": str(lab.folder / "in")}, embed=embed)
    run.bring("ingest")
    return run


def embed(run):
    return run.bring("embed")["embed"]


def vectors(run):
    return {
        (row[Col.encoder_id], row[Col.item_id]): row[Col.embedding] for row in run.workspace.read(EMBEDDINGS).collect()
    }


def test_all_that_can_be_read_is_embedded_in_chunks_each_of_which_is_one_append(spark, tmp_path, monkeypatch):
    lab = Lab(spark, tmp_path, on_delta=True)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png(size=(64, 64))[:-40])
    run = ingested(lab, *(f"{number}.png" for number in range(11)), embed={**PIXELS, "trained_on": "nothing"})
    write, jobs = stage._write, []

    def counted(*arguments):
        before = len(spark.sparkContext.statusTracker().getJobIdsForGroup("r/embed"))
        written = write(*arguments)
        jobs.append((written[0], len(spark.sparkContext.statusTracker().getJobIdsForGroup("r/embed")) - before))
        return written

    monkeypatch.setattr(stage, "_write", counted)
    account = embed(run)
    assert (account.n_in, account.n_out, account.n_rejected, dict(account.drops)) == (12, 11, 1, {})
    assert len(vectors(run)) == 11 and {len(vector) for vector in vectors(run).values()} == {4}
    (reject,) = run.workspace.read(REJECTS).collect()
    assert (reject[Col.stage], reject[Col.reason]) == ("embed", "unreadable_image")
    assert reject[Col.uri].endswith("cut.png") and reject[Col.key] == reject[Col.uri]
    assert run.progress.counts[0] == ("embed", 0, 12) and run.progress.counts[-1] == ("embed", 12, 12)
    assert len(run.progress.counts) > 2

    history = run.workspace._delta(EMBEDDINGS).history().orderBy("version").select("operation").collect()
    assert [row[0] for row in history] == ["CREATE TABLE AS SELECT", *["WRITE"] * (len(jobs) - 1)]
    assert len(jobs) == 4 and len({n for n_refused, n in jobs[1:] if not n_refused}) == 1, jobs
    (config,) = {row["config"] for row in run.rows(RUNS) if row["stage"] == "embed"}
    assert json.loads(config)["trained_on"] == "nothing"
    assert encoder_id("pixels", {"size": 2, "mode": "L"}) == json.loads(config)[Col.encoder_id]


def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(lab, spark, tmp_path, monkeypatch):
    names = [f"{number}.png" for number in range(9)]
    run = ingested(lab, *names)
    write, written = stage._write, []

    def killed(*arguments):
        if len(written) == 1:
            raise KeyboardInterrupt
        written.append(write(*arguments))
        return written[-1]

    monkeypatch.setattr(stage, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        embed(run)
    before = vectors(run)
    assert 0 < len(before) < 9
    monkeypatch.setattr(stage, "_write", write)
    account = embed(run)
    assert (account.n_in, account.n_out, account.n_rejected, dict(account.drops)) == (9, 9, 0, {})
    assert before.items() <= vectors(run).items()

    assert run.statuses("embed") == ["running", "running", "done"]

    unbroken = ingested(Lab(spark, tmp_path / "other"), *names)
    embed(unbroken)
    assert sorted(vectors(unbroken).values()) == sorted(vectors(run).values())


def test_vectors_that_another_run_replaced_meanwhile_are_missed_and_made_when_it_is_started_again(lab, monkeypatch):
    first = ingested(lab, "a.png", "b.png")
    embed(first)
    ingested(lab, "c.png", "d.png", run_id="t")
    embed(lab.run("t", **first.sections))
    run = ingested(lab, "e.png", run_id="s")
    write = stage._write

    def beside(*arguments):
        monkeypatch.setattr(stage, "_write", write)
        first.bring("embed", force=("embed",))
        return write(*arguments)

    monkeypatch.setattr(stage, "_write", beside)
    with pytest.raises(RunError, match="2 vectors that were there when embed began are gone: another run replaced"):
        embed(run)
    account = embed(run)
    assert (account.n_in, account.goes_on, len(vectors(run))) == (5, 5, 5)


def test_only_new_items_are_embedded_and_every_encoder_has_its_own(lab, tmp_path):
    first = ingested(lab, "a.png", "b.png")
    embed(first)
    second = ingested(lab, "a.png", "b.png", "c.png", run_id="s")
    account = embed(second)
    assert (account.n_in, account.n_out, dict(account.drops)) == (3, 1, {"already_embedded": 2})
    third = ingested(lab, "a.png", run_id="t", embed={**PIXELS, "size": 3})
    assert embed(third).n_out == 3
    assert {name for name, _ in vectors(third)} == {encoder_id("pixels", {"size": n, "mode": "L"}) for n in (2, 3)}


def test_no_item_that_can_be_embedded_is_an_error_with_an_example(lab, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png(size=(64, 64))[:-40])
    with pytest.raises(InputError, match="no item could be embedded, of 1 in the pool; for example: unreadable_image"):
        embed(ingested(lab))


def test_what_the_workers_find_wrong_with_the_encoder_is_said_in_one_line(lab, monkeypatch):
    of_workers = stage.vectors
    monkeypatch.setattr(stage, "vectors", lambda items, name, _, **rest: of_workers(items, name, {"size": 0}, **rest))
    with pytest.raises(ConfigError, match=r"^encoder pixels: size is 0; it must be an integer from 1 to 512$"):
        embed(ingested(lab, "a.png"))


def test_a_torchscript_is_embedded_by_the_workers_and_a_wrong_one_is_said_in_one_line(lab, tmp_path):
    pytest.importorskip("torch")
    from torchscripts import Means, Whole, saved

    name = saved(Means(), tmp_path / "model.pt")
    options = {"size": 4, "mean": [0.0] * 3, "std": [1.0] * 3, "normalise": False}
    embedding = {"encoder": name, "batch_size": 2, **options}
    run = ingested(lab, *(f"{number}.png" for number in range(5)), embed=embedding)
    assert embed(run).n_out == 5
    found = sorted(vectors(run).values())  # grey n, and one pixel of 16 white
    assert found == [pytest.approx([(15 * grey + 255) / 16 / 255] * 3, rel=1e-5) for grey in range(5)]
    assert {encoder for encoder, _ in vectors(run)} == {encoder_id(name, options)}
    saved(Whole(), tmp_path / "model.pt")  # another id: all is embedded again
    with pytest.raises(
        ConfigError, match=r"^encoder torchscript:.*/model.pt: of \d pictures the model gives float32 of"
    ):
        embed(ingested(lab, "0.png", "1.png", run_id="s", embed=embedding))
    (tmp_path / "model.pt").unlink()
    with pytest.raises(ConfigError, match=r"^encoder torchscript:.*: the file .*/model.pt does not exist"):
        ingested(lab, "0.png", run_id="t", embed=embedding)


def test_an_item_that_could_not_be_embedded_does_not_go_on_and_is_counted_once(lab, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cut.png").write_bytes(png(size=(64, 64))[:-40])
    run = ingested(lab, "a.png", "b.png")
    first = embed(run)
    assert (first.n_in, first.n_out, first.n_rejected, first.goes_on) == (3, 2, 1, 2)
    other = ingested(lab, "a.png", run_id="s")
    again = embed(other)  # another run tries it again
    assert (again.n_in, again.n_out, again.n_rejected, dict(again.drops)) == (3, 0, 1, {"already_embedded": 2})
    assert again.goes_on == 2


def test_vectors_of_sources_and_encoders_lie_in_slices_of_their_own(lab, tmp_path):
    for name in ("one", "two"):
        write_images(tmp_path / name, "a.png", "b.png")
    run = lab.run(
        sources={name: {"kind": "images", "path": str(tmp_path / name)} for name in ("one", "two")},
        encoders={"small": PIXELS, "large": {**PIXELS, "size": 3}},
    )
    accounts = run.bring()
    names = {"embed:small/one", "embed:small/two", "embed:large/one", "embed:large/two"}
    assert {name for name in accounts if name.startswith("embed")} == names
    slices = {(row[Col.encoder_id], row[Col.source]) for row in run.workspace.read(EMBEDDINGS).collect()}
    assert len(slices) == 4


def test_chunks_that_another_run_wrote_meanwhile_are_not_written_again(spark, tmp_path, monkeypatch):
    """The other run embeds all between the first look and the first chunk of this one."""
    lab = Lab(spark, tmp_path)
    names = [f"{number}.png" for number in range(9)]
    slow, quick = ingested(lab, *names), ingested(lab, *names, run_id="s")
    write, overtaken = stage._write, []

    def after_the_other(*arguments):
        if not overtaken:
            overtaken.append(True)
            embed(quick)
        return write(*arguments)

    monkeypatch.setattr(stage, "_write", after_the_other)
    embed(slow)
    assert slow.workspace.read(EMBEDDINGS).count() == 9
