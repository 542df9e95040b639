"""Tar shards on their way through the stages: as the same files in a folder, damaged, and changed."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from equipoise.errors import InputError
from equipoise.pipeline.content import content_of
from equipoise.pipeline.examples import previews
from equipoise.schemas import EMBEDDINGS, POOL, REJECTS, Col
from sources.shards import tarred
from stages.fakes import Lab, png

EMBED = {"encoder": "pixels", "size": 4, "mode": "RGB"}


@pytest.fixture
def lab(spark, tmp_path):
    return Lab(spark, tmp_path)


def picture(mode="RGB", size=(9, 6), form="PNG", **options):
    pixels = np.random.default_rng(len(mode) + size[0]).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    image, file = Image.fromarray(pixels).convert(mode), io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture(form="JPEG", exif=exif)


ODD = {
    "good.jpg": picture(form="JPEG"),
    "a b%20c+d.png": png(10),
    "grüße 日本🎉/line\nbreak.png": png(20),
    "dot.in.name.PNG": png(30),
    "wrong-ending.jpg": png(40),
    "one.png": picture(size=(1, 1)),
    "cmyk.jpg": picture("CMYK", form="JPEG"),
    "palette.gif": picture("P", form="GIF"),
    "turned.jpg": turned(),
    "deep16.png": picture("I;16"),
    "wide.png": png(50, size=(1, 3000)),
    "zero.png": b"",
    "text.png": b"no picture",
    "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "cut.jpg": picture(size=(64, 64), form="JPEG")[:-700],
    "cut-header.png": png(60)[:12],
    "notes.md": b"none of them",
}


def by_name(rows, column, folder):
    """A column by the part of the key that folder and shards have in common."""
    return {row[Col.key].partition(folder)[2].lstrip("/"): row[column] for row in rows}


def test_shards_give_the_verdicts_and_vectors_of_the_same_files_in_a_folder(lab, tmp_path):
    for name, content in ODD.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    tarred(tmp_path / "shards/00000.tar", ODD)
    sources = {
        "folder": {"kind": "images", "path": str(tmp_path / "in")},
        "shards": {"kind": "webdataset", "path": str(tmp_path / "shards")},
    }
    run = lab.run(sources=sources, embed=EMBED)
    run.bring()
    rejects, pool = run.rows(REJECTS), run.workspace.read(POOL).collect()
    marks = {"folder": f"file:{tmp_path}/in", "shards": "00000.tar!"}
    verdicts, facts, vectors = {}, {}, {}
    for source, mark in marks.items():
        own = [row for row in rejects if row[Col.stage].endswith(f":{source}")]
        verdicts[source] = by_name([row for row in own if not row[Col.key].endswith("notes")], Col.reason, mark)
        mine = [row for row in pool if row[Col.source] == source]
        names = {row[Col.item_id]: row[Col.key].partition(mark)[2].lstrip("/") for row in mine}
        facts[source] = {
            names[row[Col.item_id]]: (row[Col.width], row[Col.height], row[Col.n_bytes], row[Col.content_hash])
            for row in mine
        }
        embeddings = run.workspace.read(EMBEDDINGS).where(f"source = '{source}'").collect()
        vectors[source] = {names[row[Col.item_id]]: row[Col.embedding] for row in embeddings}
    bad = {"zero.png", "text.png", "vector.png", "cut.jpg", "cut-header.png"}
    assert verdicts["folder"].keys() == bad and vectors["folder"].keys() == {*ODD} - bad - {"notes.md"}
    assert verdicts["shards"] == verdicts["folder"]
    assert facts["shards"] == facts["folder"]
    assert vectors["shards"] == vectors["folder"]
    assert not [row for row in pool if row[Col.content] is not None]
    assert [text for text in run.progress.messages if text.endswith("shards: .md (1)")]
    (seen,) = {len(set(rows)) for rows in [_seen(run, source) for source in ("folder", "shards")]}
    assert seen == len(vectors["folder"]) + 1  # of the one that is cut off there is no picture


def _seen(run, source):
    """Thumbnails, as a report has them."""
    items = run.workspace.read(POOL).where(f"source = '{source}'")
    return [row[Col.thumbnail] for row in previews(items, lambda content: (content, None)).collect()]


def test_a_cut_shard_is_refused_or_its_first_members_are_taken_and_it_is_a_reject(lab, tmp_path):
    tarred(tmp_path / "in/a.tar", {"a.png": png(1)})
    whole = tarred(tmp_path / "in/b.tar", {"b.png": png(2), "c.png": png(3)})
    whole.write_bytes(whole.read_bytes()[:1600])
    source = {"kind": "webdataset", "path": str(tmp_path / "in")}
    with pytest.raises(InputError, match=r"1 of its files cannot be read: \S+b\.tar \(it is cut off inside c\.png, at"):
        lab.run(source=source).bring("ingest")
    run = lab.run("s", source={**source, "damaged": "skip", "inline": True})
    account = run.bring("ingest")["ingest"]
    assert (account.n_in, account.n_out, account.n_rejected) == (3, 2, 1)
    assert {row[Col.content] for row in run.workspace.read(POOL).collect()} == {png(1), png(2)}
    assert [(row[Col.reason], row[Col.uri]) for row in run.rows(REJECTS)] == [
        ("damaged_file", f"file:{tmp_path}/in/b.tar")
    ]


def test_a_shard_that_was_written_anew_is_compared_and_only_other_contents_are_embedded_again(lab, tmp_path):
    path = tmp_path / "in/a.tar"
    tarred(path, [("a.png", png(1)), ("b.png", png(2)), ("b.png", png(9))])
    sections = {"source": {"kind": "webdataset", "path": str(path)}, "embed": EMBED}
    first = lab.run("r", **sections)
    accounts = first.bring()
    assert (accounts["ingest"].n_out, accounts["embed"].n_out) == (2, 2)
    assert [row[Col.reason] for row in first.rows(REJECTS)] == ["duplicate_id"]
    ids = {row[Col.item_id] for row in first.workspace.read(POOL).collect()}
    tarred(path, [("new.png", png(5)), ("a.png", png(1)), ("b.png", png(77, size=(8, 8)))])
    os.utime(path, (5, 5))
    second = lab.run("s", **{**sections, "source": {**sections["source"], "changed": "replace"}})
    accounts = second.bring()
    assert (accounts["ingest"].n_out, accounts["ingest"].goes_on) == (3, 3)
    assert accounts["embed"].n_out == 2  # the new and the other one
    rows = second.workspace.read(POOL).collect()
    assert ids < {row[Col.item_id] for row in rows}
    contents = {row[Col.key].rpartition("/")[2]: content_of(row[Col.uri], None) for row in rows}
    assert contents == {"new.png": png(5), "a.png": png(1), "b.png": png(77, size=(8, 8))}
